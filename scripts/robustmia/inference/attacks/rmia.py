"""RMIA: the robust membership inference attack (Zarifzadeh et al. 2024, arXiv 2312.03262)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from robustmia.inference.attacks.base import ShadowAttack
from robustmia.inference.attacks.shadow_view import ShadowView, mean_probability
from robustmia.inference.metrics import auc
from robustmia.inference.scores import probability
from robustmia.inference.settings import MOST_PAIRS

OFFSETS = np.linspace(0.0, 1.0, 11)


class RMIAOnline(ShadowAttack):
    """The part of a population z with (p(x | theta) / p(x)) / (p(z | theta) / p(z)) > gamma (equation 2)."""

    name = "rmia_online"

    def scores(self, view: ShadowView) -> np.ndarray:
        """The part of the population that each record dominates, [n] in [0, 1]."""
        return rmia_online(view, self.settings.rmia_gamma)


class RMIAOffline(ShadowAttack):
    """RMIA with the shadow models alone that were not trained on the record (appendix B.2.2)."""

    name = "rmia_offline"

    def prepare(self, stand_ins: Sequence[ShadowView]) -> Callable[[ShadowView], np.ndarray]:
        """With the offset that does best on the shadow models."""
        gamma = self.settings.rmia_gamma
        return partial(rmia_offline, offset=tuned_offset(stand_ins, gamma), gamma=gamma)


def rmia_online(view: ShadowView, gamma: float) -> np.ndarray:
    """The part of a population z with (p(x | theta) / p(x)) / (p(z | theta) / p(z)) > gamma (Zarifzadeh et al. 2024, equation 2).

    p(x) is the mean of the probabilities over shadow models trained with x and without it, both alike in weight. The
    population of a record are the non-members in the other of two random halves of all records, so nobody is in its own.
    """
    members, nonmembers = (mean_probability(view, side) for side in (True, False))
    return _dominated_share(view, 0.5 * (members + nonmembers), gamma)


def rmia_offline(view: ShadowView, offset: float, gamma: float) -> np.ndarray:
    """RMIA with shadow models without the record alone: p(x) = ((1 + a) p_out(x) + 1 - a) / 2 (their appendix B.2.2).

    Args:
        offset: a, in [0, 1], from `tuned_offset`.
    """
    nonmembers = mean_probability(view, False)
    return _dominated_share(view, 0.5 * ((1.0 + offset) * nonmembers + 1.0 - offset), gamma)


def tuned_offset(stand_ins: Sequence[ShadowView], gamma: float) -> float:
    """The a in 0, 0.1, ..., 1 with the highest mean AUC where shadow models stand in for the target, whose labels are not used.

    Of many records, fewer models stand in.
    """
    enough = max(1, MOST_PAIRS // len(stand_ins[0].score))

    def mean_auc(offset: float) -> float:
        areas = []
        for view in stand_ins[:enough]:
            scores = rmia_offline(view, offset, gamma)
            areas.append(auc(scores[~view.population], scores[view.population]))
        return float(np.mean(areas))

    return float(max(OFFSETS, key=mean_auc))


def _dominated_share(view: ShadowView, expected: np.ndarray, gamma: float) -> np.ndarray:
    """The part of each record's population whose ratio is below the record's by more than gamma, by one sort for each half."""
    ratio = probability(view.score) / expected.clip(min=np.finfo(np.float64).tiny)
    random, half = np.random.default_rng(0), np.zeros(len(ratio), int)
    for side in (view.population, ~view.population):
        half[random.permutation(np.flatnonzero(side))[::2]] = 1
    share = np.zeros(len(ratio))
    for own, other in ((0, 1), (1, 0)):
        population = np.sort(ratio[(half == other) & view.population])
        if not len(population):
            raise ValueError("RMIA needs non-members in both halves of the records")
        share[half == own] = np.searchsorted(population, ratio[half == own] / gamma, "left") / len(population)
    return share
