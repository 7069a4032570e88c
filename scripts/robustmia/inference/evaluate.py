"""What one target model reveals: rows for the long tables, from its signals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from robustmia.inference.attempts import Attempt, Evaluated, Judged, Judgement, correctness, judge, plain_attempts
from robustmia.inference.calls import Scores
from robustmia.inference.metrics import (
    ROC,
    accuracy_interval,
    auc,
    auc_interval,
    exact_interval,
    uninformative_floor,
)
from robustmia.inference.scores import cross_entropy, log_odds
from robustmia.inference.soundness import require_unbroken
from robustmia.inference.strategies import STRATEGIES
from robustmia.logits import SignalLogits, VerifiedBounds

Identity = dict[str, Any]
"""`dataset`, `run`, `method` and `seed`: the columns that say which target model a row is about."""

LOW_RATES = {"tpr_at_1pct_fpr": 0.01, "tpr_at_0.1pct_fpr": 0.001}
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
    rows: np.ndarray,
    own_verifier: str | None = None,
    in_verified_ball: Iterable[str] = (),
) -> tuple[Results, Judged]:
    """Run every strategy whose signal is there, and the baseline that calls a record a member if it is classified correctly.

    Args:
        identity: the target model's columns.
        signals: by name: `benign`, `adversarial`, `verified`, ...
        rows: of the data set, of members and then of non-members.
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
    attempts = plain_attempts(STRATEGIES, signals)
    records = Evaluated.of(next(iter(signals.values())))
    seen = {attempt.signal: signals[attempt.signal] for attempt in attempts}
    baselines = [correctness(name, signal) for name, signal in seen.items()]
    judgements = judge([*attempts, *baselines], records)
    rocs = [_roc(records.sides(a.scores)).assign(signal=a.signal, strategy=a.strategy) for a in attempts]
    histograms = [_loss_histogram(signal).assign(signal=name) for name, signal in seen.items()]
    results = Results(
        membership_inference=membership_table(identity, judgements, records),
        robustness=robustness_table(identity, signals),
        roc=_identified(identity, pd.concat(rocs)),
        loss_histogram=_identified(identity, pd.concat(histograms)),
        verification=_identified(identity, _verification(verified, own_verifier)),
        margin_histogram=_identified(identity, _margin_histogram(verified)),
    )
    return results, Judged.of(rows, judgements, records)


def membership_table(identity: Identity, judgements: list[Judgement], records: Evaluated) -> pd.DataFrame:
    """A row for each judgement: `membership_inference.csv` of one target model."""
    whatever_rule = {judgement.attempt.name: _areas_and_rates(judgement.attempt, records) for judgement in judgements}
    rows = [
        {"signal": judgement.attempt.signal, "strategy": judgement.attempt.strategy}
        | _at_its_threshold(judgement)
        | whatever_rule[judgement.attempt.name]
        for judgement in judgements
    ]
    return _identified(identity, pd.DataFrame(rows))


def _identified(identity: Identity, rows: pd.DataFrame) -> pd.DataFrame:
    first = [*identity, *(column for column in ("signal", "strategy") if column in rows)]
    rows = rows.assign(**identity)
    return rows[[*first, *(column for column in rows if column not in first)]].reset_index(drop=True)


def _at_its_threshold(judgement: Judgement) -> dict:
    rates, members, nonmembers = judgement.calls.rates, len(judgement.calls.members), len(judgement.calls.nonmembers)
    low, high = accuracy_interval(rates, members, nonmembers)
    floor = uninformative_floor(members, nonmembers) if judgement.rule == "oracle" else (None, None)
    return {
        "threshold_rule": judgement.rule,
        "accuracy": rates.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "floor_accuracy": floor[0],
        "floor_accuracy_95th": floor[1],
        "true_positive_rate": rates.true_positive_rate,
        "false_positive_rate": rates.false_positive_rate,
        "advantage": rates.true_positive_rate - rates.false_positive_rate,
    }


def _areas_and_rates(attempt: Attempt, records: Evaluated) -> dict:
    """What does not depend on a threshold. The rates are empty where scores are only right or wrong, which have no curve."""
    scores = records.sides(attempt.scores)
    members, nonmembers = len(scores.members), len(scores.nonmembers)
    low, high = auc_interval(scores.members, scores.nonmembers)
    row: dict = {"auc": auc(scores.members, scores.nonmembers), "auc_low": low, "auc_high": high}
    roc = ROC.of(scores.members, scores.nonmembers)
    for name, false_positive_rate in LOW_RATES.items():
        curved = attempt.strategy != "correctness"
        rate = roc.true_positive_rate_at(false_positive_rate, nonmembers) if curved else None
        rate_low, rate_high = (None, None) if rate is None else exact_interval(rate, members)
        row |= {name: rate, f"{name}_low": rate_low, f"{name}_high": rate_high}
    return row | {"unresolved": _unresolved(nonmembers), "members": members, "nonmembers": nonmembers}


def _unresolved(nonmembers: int) -> str | None:
    """Why rates at low false positive rates are empty."""
    lacking = [f"{100 * rate:g} %" for rate in LOW_RATES.values() if rate * nonmembers < 1.0]
    return f"{nonmembers} non-members do not resolve {' and '.join(lacking)}" if lacking else None


def _accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(logits.argmax(axis=1) == labels))


def robustness_table(identity: Identity, signals: dict[str, SignalLogits]) -> pd.DataFrame:
    """Accuracies on members (train) and non-members (test), one row; empty where the signal is not there."""
    row: dict = {}
    for prefix, name in PREFIXES.items():
        signal = signals.get(name)
        row[f"{prefix}train_accuracy"] = signal and _accuracy(signal.members, signal.member_labels)
        row[f"{prefix}test_accuracy"] = signal and _accuracy(signal.nonmembers, signal.nonmember_labels)
    return _identified(identity, pd.DataFrame([row]))


def _roc(scores: Scores) -> pd.DataFrame:
    """TPR, with 95 % Clopper-Pearson bounds over members, at each FPR of a grid that the number of non-members resolves."""
    roc = ROC.of(scores.members, scores.nonmembers)
    rows = []
    for false_positive_rate in ROC_GRID:
        rate = roc.true_positive_rate_at(float(false_positive_rate), len(scores.nonmembers))
        if rate is not None:
            rows.append([false_positive_rate, rate, *exact_interval(rate, len(scores.members))])
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
