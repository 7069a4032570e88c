"""RMIA, on data whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robustmia.inference.attacks import rmia
from robustmia.inference.attacks.rmia import RMIAOffline, rmia_offline, rmia_online, tuned_offset
from robustmia.inference.attacks.shadow_view import ShadowView
from robustmia.inference.settings import AttackSettings
from synthetic import area, stand_ins, world


def slow_rmia(view: ShadowView, expected: np.ndarray, gamma: float) -> np.ndarray:
    p = 1 / (1 + np.exp(-view.score))
    ratio = p / expected
    random, half = np.random.default_rng(0), np.zeros(len(p), int)
    for side in (view.population, ~view.population):
        half[random.permutation(np.flatnonzero(side))[::2]] = 1
    return np.array(
        [
            np.mean([ratio[x] / ratio[z] > gamma for z in range(len(p)) if view.population[z] and half[z] != half[x]])
            for x in range(len(p))
        ]
    )


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_rmia_is_the_share_of_the_population_below_by_more_than_gamma(gamma):
    view, _ = world(1.0, records=60, models=8, spread=1.0)
    p = 1 / (1 + np.exp(-view.shadows.scores))
    members, nonmembers = (
        np.array([p[side[:, r], r].mean() for r in range(60)]) for side in (view.shadows.in_mask, ~view.shadows.in_mask)
    )
    np.testing.assert_array_equal(rmia_online(view, gamma), slow_rmia(view, 0.5 * (members + nonmembers), gamma))
    offline = rmia_offline(view, 0.3, gamma)
    np.testing.assert_array_equal(offline, slow_rmia(view, 0.5 * (1.3 * nonmembers + 0.7), gamma))


def test_rmia_beats_a_threshold_where_difficulty_hides_membership():
    view, is_member = world(1.0, models=32)
    for scores in (rmia_online(view, 2.0), rmia_offline(view, tuned_offset(stand_ins(view), 2.0), 2.0)):
        assert area(scores, is_member) > area(view.score, is_member) + 0.1


def test_the_offset_is_tuned_without_the_targets_labels_and_scores():
    view, is_member = world(1.0, records=500, models=8)
    other = replace(view, score=view.score[::-1].copy(), population=is_member)
    assert tuned_offset(stand_ins(view), 2.0) == tuned_offset(stand_ins(other), 2.0)


def test_rmia_without_non_members_is_an_error():
    view, _ = world(1.0, records=20, models=4)
    with pytest.raises(ValueError):
        rmia_online(replace(view, population=np.zeros(20, bool)), 2.0)


def test_offline_rmia_has_the_offset_that_was_tuned_on_the_view_it_was_prepared_with():
    view, _ = world(1.0, records=300, models=8)
    tuned, attack = tuned_offset(stand_ins(view), 1.5), RMIAOffline(AttackSettings(rmia_gamma=1.5))
    np.testing.assert_array_equal(attack.prepare(stand_ins(view))(view), rmia_offline(view, tuned, 1.5))
    stand_in = view.of_shadow(1)
    np.testing.assert_array_equal(attack.prepare(stand_ins(view))(stand_in), rmia_offline(stand_in, tuned, 1.5))


def test_of_many_records_fewer_models_stand_in_for_the_tuning(monkeypatch):
    view, _ = world(1.0, records=300, models=8)
    tuned_on = []
    monkeypatch.setattr(rmia, "auc", lambda members, nonmembers: tuned_on.append(len(members)) or 0.5)
    monkeypatch.setattr(rmia, "MOST_PAIRS", 700)
    tuned_offset(stand_ins(view), 2.0)
    assert tuned_on == [int(view.shadows.in_mask[model].sum()) for model in range(2)] * len(rmia.OFFSETS)
