"""The privacy risk score, on data whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robustmia.inference.attacks.privacy_risk import privacy_risk
from synthetic import area, with_shadows, world


def test_the_privacy_risk_is_the_chance_of_membership():
    """Members two apart from non-members, both of deviation 1, without difficulty: P(in | s) = 1 / (1 + exp(2 - 2 s))."""
    view, is_member = world(2.0, records=8000, models=32, spread=0.0)
    risk = privacy_risk(view)
    exact = 1 / (1 + np.exp(2 - 2 * view.score))
    assert np.abs(risk - exact).mean() < 0.05
    assert is_member[risk > 0.9].mean() == pytest.approx(risk[risk > 0.9].mean(), abs=0.05)


def test_each_class_has_a_risk_of_its_own():
    """Class 0 has members above, class 1 below: one histogram for both would see nothing."""
    view, is_member = world(2.0, records=6000, models=16, spread=0.0)
    labels = (np.arange(6000) % 2).astype(int)
    sign = np.where(labels == 1, -1.0, 1.0)
    mirrored = replace(with_shadows(view, scores=view.shadows.scores * sign, labels=labels), score=view.score * sign)
    assert area(privacy_risk(mirrored), is_member) > 0.85
