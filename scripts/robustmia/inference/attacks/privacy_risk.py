"""A privacy risk score after Song and Mittal (2021, arXiv 2003.10595)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from robustmia.inference.attacks.base import ShadowAttack
from robustmia.inference.attacks.shadow_view import Shadows, ShadowView

BINS = 20


class PrivacyRisk(ShadowAttack):
    """P(s | in, y) / (P(s | in, y) + P(s | out, y)), from shadow models' scores (equation 9)."""

    name = "privacy_risk"

    def scores(self, view: ShadowView) -> np.ndarray:
        """The privacy risk score of each record, [n] in [0, 1]."""
        return privacy_risk(view)


def privacy_risk(view: ShadowView) -> np.ndarray:
    """P(s | in, y) / (P(s | in, y) + P(s | out, y)) from histograms of shadow models' scores, after Song and Mittal (2021, equation 9).

    The ratio is theirs. The bins are not: 20 of the log odds for each class, with as many shadow scores each, and one count added to each,
    where their code has 5 of equal width in the logarithm of the modified entropy, not smoothed, and takes the next bin for an empty one.
    """
    shadows, risk = view.shadows, np.empty(len(view.score))
    for theirs, edges, total in _of_all(shadows):
        counts = 1.0 + total
        for model in view.left_out:
            models = model[theirs]
            counts -= _histograms(shadows.scores[models, theirs], shadows.in_mask[models, theirs], edges)
        nonmembers, members = counts / counts.sum(axis=1, keepdims=True)
        where = np.searchsorted(edges, view.score[theirs], "right")
        risk[theirs] = members[where] / (members[where] + nonmembers[where])
    return risk


@lru_cache(maxsize=1)
def _of_all(shadows: Shadows) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each class its records, the edges between its bins, and the counts of all shadow models' scores, [2, bins]."""
    found = []
    for label in np.unique(shadows.labels):
        theirs = np.flatnonzero(shadows.labels == label)
        scores = shadows.scores[:, theirs]
        edges = np.unique(np.quantile(scores, np.linspace(0.0, 1.0, BINS + 1)))[1:-1]
        found.append((theirs, edges, _histograms(scores, shadows.in_mask[:, theirs], edges)))
    return found


def _histograms(scores: np.ndarray, is_member: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts of non-members and of members between the edges, [2, bins]."""
    bins = len(edges) + 1
    return np.bincount(
        (np.searchsorted(edges, scores, "right") + bins * is_member).ravel(), minlength=2 * bins
    ).reshape(2, bins)
