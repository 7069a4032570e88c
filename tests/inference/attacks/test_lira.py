"""LiRA, on data whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.stats import norm

from robustmia.inference.attacks.lira import LiRAOffline, lira_offline, lira_online
from robustmia.inference.settings import AttackSettings
from synthetic import area, real_world, with_shadows, world


@pytest.mark.parametrize(
    "attack",
    [
        partial(lira_online, variance="per_record"),
        partial(lira_offline, variance="per_record"),
        partial(lira_online, variance="global"),
    ],
)
def test_lira_nears_the_optimum_where_difficulty_hides_membership(attack):
    """Knowing each record's difficulty, members and non-members are two Gaussians a shift apart: AUC Phi(shift / sqrt 2)."""
    view, is_member = world(1.0, models=128)
    optimum = norm.cdf(1 / np.sqrt(2))
    assert area(attack(view), is_member) == pytest.approx(optimum, abs=0.02)
    assert area(view.score, is_member) < 0.6


def test_lira_is_the_log_likelihood_ratio_of_the_two_gaussians():
    view, _ = world(1.0, records=5, models=6)
    expected = []
    for record in range(5):
        members, nonmembers = (
            view.shadows.scores[side[:, record], record] for side in (view.shadows.in_mask, ~view.shadows.in_mask)
        )
        densities = [norm(part.mean(), part.std(ddof=1)).pdf(view.score[record]) for part in (members, nonmembers)]
        expected.append(np.log(densities[0] / densities[1]))
    np.testing.assert_allclose(lira_online(view, "per_record"), expected)
    one_sided = [
        (view.score[r] - (out := view.shadows.scores[~view.shadows.in_mask[:, r], r]).mean()) / out.std(ddof=1)
        for r in range(5)
    ]
    np.testing.assert_allclose(lira_offline(view, "per_record"), one_sided)


def test_offline_lira_is_one_sided():
    """A two-sided density, a known mistake, would call the least likely members members too."""
    view, is_member = world(1.0, models=128)
    mean = np.where(~view.shadows.in_mask, view.shadows.scores, 0).sum(0) / (~view.shadows.in_mask).sum(0)
    two_sided = np.abs(view.score - mean)
    assert area(two_sided, is_member) < area(lira_offline(view, "per_record"), is_member) - 0.08


def test_a_global_variance_helps_with_few_shadow_models():
    areas = {"per_record": [], "global": []}
    for seed in range(5):
        view, is_member = world(1.0, models=4, seed=seed)
        for variance, found in areas.items():
            found.append(area(lira_online(view, variance), is_member))
    assert np.mean(areas["global"]) > np.mean(areas["per_record"]) + 0.01


def test_a_global_variance_is_that_of_residuals_around_each_records_mean():
    view, _ = world(1.0, records=2000, models=8)
    score = lira_offline(view, variance="global")
    mean = np.where(~view.shadows.in_mask, view.shadows.scores, 0).sum(0) / 4
    deviation = (view.score - mean) / score
    assert np.ptp(deviation) < 1e-9
    assert deviation[0] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("variance", ["global", "per_record"])
@pytest.mark.parametrize("part", [1 / 3, 2 / 3])
def test_two_shadow_models_of_a_kind_are_enough_for_a_stand_in_too(variance, part):
    """One of them stays out then, which has no variance: the other kind's is taken, for the target too."""
    view, _ = real_world(1998, 6, 0, part)
    stand_in = view.of_shadow(1)
    assert min(stand_in.trained(kind).sum(axis=0).max() for kind in (True, False)) == 1
    for seen in (view, stand_in):
        for scores in (lira_online(seen, variance), lira_offline(seen, variance)):
            assert np.isfinite(scores).all()
            assert np.median(np.abs(scores)) < 10.0


def test_a_constant_shadow_score_has_a_floor_under_its_deviation():
    view, _ = world(1.0, records=30, models=8)
    still = view.shadows.scores.copy()
    still[:, 0] = 1.0
    assert np.isfinite(lira_online(with_shadows(view, scores=still), "per_record")).all()


@pytest.mark.parametrize("attack", [lira_online, lira_offline])
def test_models_that_answer_every_record_alike_give_finite_scores(attack):
    view, _ = world(1.0, records=30, models=8)
    constant = with_shadows(view, scores=np.full_like(view.shadows.scores, 10.0))
    for score in (view.score, np.full_like(view.score, 10.0), np.full_like(view.score, -1e6)):
        assert np.isfinite(attack(replace(constant, score=score), "global")).all()


def test_with_the_median_it_stands_in_the_place_of_the_mean():
    view, _ = world(1.0, records=5, models=8)
    expected = []
    for record in range(5):
        out = view.shadows.scores[~view.shadows.in_mask[:, record], record]
        deviation = np.sqrt(((out - np.median(out)) ** 2).sum() / 3)
        expected.append((view.score[record] - np.median(out)) / deviation)
    np.testing.assert_allclose(lira_offline(view, "per_record", "median"), expected)
    attack = LiRAOffline(AttackSettings(lira_variance="per_record", lira_centre="median"))
    np.testing.assert_array_equal(attack.scores(view), lira_offline(view, "per_record", "median"))
