"""Rows of tables whose numbers tell where they came from."""

from __future__ import annotations

import pandas as pd


def robustness_and_membership(runs=("natural", "my_pgd"), seeds=(0, 1)) -> tuple[pd.DataFrame, pd.DataFrame]:
    robustness, membership = [], []
    for position, run in enumerate(runs):
        for seed in seeds:
            about = {"dataset": "d", "run": run, "method": "pgd", "seed": seed}
            accuracies = {
                "train_accuracy": 0.99,
                "test_accuracy": 0.9 - seed / 10,
                "adv_train_accuracy": 0.8 + position / 10,
            }
            empty = {"verified_train_accuracy": None, "verified_test_accuracy": None}
            robustness.append(about | accuracies | {"adv_test_accuracy": 0.5} | empty)
            for strategy, signal in (("I_B", "benign"), ("I_A", "adversarial")):
                for rule, accuracy in (("oracle", 0.7), ("split", 0.6 + position / 100), ("fixed", 0.1)):
                    accuracy += (strategy == "I_A") / 10
                    membership.append(
                        about
                        | {"signal": signal, "strategy": strategy if rule != "fixed" else "correctness"}
                        | {"threshold_rule": rule, "accuracy": accuracy}
                        | {"accuracy_low": accuracy - 0.01, "accuracy_high": accuracy + 0.02}
                        | {"floor_accuracy": 0.514 if rule == "oracle" else None, "members": 50, "nonmembers": 40}
                    )
    return pd.DataFrame(robustness), pd.DataFrame(membership)
