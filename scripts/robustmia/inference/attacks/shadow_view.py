"""What an attacker with shadow models knows of one model.

The shadow models were trained as the target was, each on as many records; scores are log odds of the true class under
any signal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ShadowView:
    """Scores of n records under one model, the target or a shadow model in its place, and under R shadow models."""

    score: np.ndarray
    """float64 [n]: under the model."""
    shadow_scores: np.ndarray
    """float64 [R, n]: under each shadow model."""
    in_mask: np.ndarray
    """bool [R, n]: whether the shadow model was trained on the record."""
    used: np.ndarray
    """bool [R, n]: whether the shadow model may be used for the record; all are for the target."""
    labels: np.ndarray
    """int64 [n]."""
    population: np.ndarray
    """bool [n]: records known to be no members of the model, which RMIA compares others with."""

    def trained(self, on_the_record: bool) -> np.ndarray:
        """The shadow models that were trained on each record, or that were not, bool [R, n]."""
        return (self.in_mask == on_the_record) & self.used

    def of_shadow(self, model: int) -> ShadowView:
        """One shadow model in the place of the target, attacked with the others that `others_of` names."""
        used, population = others_of(self.in_mask, model), ~self.in_mask[model]
        return ShadowView(self.shadow_scores[model], self.shadow_scores, self.in_mask, used, self.labels, population)


def others_of(in_mask: np.ndarray, model: int) -> np.ndarray:
    """Which shadow models attack one that stands in for the target, bool [R, n]: not itself, and for each record not one more.

    Without the model itself, one fewer is trained on each of its members, and one fewer is not on each other record, so that these numbers
    alone would tell members from others. So for each record another model stays out, a random one of the other kind.
    """
    random = np.random.default_rng(model)
    other_kind = in_mask != in_mask[model]
    drawn = np.where(other_kind, random.random(in_mask.shape), -1.0).argmax(axis=0)
    used = np.ones(in_mask.shape, bool)
    used[drawn, np.arange(in_mask.shape[1])] = False
    used[model] = False
    return used
