"""A shadow model in the place of the target."""

from __future__ import annotations

import numpy as np
import pytest

from robustmia.inference.attacks.shadow_view import others_of
from synthetic import real_world, world


def test_a_shadow_model_in_the_targets_place_is_attacked_with_the_others():
    view, _ = world(1.0, records=50, models=6)
    stand_in = view.of_shadow(2)
    assert np.array_equal(stand_in.score, view.shadow_scores[2])
    assert np.array_equal(stand_in.population, ~view.in_mask[2])
    assert np.array_equal(stand_in.used, others_of(view.in_mask, 2))
    assert not stand_in.trained(True)[2].any()
    assert not (stand_in.trained(True) & stand_in.trained(False)).any()
    assert np.array_equal(stand_in.trained(True) | stand_in.trained(False), stand_in.used)


@pytest.mark.parametrize(("models", "part"), [(6, 0.5), (8, 0.5), (8, 0.75), (10, 0.787)])
def test_the_others_are_as_many_of_each_kind_for_its_members_as_for_other_records(models, part):
    """Of each record, of both kinds one fewer than there are."""
    view, _ = real_world(400, models, 0, part)
    trained = view.in_mask.sum(axis=0)
    for model in range(models):
        used = others_of(view.in_mask, model)
        assert np.array_equal((view.in_mask & used).sum(axis=0), trained - 1)
        assert np.array_equal((~view.in_mask & used).sum(axis=0), models - trained - 1)
