"""The joint attack, on data whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from robustmia.inference.attacks.joint import joint_scores
from robustmia.inference.metrics import auc
from synthetic import area


def test_the_joint_strategy_weighs_signals_by_what_shadow_models_taught():
    """One score says nothing, one all, one the contrary of all."""
    random = np.random.default_rng(0)
    in_mask, is_member = random.random((6, 800)) < 0.5, random.random(800) < 0.5

    def three(members: np.ndarray) -> np.ndarray:
        noise = random.normal(size=(3, *members.shape))
        return noise + np.multiply.outer([0.0, 1.0, -1.0], members)

    scores, shadow_scores = joint_scores(three(is_member), three(in_mask), in_mask)
    assert area(scores, is_member) == pytest.approx(norm.cdf(1.0), abs=0.03)  # two independent shifts of 1
    assert auc(shadow_scores[in_mask], shadow_scores[~in_mask]) == pytest.approx(norm.cdf(1.0), abs=0.03)
