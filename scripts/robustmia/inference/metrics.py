"""Metrics of membership inference, with confidence intervals over records.

Members are the positive class. Accuracy is balanced, (TPR + 1 - FPR) / 2, so unequal numbers do not matter; advantage is
TPR - FPR, that is 2 accuracy - 1 (Yeom et al. 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import expit, logit
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_curve

FLOOR_DRAWS = 1000
FLOOR_CHUNK = 2**22  # elements per block of simulated walks


@dataclass(frozen=True)
class Rates:
    """The true and the false positive rate of one decision rule: members are the positive class."""

    true_positive_rate: float
    false_positive_rate: float

    @property
    def accuracy(self) -> float:
        """Balanced accuracy."""
        return 0.5 * (self.true_positive_rate + 1.0 - self.false_positive_rate)


@dataclass(frozen=True)
class ROC:
    """Every rate that a threshold on the score reaches, ties taken together (Fawcett 2006)."""

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    thresholds: np.ndarray
    """Falling; a record at or above it is classified as a member. The first is infinite: no member."""

    @classmethod
    def of(cls, members: np.ndarray, nonmembers: np.ndarray) -> ROC:
        """From the scores of members [N] and non-members [M]."""
        scores, truth = _pooled(members, nonmembers)
        false_positive, true_positive, thresholds = roc_curve(truth, scores, drop_intermediate=False)
        return cls(false_positive, true_positive, thresholds)

    def true_positive_rate_at(self, false_positive_rate: float, nonmembers: int) -> float | None:
        """The highest TPR at or below an FPR; None where so few non-members cannot resolve it (FPR < 1 / nonmembers)."""
        if false_positive_rate * nonmembers < 1.0:
            return None
        return float(self.true_positive_rate[self.false_positive_rate <= false_positive_rate].max())


def _pooled(members: np.ndarray, nonmembers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([members, nonmembers]), np.repeat([True, False], [len(members), len(nonmembers)])


def auc(members: np.ndarray, nonmembers: np.ndarray) -> float:
    """Probability that a member scores above a non-member, ties counted half."""
    return float(_placements(members, nonmembers)[0].mean())


def auc_interval(members: np.ndarray, nonmembers: np.ndarray) -> tuple[float, float]:
    """95 % confidence interval of the AUC over records (DeLong et al. 1988, equations 4 to 7), on the logit scale so that it stays in [0, 1]."""
    above, below = _placements(members, nonmembers)
    area = float(above.mean())
    variance = sum(float(part.var(ddof=1)) / len(part) if len(part) > 1 else 0.25 for part in (above, below))
    if not 0.0 < area < 1.0 or not variance:
        return area, area
    centre, half = logit(area), norm.isf(0.025) * np.sqrt(variance) / (area * (1.0 - area))
    return float(expit(centre - half)), float(expit(centre + half))


def _placements(members: np.ndarray, nonmembers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each member the part of the non-members below it, for each non-member the part of the members above it; ties half."""
    ordered_members, ordered_nonmembers = np.sort(members), np.sort(nonmembers)
    low, high = (np.searchsorted(ordered_nonmembers, members, side) for side in ("left", "right"))
    below, not_above = (np.searchsorted(ordered_members, nonmembers, side) for side in ("left", "right"))
    return 0.5 * (low + high) / len(nonmembers), 1.0 - 0.5 * (below + not_above) / len(members)


def accuracy_interval(rates: Rates, members: int, nonmembers: int) -> tuple[float, float]:
    """95 % confidence interval of balanced accuracy over records, at a fixed rule.

    Newcombe's hybrid score interval (1998, method 10) for the difference TPR - FPR, from the Wilson intervals of the two
    rates. It does not cover the choice of the threshold: for the oracle rule see `uninformative_floor`.
    """
    true_low, true_high = binomial_interval(rates.true_positive_rate, members)
    false_low, false_high = binomial_interval(rates.false_positive_rate, nonmembers)
    difference = rates.true_positive_rate - rates.false_positive_rate
    below = np.hypot(rates.true_positive_rate - true_low, false_high - rates.false_positive_rate)
    above = np.hypot(true_high - rates.true_positive_rate, rates.false_positive_rate - false_low)
    return float(0.5 + 0.5 * (difference - below)), float(0.5 + 0.5 * (difference + above))


def binomial_interval(rate: float, count: int) -> tuple[float, float]:
    """95 % Wilson score interval of a rate observed in `count` records."""
    interval = binomtest(round(rate * count), count).proportion_ci(method="wilson")
    return min(rate, float(interval.low)), max(rate, float(interval.high))


def exact_interval(rate: float, count: int) -> tuple[float, float]:
    """95 % confidence interval of Clopper and Pearson (1934) of a rate observed in `count` records; its coverage is at least 95 %."""
    interval = binomtest(round(rate * count), count).proportion_ci(method="exact")
    return float(interval.low), float(interval.high)


@cache
def uninformative_floor(members: int, nonmembers: int) -> tuple[float, float]:
    """What the oracle rule reports for uninformative scores: its mean and its 95th percentile.

    With no information the pooled order is a random arrangement of members and non-members, and the rule takes the largest
    TPR - FPR along it (half the one-sided Kolmogorov-Smirnov distance). Simulated with a fixed seed, without ties.
    """
    random = np.random.default_rng(0)
    steps = np.repeat([1.0 / members, -1.0 / nonmembers], [members, nonmembers])
    best: list[np.ndarray] = []
    block = max(1, FLOOR_CHUNK // len(steps))
    for start in range(0, FLOOR_DRAWS, block):
        walks = np.tile(steps, (min(block, FLOOR_DRAWS - start), 1))
        best.append(random.permuted(walks, axis=1, out=walks).cumsum(axis=1).max(axis=1).clip(min=0.0))
    accuracies = 0.5 + 0.5 * np.concatenate(best)
    return float(accuracies.mean()), float(np.quantile(accuracies, 0.95))
