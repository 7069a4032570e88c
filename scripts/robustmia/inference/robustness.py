"""Clean, adversarial and verified accuracy of one target model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from robustmia.files.signals import SignalLogits, VerifiedBounds
from robustmia.inference.attacks.base import OWN_VERIFIED

PREFIXES = {"": "benign", "adv_": "adversarial", "verified_": "verified", "own_verified_": OWN_VERIFIED}


def robustness_table(signals: dict[str, SignalLogits]) -> pd.DataFrame:
    """Accuracies on members (train) and non-members (test), one row; empty where the signal is not there."""
    row: dict = {}
    for prefix, name in PREFIXES.items():
        signal = signals.get(name)
        row[f"{prefix}train_accuracy"] = signal and _accuracy(signal.members, signal.member_labels)
        row[f"{prefix}test_accuracy"] = signal and _accuracy(signal.nonmembers, signal.nonmember_labels)
    return pd.DataFrame([row])


def verification_table(verified: SignalLogits | None, own_verifier: str | None) -> pd.DataFrame:
    """Verified accuracies under each verifier by itself, and under the tightest: the lowest bound of each record and class."""
    columns = ["verifier", "is_own_verifier", "verified_train_accuracy", "verified_test_accuracy"]
    if not isinstance(verified, VerifiedBounds):
        return pd.DataFrame(columns=columns)
    bounds = {str(name): verified.under(name) for name in verified.verifiers} | {"tightest": verified}
    rows = [
        [name, name == own_verifier, _accuracy(b.members, b.member_labels), _accuracy(b.nonmembers, b.nonmember_labels)]
        for name, b in bounds.items()
    ]
    return pd.DataFrame(rows, columns=columns)


def _accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(logits.argmax(axis=1) == labels))
