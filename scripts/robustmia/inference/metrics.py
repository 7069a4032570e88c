"""Metrics of membership inference on one model, with 95 % confidence intervals over records: for this model and fresh records.

Members are the positive class. Accuracy is balanced, (TPR + 1 - FPR) / 2, so unequal numbers do not matter; advantage is
TPR - FPR, that is 2 accuracy - 1 (Yeom et al. 2018). Intervals that include the variation between trainings are in `over_seeds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import betaincinv, expit, logit
from scipy.stats import binom, norm

CHANCE_DRAWS = 1000
CHANCE_CHUNK = 2**22  # elements per block of simulated walks


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
class ROCPoint:
    """The true positive rate at one false positive rate, with a threshold that is no more certain than the records allow."""

    threshold: float
    """Records above it are classified as members."""
    true_positive_rate: float
    low: float
    """Of the 95 % confidence interval of the true positive rate where the false positive rate among fresh records is the one asked for."""
    high: float
    slope: float
    """By how much the true positive rate rises with the false positive rate around it."""


@dataclass(frozen=True)
class ROC:
    """Every true positive rate that a threshold on the score reaches, at given false positive rates; ties are taken together."""

    members: np.ndarray
    """Scores, rising."""
    nonmembers: np.ndarray
    """Scores, falling, with minus infinity at the end."""

    @classmethod
    def of(cls, members: np.ndarray, nonmembers: np.ndarray) -> ROC:
        """From the scores of members [N] and non-members [M]."""
        return cls(np.sort(members), np.append(-np.sort(-nonmembers), -np.inf))

    def at(self, false_positive_rate: float) -> ROCPoint | None:
        """The highest TPR at or below an FPR; None where the non-members cannot resolve it (FPR < 1 / M).

        The threshold that has this FPR among fresh records has a binomial number of the M non-members above it, so with 95 %
        confidence it lies between two of their scores. How far the TPR is from those at both, and from its own limits of Clopper
        and Pearson, is combined as squares (MOVER: Zou and Donner 2008).
        """
        count = len(self.nonmembers) - 1
        allowed = int(false_positive_rate * count + 1e-9)
        if not allowed:
            return None
        fewest, most = binom.ppf([0.025, 0.975], count, false_positive_rate).astype(int)
        rate, most_rate = self._rate(allowed), self._rate(most)
        least_rate = self._rate(fewest - 1) if fewest else 0.0
        low, high = exact_interval(rate, len(self.members))
        return ROCPoint(
            float(self.nonmembers[allowed]),
            rate,
            max(0.0, rate - float(np.hypot(rate - low, rate - least_rate))),
            min(1.0, rate + float(np.hypot(high - rate, most_rate - rate))),
            (most_rate - least_rate) * count / (most - max(fewest - 1, 0)),
        )

    def _rate(self, false_positives: int) -> float:
        """The TPR of the lowest threshold with at most so many false positives."""
        return 1.0 - float(np.searchsorted(self.members, self.nonmembers[false_positives], "right")) / len(self.members)


def auc(members: np.ndarray, nonmembers: np.ndarray) -> float:
    """Probability that a member scores above a non-member, ties counted half."""
    return float(placements(members, nonmembers)[0].mean())


def auc_interval(members: np.ndarray, nonmembers: np.ndarray) -> tuple[float, float]:
    """95 % confidence interval of the AUC over records (DeLong et al. 1988, equations 4 to 7), on the logit scale so that it stays in [0, 1]."""
    above, below = placements(members, nonmembers)
    area = float(above.mean())
    variance = sum(float(part.var(ddof=1)) / len(part) if len(part) > 1 else 0.25 for part in (above, below))
    if not 0.0 < area < 1.0:  # DeLong's variance is 0, however few records there are
        return exact_interval(area, min(len(members), len(nonmembers)))
    if not variance:  # of a constant score
        return area, area
    centre, half = logit(area), norm.isf(0.025) * np.sqrt(variance) / (area * (1.0 - area))
    return float(expit(centre - half)), float(expit(centre + half))


def placements(members: np.ndarray, nonmembers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each member the part of the non-members below it, for each non-member the part of the members above it; ties half."""
    ordered_members, ordered_nonmembers = np.sort(members), np.sort(nonmembers)
    low, high = (np.searchsorted(ordered_nonmembers, members, side) for side in ("left", "right"))
    below, not_above = (np.searchsorted(ordered_members, nonmembers, side) for side in ("left", "right"))
    return 0.5 * (low + high) / len(nonmembers), 1.0 - 0.5 * (below + not_above) / len(members)


def accuracy_interval(rates: Rates, members: int, nonmembers: int) -> tuple[float, float]:
    """95 % confidence interval of balanced accuracy over records, under a rule that does not see the record that it decides on.

    From the limits of Clopper and Pearson of both rates, whose distances are combined as squares (MOVER; with Wilson's limits it
    would be Newcombe's interval, 1998, method 10, which covers too rarely with a few records). For the split rule, whose decisions
    are means over thresholds, rates of single decisions have more variance than those means, by about what the choice of the
    thresholds adds. For the oracle rule there is no such interval: see `oracle_chance`.
    """
    true, false = rates.true_positive_rate, rates.false_positive_rate
    true_low, true_high = exact_interval(true, members)
    false_low, false_high = exact_interval(false, nonmembers)
    low = rates.accuracy - 0.5 * float(np.hypot(true - true_low, false_high - false))
    high = rates.accuracy + 0.5 * float(np.hypot(true_high - true, false - false_low))
    return max(0.0, low), min(1.0, high)


def exact_interval(rate: float, count: int) -> tuple[float, float]:
    """95 % confidence interval of Clopper and Pearson (1934) of a rate observed in `count` records; its coverage is at least 95 %."""
    hits = round(rate * count)
    low = betaincinv(hits, count - hits + 1, 0.025) if hits else 0.0
    return float(low), float(betaincinv(hits + 1, count - hits, 0.975)) if hits < count else 1.0


@cache
def oracle_chance(members: int, nonmembers: int) -> tuple[float, float]:
    """What the oracle rule reports for uninformative scores: its mean and its 95th percentile.

    With no information the pooled order is a random arrangement of members and non-members, and the rule takes the largest
    TPR - FPR along it (half the one-sided Kolmogorov-Smirnov distance). Simulated with a fixed seed, without ties.
    """
    random = np.random.default_rng(0)
    steps = np.repeat([1.0 / members, -1.0 / nonmembers], [members, nonmembers])
    best: list[np.ndarray] = []
    block = max(1, CHANCE_CHUNK // len(steps))
    for start in range(0, CHANCE_DRAWS, block):
        walks = np.tile(steps, (min(block, CHANCE_DRAWS - start), 1))
        best.append(random.permuted(walks, axis=1, out=walks).cumsum(axis=1).max(axis=1).clip(min=0.0))
    accuracies = 0.5 + 0.5 * np.concatenate(best)
    return float(accuracies.mean()), float(np.quantile(accuracies, 0.95))
