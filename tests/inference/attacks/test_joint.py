"""The joint attack, on data whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from robustmia.inference.attacks import joint
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


def test_of_many_pairs_some_are_fitted_on_and_all_are_scored(monkeypatch):
    """A sixth of the pairs gives nearly the scores of all of them."""
    random = np.random.default_rng(0)
    in_mask = random.random((6, 800)) < 0.5
    scores = random.normal(size=(1, 800)) + (random.random(800) < 0.5)
    shadow_scores = random.normal(size=(1, 6, 800)) + in_mask
    whole, some = [], []
    for most, found in ((4800, whole), (800, some)):
        monkeypatch.setattr(joint, "MOST_PAIRS", most)
        found += joint.joint_scores(scores, shadow_scores, in_mask)
    for one, other in zip(whole, some, strict=True):
        assert one.shape == other.shape
        assert not np.array_equal(one, other)
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98
