"""ROC curves and histograms of one target model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from robustmia.files.signals import SignalLogits
from robustmia.inference.attack_scores import AttackScores
from robustmia.inference.scores import cross_entropy

ROC_GRID = np.geomspace(1e-5, 1.0, 251)
LOSS_BINS = np.concatenate([[0.0], np.geomspace(1e-16, 1e2, 55), [np.inf]])
MARGIN_BINS = np.sinh(np.linspace(-8.0, 8.0, 81))  # logits; even in asinh, from -1490 to 1490, with an edge at 0


def roc_table(result: AttackScores) -> pd.DataFrame:
    """TPR, with its 95 % confidence interval over records, at each FPR of a grid that the number of non-members resolves."""
    points = ((rate, result.roc.at(float(rate))) for rate in ROC_GRID)
    rows = [[rate, point.true_positive_rate, point.low, point.high] for rate, point in points if point is not None]
    columns = ["false_positive_rate", "true_positive_rate", "true_positive_rate_low", "true_positive_rate_high"]
    return pd.DataFrame(rows, columns=columns)


def loss_histogram(result: AttackScores) -> pd.DataFrame:
    """Counts of cross-entropy losses (in nats) in fixed bins, log-spaced, for members and non-members; the scores are log odds."""
    parts, is_member = [], result.records.is_member
    for side, scores in (("member", result.scores[is_member]), ("nonmember", result.scores[~is_member])):
        counts, edges = np.histogram(cross_entropy(scores), LOSS_BINS)
        columns = {"membership": side, "loss_nats_low": edges[:-1], "loss_nats_high": edges[1:], "records": counts}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts)


def margin_histogram(verified: SignalLogits | None) -> pd.DataFrame:
    """Counts of the highest bound of z_k - z_y, k != y, in fixed bins: a record is verified below 0."""
    columns = ["membership", "margin_logits_low", "margin_logits_high", "records"]
    if verified is None:
        return pd.DataFrame(columns=columns)
    parts = []
    for side, bounds, labels in _sides(verified):
        others = np.arange(bounds.shape[1]) != labels[:, None]
        worst = np.where(others, bounds, -np.inf).max(axis=1)
        counts, edges = np.histogram(worst.clip(MARGIN_BINS[0], MARGIN_BINS[-1]), MARGIN_BINS)
        parts.append(pd.DataFrame(dict(zip(columns, [side, edges[:-1], edges[1:], counts], strict=True))))
    return pd.concat(parts)


def _sides(signal: SignalLogits) -> list[tuple[str, np.ndarray, np.ndarray]]:
    return [
        ("member", signal.members, signal.member_labels),
        ("nonmember", signal.nonmembers, signal.nonmember_labels),
    ]
