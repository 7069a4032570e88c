"""A privacy risk score after Song and Mittal (2021, arXiv 2003.10595)."""

from __future__ import annotations

import numpy as np

from robustmia.inference.attacks.base import ShadowAttack
from robustmia.inference.attacks.shadow_view import ShadowView

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
    risk = np.empty(len(view.score))
    for label in np.unique(view.labels):
        theirs = view.labels == label
        used = view.used[:, theirs]
        scores, is_member = view.shadow_scores[:, theirs][used], view.in_mask[:, theirs][used]
        edges = np.unique(np.quantile(scores, np.linspace(0.0, 1.0, BINS + 1)))[1:-1]
        likelihoods = []
        for side in (is_member, ~is_member):
            counts = np.bincount(np.searchsorted(edges, scores[side], "right"), minlength=len(edges) + 1) + 1.0
            likelihoods.append(counts / counts.sum())
        where = np.searchsorted(edges, view.score[theirs], "right")
        risk[theirs] = likelihoods[0][where] / (likelihoods[0][where] + likelihoods[1][where])
    return risk
