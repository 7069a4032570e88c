"""What an attacker with shadow models knows of one model.

The shadow models were trained as the target was, each on a half of all records; scores are log odds of the true class under
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
    labels: np.ndarray
    """int64 [n]."""
    population: np.ndarray
    """bool [n]: records known to be no members of the model, which RMIA compares others with."""

    def of_shadow(self, model: int) -> ShadowView:
        """One shadow model in the place of the target, attacked with the others.

        Its complement, which was trained on all records that it was not, stays out too: else fewer of the others would have
        been trained on its members than on its non-members, and the numbers alone would tell them apart.
        """
        members, others = self.in_mask[model], others_of(self.in_mask, model)
        return ShadowView(
            self.shadow_scores[model], self.shadow_scores[others], self.in_mask[others], self.labels, ~members
        )


def others_of(in_mask: np.ndarray, model: int) -> np.ndarray:
    """Which shadow models attack one that stands in for the target, bool [R]: all but itself and its complement."""
    others = ~(in_mask == ~in_mask[model]).all(axis=1)
    others[model] = False
    return others
