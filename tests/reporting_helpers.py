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
                        | {"chance_accuracy": 0.514 if rule == "oracle" else 0.5, "members": 50, "nonmembers": 40}
                    )
    return pd.DataFrame(robustness), pd.DataFrame(membership)


def over_seeds(membership: pd.DataFrame) -> pd.DataFrame:
    """Accuracies over the seeds, with an interval from 0.01 below the mean to 0.02 above."""
    keys = ["run", "method", "signal", "strategy", "threshold_rule"]
    means = membership.groupby(keys, sort=False)[["accuracy", "chance_accuracy"]].mean().reset_index()
    means = means.rename(columns={"accuracy": "mean", "chance_accuracy": "chance"}).assign(quantity="accuracy")
    return means.assign(low=means["mean"] - 0.01, high=means["mean"] + 0.02)
