"""From a score to the probability of membership."""

from __future__ import annotations

import numpy as np
import pytest

from robustmia.inference.risk import calibrated_risk


def test_a_risk_is_the_part_of_members_among_records_of_such_a_score():
    random = np.random.default_rng(0)
    in_mask = random.random((8, 4000)) < 0.5
    shadow_scores = random.normal(size=in_mask.shape) + 1.5 * in_mask
    is_member = random.random(4000) < 0.5
    scores = random.normal(size=4000) + 1.5 * is_member
    risk = calibrated_risk(scores, shadow_scores, in_mask)
    for low, high in ((0.0, 0.2), (0.4, 0.6), (0.8, 1.0)):
        chosen = (risk >= low) & (risk <= high)
        assert is_member[chosen].mean() == pytest.approx(risk[chosen].mean(), abs=0.05)
