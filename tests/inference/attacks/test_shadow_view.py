"""A shadow model in the place of the target."""

from __future__ import annotations

import numpy as np

from robustmia.inference.attacks.shadow_view import others_of
from synthetic import complementary_world, world


def test_a_shadow_model_in_the_targets_place_is_attacked_with_the_others():
    view, _ = world(1.0, records=50, models=6)
    stand_in = view.of_shadow(2)
    assert np.array_equal(stand_in.score, view.shadow_scores[2])
    assert np.array_equal(stand_in.population, ~view.in_mask[2])
    assert np.array_equal(stand_in.shadow_scores, np.delete(view.shadow_scores, 2, axis=0))
    assert np.array_equal(stand_in.in_mask, np.delete(view.in_mask, 2, axis=0))


def test_the_others_are_all_but_a_model_and_its_complement():
    view, _ = complementary_world(40, 6, 0)
    others = others_of(view.in_mask, 1)
    assert others.tolist() == [False, False, True, True, True, True]
    assert (view.in_mask[others].sum(axis=0) == 2).all()
