"""From a score to the probability that a record with such a score is a member."""

from __future__ import annotations

import numpy as np
from sklearn.isotonic import IsotonicRegression


def calibrated_risk(scores: np.ndarray, shadow_scores: np.ndarray, in_mask: np.ndarray) -> np.ndarray:
    """The risk of each record: the probability that a record with its score is a member, [n] in [0, 1].

    Isotonic regression of membership on the scores that shadow models give their own records, with as large a part of members as they have.

    Args:
        scores: [n].
        shadow_scores: [R, n] of shadow models, and their members `in_mask`, bool [R, n].
    """
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(shadow_scores.ravel(), in_mask.ravel())
    return fitted.predict(scores)
