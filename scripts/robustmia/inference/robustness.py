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
    """Verified accuracies under each verifier by itself, and under the tightest: the lowest bound of each record and class.

    `estimated_seconds` are those of a verifier for 1,000 records; `tighter_verifier` was not run, and `tighter_seconds` are its.
    """
    columns = ["verifier", "is_own_verifier", "verified_train_accuracy", "verified_test_accuracy"]
    columns += ["estimated_seconds", "tighter_verifier", "tighter_seconds"]
    if not isinstance(verified, VerifiedBounds):
        return pd.DataFrame(columns=columns)
    bounds = {str(name): verified.under(name) for name in verified.verifiers} | {"tightest": verified}
    seconds = [*verified.seconds, verified.seconds.sum()]
    tighter = [verified.tighter[0], float(verified.tighter_seconds)] if len(verified.tighter) else [None, None]
    rows = []
    for (name, b), cost in zip(bounds.items(), seconds, strict=True):
        sides = [_accuracy(b.members, b.member_labels), _accuracy(b.nonmembers, b.nonmember_labels)]
        rows.append([name, name == own_verifier, *sides, cost, *tighter])
    return pd.DataFrame(rows, columns=columns)


def _accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(logits.argmax(axis=1) == labels))
