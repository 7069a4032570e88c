"""Attacks with shadow models, which were trained as the target was, each on a half of all records.

Arrays are of one target: n records, and R shadow models (`reference`) of which each has some of the records as members
(`inside`). Scores are log odds of the true class under any signal. Every function returns scores [n], higher for a more
likely member.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import norm

from robustmia.inference.metrics import auc
from robustmia.inference.scores import probability

FLOOR = 0.05  # least standard deviation, as a part of that of all records together
RMIA_GAMMA = 2.0  # of Zarifzadeh et al. 2024
RMIA_GRID = np.linspace(0.0, 1.0, 11)
BINS = 20


@dataclass(frozen=True)
class View:
    """What an attacker with shadow models knows of one model, the target or a shadow model that stands in for it."""

    score: np.ndarray
    """float64 [n]: log odds under the model."""
    reference: np.ndarray
    """float64 [R, n]: under each shadow model."""
    inside: np.ndarray
    """bool [R, n]: whether the record is among that shadow model's members."""
    labels: np.ndarray
    """int64 [n]."""
    outsiders: np.ndarray
    """bool [n]: non-members of the model, of whom RMIA takes those of the other half of the records as its population."""

    def of_shadow(self, model: int) -> View:
        """One shadow model in the place of the target, attacked with the others.

        Its complement, which has all records that it has not, stays out too: else a record inside it would be inside fewer
        of the others than a record outside, and the numbers alone would tell them apart.
        """
        inside, others = self.inside[model], others_of(self.inside, model)
        return View(self.reference[model], self.reference[others], self.inside[others], self.labels, ~inside)


def others_of(inside: np.ndarray, model: int) -> np.ndarray:
    """Which shadow models attack one that stands in for the target, bool [R]: all but itself and its complement."""
    others = ~(inside == ~inside[model]).all(axis=1)
    others[model] = False
    return others


ShadowStrategy = Callable[[View], np.ndarray]


# ---------------------------------------------------------------- LiRA


def _moments(view: View, inside: bool, fixed_variance: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the shadow models that have, or have not, each record; floored."""
    seen = view.inside if inside else ~view.inside
    count = seen.sum(axis=0)
    if (count < (1 if fixed_variance else 2)).any():
        raise ValueError("a record is inside, or outside, too few shadow models")
    mean = np.where(seen, view.reference, 0.0).sum(axis=0) / count
    squares = np.where(seen, (view.reference - mean) ** 2, 0.0).sum(axis=0)
    freedom = np.maximum(count - 1, 0)
    together = np.sqrt(squares.sum() / max(freedom.sum(), 1))
    floor = max(FLOOR * together, np.finfo(np.float64).tiny)
    if fixed_variance:
        return mean, np.full(len(mean), max(together, floor))
    return mean, np.sqrt(squares / freedom).clip(min=floor)


def lira_online(view: View, fixed_variance: bool = False) -> np.ndarray:
    """log N(phi; mu_in, sd_in) - log N(phi; mu_out, sd_out) (Carlini et al. 2022, algorithm 1).

    Args:
        fixed_variance: one standard deviation for all records, of residuals around each record's mean: for few shadow models.

    Raises:
        ValueError: a record is inside or outside fewer than 2 shadow models (1 with a fixed variance).
    """
    inside, outside = (norm(*_moments(view, side, fixed_variance)).logpdf(view.score) for side in (True, False))
    return inside - outside


def lira_offline(view: View, fixed_variance: bool = False) -> np.ndarray:
    """(phi - mu_out) / sd_out, one-sided (Carlini et al. 2022, section 6.1). Arguments and errors as for `lira_online`."""
    mean, deviation = _moments(view, False, fixed_variance)
    return (view.score - mean) / deviation


# ---------------------------------------------------------------- RMIA


def rmia_online(view: View, gamma: float = RMIA_GAMMA) -> np.ndarray:
    """The part of a population z with (p(x | theta) / p(x)) / (p(z | theta) / p(z)) > gamma (Zarifzadeh et al. 2024, equation 2).

    p(x) is the mean of the probabilities over shadow models with x and without it, both alike in weight. The population of
    a record are the non-members in the other of two random halves of all records, so nobody is in its own.
    """
    inside, outside = (_mean_probability(view, side) for side in (True, False))
    return _share_below(view, 0.5 * (inside + outside), gamma)


def rmia_offline(view: View, offset: float, gamma: float = RMIA_GAMMA) -> np.ndarray:
    """RMIA with shadow models without the record alone: p(x) = ((1 + a) p_out(x) + 1 - a) / 2 (their appendix B.2.2).

    Args:
        offset: a, in [0, 1], from `tuned_offset`.
    """
    outside = _mean_probability(view, False)
    return _share_below(view, 0.5 * ((1.0 + offset) * outside + 1.0 - offset), gamma)


def tuned_offset(view: View) -> float:
    """The a in 0, 0.1, ..., 1 with the highest mean AUC where shadow models stand in for the target, whose labels are not used."""

    def quality(offset: float) -> float:
        areas = []
        for model in range(len(view.reference)):
            scores = rmia_offline(view.of_shadow(model), offset)
            areas.append(auc(scores[view.inside[model]], scores[~view.inside[model]]))
        return float(np.mean(areas))

    return float(max(RMIA_GRID, key=quality))


def _mean_probability(view: View, inside: bool) -> np.ndarray:
    seen = view.inside if inside else ~view.inside
    return np.where(seen, probability(view.reference), 0.0).sum(axis=0) / seen.sum(axis=0)


def _share_below(view: View, expected: np.ndarray, gamma: float) -> np.ndarray:
    """The part of each record's population whose ratio is below the record's by more than gamma, by one sort for each half."""
    ratio = probability(view.score) / expected.clip(min=np.finfo(np.float64).tiny)
    half = np.random.default_rng(0).permutation(len(ratio)) % 2
    share = np.zeros(len(ratio))
    for own, other in ((0, 1), (1, 0)):
        population = np.sort(ratio[(half == other) & view.outsiders])
        if not len(population):
            raise ValueError("RMIA needs non-members in both halves of the records")
        share[half == own] = np.searchsorted(population, ratio[half == own] / gamma, "left") / len(population)
    return share


# ---------------------------------------------------------------- privacy risk score


def privacy_risk(view: View) -> np.ndarray:
    """P(s | in, y) / (P(s | in, y) + P(s | out, y)) from histograms of shadow models' scores (Song and Mittal 2021, equation 9).

    20 bins for each class, with as many shadow scores each, and one count added to each bin.
    """
    risk = np.empty(len(view.score))
    for label in np.unique(view.labels):
        theirs = view.labels == label
        scores, inside = view.reference[:, theirs].ravel(), view.inside[:, theirs].ravel()
        edges = np.unique(np.quantile(scores, np.linspace(0.0, 1.0, BINS + 1)))[1:-1]
        chances = []
        for side in (inside, ~inside):
            counts = np.bincount(np.searchsorted(edges, scores[side], "right"), minlength=len(edges) + 1) + 1.0
            chances.append(counts / counts.sum())
        where = np.searchsorted(edges, view.score[theirs], "right")
        risk[theirs] = chances[0][where] / (chances[0][where] + chances[1][where])
    return risk


SHADOW_STRATEGIES: dict[str, ShadowStrategy] = {
    "lira_online": lira_online,
    "lira_online_fixed": partial(lira_online, fixed_variance=True),
    "lira_offline": lira_offline,
    "lira_offline_fixed": partial(lira_offline, fixed_variance=True),
    "rmia_online": rmia_online,
    "privacy_risk": privacy_risk,
}
"""Each is run on every signal; `rmia_offline`, whose offset is tuned first, beside them."""
