"""A shadow model in the place of the target."""

from __future__ import annotations

import numpy as np
import pytest

from robustmia.inference.attacks.shadow_view import (
    count,
    deviation,
    sensitivity,
    squared_deviation,
    true_class_probability,
)
from synthetic import real_world, world


def test_a_shadow_model_in_the_targets_place_is_attacked_with_the_others():
    view, _ = world(1.0, records=50, models=6)
    stand_in = view.of_shadow(2)
    assert np.array_equal(stand_in.score, view.shadows.scores[2])
    assert np.array_equal(stand_in.population, ~view.shadows.in_mask[2])
    assert not stand_in.trained(True)[2].any()
    assert not stand_in.trained(False)[2].any()
    assert not (stand_in.trained(True) & stand_in.trained(False)).any()


@pytest.mark.parametrize(("models", "part"), [(6, 0.5), (8, 0.5), (8, 0.75), (10, 0.787)])
def test_the_others_are_as_many_of_each_kind_for_its_members_as_for_other_records(models, part):
    """Of each record, of both kinds one fewer than there are; the one that stays out is each of them about equally often."""
    view, _ = real_world(400, models, 0, part)
    in_mask = view.shadows.in_mask
    trained, out = in_mask.sum(axis=0), np.zeros(models)
    for model in range(models):
        stand_in = view.of_shadow(model)
        assert np.array_equal(stand_in.trained(True).sum(axis=0), trained - 1)
        assert np.array_equal(stand_in.trained(False).sum(axis=0), models - trained - 1)
        assert (in_mask[stand_in.left_out[1], np.arange(400)] != in_mask[model]).all()
        out += np.bincount(stand_in.left_out[1], minlength=models)
    assert out.min() > 0.75 * out.mean()
    assert out.max() < 1.25 * out.mean()


@pytest.mark.parametrize("quantity", [count, deviation, squared_deviation, true_class_probability])
def test_sums_are_over_the_models_that_may_be_used(quantity):
    view, _ = world(1.0, records=50, models=8)
    shadows = view.shadows
    values = np.array([quantity(scores, shadows.scores.mean(axis=0)) for scores in shadows.scores])
    for seen in (view, view.of_shadow(3)):
        for members in (True, False):
            expected = np.where(seen.trained(members), values, 0.0).sum(axis=0)
            np.testing.assert_allclose(seen.sum(quantity, members), expected, atol=1e-12)


def test_sensitivity_is_the_confidence_of_models_with_the_record_less_that_of_those_without():
    view, _ = world(1.0, records=40, models=8)
    confidence, in_mask = 1 / (1 + np.exp(-view.shadows.scores)), view.shadows.in_mask
    for record in range(40):
        own = confidence[in_mask[:, record], record].mean() - confidence[~in_mask[:, record], record].mean()
        assert sensitivity(view)[record] == pytest.approx(own)
