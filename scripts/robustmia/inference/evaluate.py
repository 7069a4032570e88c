"""What one target model reveals: rows for the long tables, from its signals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from robustmia.inference.metrics import (
    ROC,
    Operating,
    accuracy_interval,
    auc,
    binomial_interval,
    uninformative_floor,
)
from robustmia.inference.scores import cross_entropy, log_odds
from robustmia.inference.soundness import require_unbroken
from robustmia.inference.strategies import STRATEGIES
from robustmia.inference.thresholds import THRESHOLD_RULES
from robustmia.logits import SignalLogits, VerifiedBounds

Identity = dict[str, Any]
"""`dataset`, `run`, `method` and `seed`: the columns that say which target model a row is about."""

ROC_GRID = np.geomspace(1e-5, 1.0, 251)
PREFIXES = {"": "benign", "adv_": "adversarial", "verified_": "verified", "own_verified_": "verified_own"}
MARGIN_BINS = np.sinh(np.linspace(-8.0, 8.0, 81))  # logits; even in asinh, from -1490 to 1490, with an edge at 0
LOSS_BINS = np.concatenate([[0.0], np.geomspace(1e-16, 1e2, 55), [np.inf]])


@dataclass(frozen=True)
class Results:
    """One target model's rows, each table long and tidy, the identity first."""

    membership_inference: pd.DataFrame
    robustness: pd.DataFrame
    roc: pd.DataFrame
    loss_histogram: pd.DataFrame
    verification: pd.DataFrame
    margin_histogram: pd.DataFrame


def evaluate(
    identity: Identity,
    signals: dict[str, SignalLogits],
    own_verifier: str | None = None,
    in_verified_ball: Iterable[str] = (),
) -> Results:
    """Run every strategy whose signal is there.

    Args:
        identity: the target model's columns.
        signals: by name: `benign`, `adversarial`, `verified`, ...
        own_verifier: the bound that the model was trained with, where it was.
        in_verified_ball: the signals whose images all lie in the ball of the verified one.

    Raises:
        SoundnessError: an attack does what the verified bounds rule out.
    """
    verified = signals.get("verified")
    if isinstance(verified, VerifiedBounds):
        require_unbroken("{dataset}/{run}/seed{seed}".format(**identity), verified, signals, in_verified_ball)
        if own_verifier in verified.verifiers:
            signals = signals | {"verified_own": verified.under(str(own_verifier))}
    membership, rocs, histograms = [], [], []
    for name in dict.fromkeys(strategy.signal for strategy in STRATEGIES if strategy.signal in signals):
        signal = signals[name]
        for strategy in (strategy for strategy in STRATEGIES if strategy.signal == name):
            members = strategy.score(signal.members, signal.member_labels)
            nonmembers = strategy.score(signal.nonmembers, signal.nonmember_labels)
            about = {"signal": name, "strategy": strategy.name}
            membership += [about | row for row in _threshold_rows(members, nonmembers)]
            rocs.append(_roc(members, nonmembers).assign(**about))
        membership.append({"signal": name, "strategy": "correctness"} | _correctness_row(signal))
        histograms.append(_loss_histogram(signal).assign(signal=name))
    return Results(
        membership_inference=_identified(identity, pd.DataFrame(membership)),
        robustness=_identified(identity, pd.DataFrame([_robustness_row(signals)])),
        roc=_identified(identity, pd.concat(rocs)),
        loss_histogram=_identified(identity, pd.concat(histograms)),
        verification=_identified(identity, _verification(verified, own_verifier)),
        margin_histogram=_identified(identity, _margin_histogram(verified)),
    )


def _identified(identity: Identity, rows: pd.DataFrame) -> pd.DataFrame:
    first = [*identity, *(column for column in ("signal", "strategy") if column in rows)]
    rows = rows.assign(**identity)
    return rows[[*first, *(column for column in rows if column not in first)]].reset_index(drop=True)


def _threshold_rows(members: np.ndarray, nonmembers: np.ndarray) -> list[dict]:
    roc = ROC.of(members, nonmembers)
    at_any_threshold = {
        "auc": auc(members, nonmembers),
        "tpr_at_1pct_fpr": roc.true_positive_rate_at(0.01, len(nonmembers)),
        "tpr_at_0.1pct_fpr": roc.true_positive_rate_at(0.001, len(nonmembers)),
    }
    floor = uninformative_floor(len(members), len(nonmembers))
    return [
        _row(
            name,
            rule(members, nonmembers),
            len(members),
            len(nonmembers),
            at_any_threshold,
            floor if name == "oracle" else None,
        )
        for name, rule in THRESHOLD_RULES.items()
    ]


def _correctness_row(signal: SignalLogits) -> dict:
    """The baseline that calls a record a member if it is classified correctly: no threshold, so no rates at a low FPR."""
    rates = Operating(
        _accuracy(signal.members, signal.member_labels), _accuracy(signal.nonmembers, signal.nonmember_labels)
    )
    at_any_threshold = {"auc": rates.accuracy, "tpr_at_1pct_fpr": None, "tpr_at_0.1pct_fpr": None}
    return _row("fixed", rates, len(signal.members), len(signal.nonmembers), at_any_threshold, None)


def _row(
    rule: str,
    rates: Operating,
    members: int,
    nonmembers: int,
    at_any_threshold: dict,
    floor: tuple[float, float] | None,
) -> dict:
    low, high = accuracy_interval(rates, members, nonmembers)
    floor_mean, floor_95th = floor or (None, None)
    return {
        "threshold_rule": rule,
        "accuracy": rates.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "floor_accuracy": floor_mean,
        "floor_accuracy_95th": floor_95th,
        "true_positive_rate": rates.true_positive_rate,
        "false_positive_rate": rates.false_positive_rate,
        "advantage": rates.true_positive_rate - rates.false_positive_rate,
        **at_any_threshold,
        "members": members,
        "nonmembers": nonmembers,
    }


def _accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(logits.argmax(axis=1) == labels))


def _robustness_row(signals: dict[str, SignalLogits]) -> dict:
    """Accuracies on members (train) and non-members (test); empty where the signal is not there."""
    row = {}
    for prefix, name in PREFIXES.items():
        signal = signals.get(name)
        row[f"{prefix}train_accuracy"] = signal and _accuracy(signal.members, signal.member_labels)
        row[f"{prefix}test_accuracy"] = signal and _accuracy(signal.nonmembers, signal.nonmember_labels)
    return row


def _roc(members: np.ndarray, nonmembers: np.ndarray) -> pd.DataFrame:
    """TPR, with 95 % Wilson bounds over members, at each FPR of a grid that the number of non-members resolves."""
    roc = ROC.of(members, nonmembers)
    rows = []
    for false_positive_rate in ROC_GRID:
        rate = roc.true_positive_rate_at(float(false_positive_rate), len(nonmembers))
        if rate is not None:
            rows.append([false_positive_rate, rate, *binomial_interval(rate, len(members))])
    columns = ["false_positive_rate", "true_positive_rate", "true_positive_rate_low", "true_positive_rate_high"]
    return pd.DataFrame(rows, columns=columns)


def _loss_histogram(signal: SignalLogits) -> pd.DataFrame:
    """Counts of cross-entropy losses (in nats) in fixed bins, log-spaced, for members and non-members."""
    sides = {
        "member": (signal.members, signal.member_labels),
        "nonmember": (signal.nonmembers, signal.nonmember_labels),
    }
    parts = []
    for side, (logits, labels) in sides.items():
        counts, edges = np.histogram(cross_entropy(log_odds(logits, labels)), LOSS_BINS)
        parts.append(
            pd.DataFrame(
                {"membership": side, "loss_nats_low": edges[:-1], "loss_nats_high": edges[1:], "records": counts}
            )
        )
    return pd.concat(parts)


def _verification(verified: SignalLogits | None, own_verifier: str | None) -> pd.DataFrame:
    """Verified accuracies under each verifier by itself, and under the tightest: the lowest bound of each record and class."""
    columns = ["verifier", "is_own", "verified_train_accuracy", "verified_test_accuracy"]
    if not isinstance(verified, VerifiedBounds):
        return pd.DataFrame(columns=columns)
    bounds = {str(name): verified.under(name) for name in verified.verifiers} | {"tightest": verified}
    rows = [
        [name, name == own_verifier, _accuracy(b.members, b.member_labels), _accuracy(b.nonmembers, b.nonmember_labels)]
        for name, b in bounds.items()
    ]
    return pd.DataFrame(rows, columns=columns)


def _margin_histogram(verified: SignalLogits | None) -> pd.DataFrame:
    """Counts of the highest bound of z_k - z_y, k != y, in fixed bins: a record is verified below 0."""
    columns = ["membership", "margin_logits_low", "margin_logits_high", "records"]
    if verified is None:
        return pd.DataFrame(columns=columns)
    sides = {
        "member": (verified.members, verified.member_labels),
        "nonmember": (verified.nonmembers, verified.nonmember_labels),
    }
    parts = []
    for side, (bounds, labels) in sides.items():
        others = np.arange(bounds.shape[1]) != labels[:, None]
        worst = np.where(others, bounds, -np.inf).max(axis=1)
        counts, edges = np.histogram(worst.clip(MARGIN_BINS[0], MARGIN_BINS[-1]), MARGIN_BINS)
        parts.append(pd.DataFrame(dict(zip(columns, [side, edges[:-1], edges[1:], counts], strict=True))))
    return pd.concat(parts)
