"""What an attacker with shadow models knows of one model.

The shadow models were trained as the target was, each on as many records; scores are log odds of the true class under
any signal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robustmia.inference.scores import probability

Quantity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From scores, and a centre for each record, to numbers that are summed over shadow models."""


def count(scores: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """1."""
    return np.ones_like(scores)


def deviation(scores: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The distance from the centre."""
    return scores - centre


def squared_deviation(scores: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Its square."""
    return (scores - centre) ** 2


def true_class_probability(scores: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The probability of the true class."""
    return probability(scores)


class Shadows:
    """The shadow models of one target under one signal.

    Args:
        scores: float64 [R, n], under each shadow model.
        in_mask: bool [R, n], whether it was trained on the record.
        labels: int64 [n].
    """

    def __init__(self, scores: np.ndarray, in_mask: np.ndarray, labels: np.ndarray):
        self.scores, self.in_mask, self.labels = scores, in_mask, labels
        self._totals: dict[Quantity, np.ndarray] = {}

    @cached_property
    def centre(self) -> np.ndarray:
        """The mean score of each record under all shadow models, [n]: sums are taken around it, so that nothing is lost to rounding."""
        return self.scores.mean(axis=0)

    def total(self, quantity: Quantity, members: bool) -> np.ndarray:
        """The sum of a quantity over the shadow models that were trained on each record, or were not, [n]."""
        if quantity not in self._totals:
            totals = np.zeros((2, self.scores.shape[1]))
            for scores, is_member in zip(self.scores, self.in_mask, strict=True):
                values = quantity(scores, self.centre)
                totals += np.where(is_member, values, 0.0), np.where(is_member, 0.0, values)
            self._totals[quantity] = totals
        return self._totals[quantity][0 if members else 1]

    @cached_property
    def _by_kind(self) -> np.ndarray:
        """The numbers of the shadow models for each record, those that were not trained on it first, [R, n]."""
        return self.in_mask.argsort(axis=0, kind="stable").astype(np.int32)

    def of_the_other_kind(self, model: int) -> np.ndarray:
        """For each record a random shadow model that was trained on it if `model` was not, and the other way round, [n]."""
        drawn = np.random.default_rng(model).random(self.in_mask.shape[1])
        outside, inside = (self.total(count, members).astype(int) for members in (False, True))
        rank = np.where(self.in_mask[model], drawn * outside, outside + drawn * inside).astype(int)
        return np.take_along_axis(self._by_kind, rank[None], axis=0)[0]


@dataclass(frozen=True)
class ShadowView:
    """Scores of n records under one model, the target or a shadow model in its place, and under the shadow models that attack it."""

    score: np.ndarray
    """float64 [n]: under the model."""
    shadows: Shadows
    population: np.ndarray
    """bool [n]: records known to be no members of the model, which RMIA compares others with."""
    left_out: tuple[np.ndarray, ...] = ()
    """Numbers of shadow models that may not be used for each record, [n] each; there are none for the target."""

    def sum(self, quantity: Quantity, members: bool) -> np.ndarray:
        """The sum of a quantity over the shadow models that were trained on each record, or were not, and may be used, [n]."""
        total, records = self.shadows.total(quantity, members), np.arange(len(self.score))
        for model in self.left_out:
            values = quantity(self.shadows.scores[model, records], self.shadows.centre)
            total = total - np.where(self.shadows.in_mask[model, records] == members, values, 0.0)
        return total

    def trained(self, on_the_record: bool) -> np.ndarray:
        """The shadow models that were trained on each record, or that were not, and may be used, bool [R, n]."""
        return (self.shadows.in_mask == on_the_record) & used(self.shadows.in_mask.shape, self.left_out)

    def of_shadow(self, model: int) -> ShadowView:
        """One shadow model in the place of the target, attacked with others.

        Without the model itself, one fewer is trained on each of its members, and one fewer is not on each other record, so that these numbers
        alone would tell members from others. So for each record another model stays out, a random one of the other kind.
        """
        shadows, itself = self.shadows, np.full(len(self.score), model)
        left_out = (itself, shadows.of_the_other_kind(model))
        return ShadowView(shadows.scores[model], shadows, ~shadows.in_mask[model], left_out)


def mean_probability(view: ShadowView, members: bool) -> np.ndarray:
    """The mean probability of each record's class over the shadow models that were trained on it, or were not, [n]."""
    return view.sum(true_class_probability, members) / view.sum(count, members)


def sensitivity(view: ShadowView) -> np.ndarray:
    """How much surer of each record the shadow models are that were trained on it than those that were not, [n] in [-1, 1].

    The sensitivity of Song et al. (2019, section 4.2) with shadow models in place of models that are trained again, and their records drawn
    anew for each; for the label in place of its probability it is the memorization of Feldman and Zhang (2020, equation 1).
    """
    return mean_probability(view, True) - mean_probability(view, False)


def used(shape: tuple[int, ...], left_out: tuple[np.ndarray, ...]) -> np.ndarray:
    """Which of [R, n] are not left out, bool."""
    kept = np.ones(shape, bool)
    for model in left_out:
        kept[model, np.arange(shape[1])] = False
    return kept
