"""Attacks with shadow models, on data whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.stats import norm

from robustmia.data.halves import draw_half
from robustmia.inference.attempts import Attempt, Evaluated, Judged, judge
from robustmia.inference.joint import calibrated, joint_scores
from robustmia.inference.metrics import auc
from robustmia.inference.shadow import (
    SHADOW_STRATEGIES,
    View,
    lira_offline,
    lira_online,
    others_of,
    privacy_risk,
    rmia_offline,
    rmia_online,
    tuned_offset,
)
from robustmia.inference.strong import strong_attempts
from robustmia.inference.targeted import features, from_shadows, held_out
from robustmia.logits import SignalLogits


def world(
    shift: float, records: int = 4000, models: int = 64, seed: int = 0, spread: float = 3.0
) -> tuple[View, np.ndarray]:
    """Scores around a difficulty of each record's own (spread), higher by a shift for members, with noise of deviation 1."""
    random = np.random.default_rng(seed)
    difficulty = spread * random.normal(size=records)
    inside = np.argsort(np.argsort(random.random((models, records)), axis=0), axis=0) < models // 2
    is_member = random.random(records) < 0.5

    def scores(members: np.ndarray) -> np.ndarray:
        return difficulty + shift * members + random.normal(size=members.shape)

    labels = random.integers(4, size=records)
    return View(scores(is_member), scores(inside), inside, labels, ~is_member), is_member


def area(scores: np.ndarray, is_member: np.ndarray) -> float:
    return auc(scores[is_member], scores[~is_member])


# ---------------------------------------------------------------- LiRA


@pytest.mark.parametrize("attack", [lira_online, lira_offline, partial(lira_online, fixed_variance=True)])
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
        inside, outside = (view.reference[side[:, record], record] for side in (view.inside, ~view.inside))
        densities = [norm(part.mean(), part.std(ddof=1)).pdf(view.score[record]) for part in (inside, outside)]
        expected.append(np.log(densities[0] / densities[1]))
    np.testing.assert_allclose(lira_online(view), expected)
    one_sided = [
        (view.score[r] - (out := view.reference[~view.inside[:, r], r]).mean()) / out.std(ddof=1) for r in range(5)
    ]
    np.testing.assert_allclose(lira_offline(view), one_sided)


def test_offline_lira_is_one_sided():
    """A two-sided density, a known mistake, would call the least likely members members too."""
    view, is_member = world(1.0, models=128)
    mean = np.where(~view.inside, view.reference, 0).sum(0) / (~view.inside).sum(0)
    two_sided = np.abs(view.score - mean)
    assert area(two_sided, is_member) < area(lira_offline(view), is_member) - 0.08


def test_a_fixed_variance_helps_with_few_shadow_models():
    areas = {fixed: [] for fixed in (False, True)}
    for seed in range(5):
        view, is_member = world(1.0, models=4, seed=seed)
        for fixed, found in areas.items():
            found.append(area(lira_online(view, fixed_variance=fixed), is_member))
    assert np.mean(areas[True]) > np.mean(areas[False]) + 0.01


def test_a_fixed_variance_is_that_of_residuals_around_each_records_mean():
    view, _ = world(1.0, records=2000, models=8)
    score = lira_offline(view, fixed_variance=True)
    mean = np.where(~view.inside, view.reference, 0).sum(0) / 4
    deviation = (view.score - mean) / score
    assert np.ptp(deviation) < 1e-9
    assert deviation[0] == pytest.approx(1.0, abs=0.03)


def test_lira_needs_two_shadow_models_on_either_side():
    view, _ = world(1.0, records=10, models=2)
    with pytest.raises(ValueError, match="too few shadow models"):
        lira_online(view)
    assert np.isfinite(lira_offline(view, fixed_variance=True)).all()


def test_a_constant_shadow_score_has_a_floor_under_its_deviation():
    view, _ = world(1.0, records=30, models=8)
    still = view.reference.copy()
    still[:, 0] = 1.0
    assert np.isfinite(lira_online(replace(view, reference=still))).all()


# ---------------------------------------------------------------- RMIA


def slow_rmia(view: View, expected: np.ndarray, gamma: float) -> np.ndarray:
    p = 1 / (1 + np.exp(-view.score))
    ratio = p / expected
    half = np.random.default_rng(0).permutation(len(p)) % 2
    return np.array(
        [
            np.mean([ratio[x] / ratio[z] > gamma for z in range(len(p)) if view.outsiders[z] and half[z] != half[x]])
            for x in range(len(p))
        ]
    )


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_rmia_is_the_share_of_the_population_below_by_more_than_gamma(gamma):
    view, _ = world(1.0, records=60, models=8, spread=1.0)
    p = 1 / (1 + np.exp(-view.reference))
    inside, outside = (np.array([p[side[:, r], r].mean() for r in range(60)]) for side in (view.inside, ~view.inside))
    np.testing.assert_array_equal(rmia_online(view, gamma), slow_rmia(view, 0.5 * (inside + outside), gamma))
    offline = rmia_offline(view, 0.3, gamma)
    np.testing.assert_array_equal(offline, slow_rmia(view, 0.5 * (1.3 * outside + 0.7), gamma))


def test_rmia_beats_a_threshold_where_difficulty_hides_membership():
    view, is_member = world(1.0, models=32)
    for scores in (rmia_online(view), rmia_offline(view, tuned_offset(view))):
        assert area(scores, is_member) > area(view.score, is_member) + 0.1


def test_the_offset_is_tuned_without_the_targets_labels_and_scores():
    view, is_member = world(1.0, records=500, models=8)
    other = replace(view, score=view.score[::-1].copy(), outsiders=is_member)
    assert tuned_offset(view) == tuned_offset(other)


def test_rmia_without_non_members_is_an_error():
    view, _ = world(1.0, records=20, models=4)
    with pytest.raises(ValueError, match="non-members in both halves"):
        rmia_online(replace(view, outsiders=np.zeros(20, bool)))


# ---------------------------------------------------------------- what all of them share


@pytest.mark.parametrize("name", [*SHADOW_STRATEGIES, "rmia_offline"])
def test_scores_without_information_say_nothing(name):
    areas = []
    for seed in range(4):
        view, is_member = world(0.0, models=16, seed=seed)
        attack = SHADOW_STRATEGIES.get(name) or partial(rmia_offline, offset=tuned_offset(view))
        areas.append(area(attack(view), is_member))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.012)


@pytest.mark.parametrize("name", [*SHADOW_STRATEGIES, "rmia_offline"])
def test_saturated_and_tied_scores_stay_numbers(name):
    view, _ = world(1.0, records=200, models=8)
    saturated = replace(
        view, score=np.where(view.score > 0, 1e6, -1e6), reference=np.where(view.reference > 0, 1e6, -1e6)
    )
    attack = SHADOW_STRATEGIES.get(name) or partial(rmia_offline, offset=0.5)
    assert np.isfinite(attack(saturated)).all()


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
    mirrored = replace(view, score=view.score * sign, reference=view.reference * sign, labels=labels)
    assert area(privacy_risk(mirrored), is_member) > 0.85


def test_a_shadow_model_in_the_targets_place_is_attacked_with_the_others():
    view, _ = world(1.0, records=50, models=6)
    stand_in = view.of_shadow(2)
    assert np.array_equal(stand_in.score, view.reference[2])
    assert np.array_equal(stand_in.outsiders, ~view.inside[2])
    assert np.array_equal(stand_in.reference, np.delete(view.reference, 2, axis=0))
    assert np.array_equal(stand_in.inside, np.delete(view.inside, 2, axis=0))


def complementary_world(records: int, models: int, seed: int, shift: float = 0.0) -> tuple[View, np.ndarray]:
    """As `world`, with the halves that shadow models really have."""
    view, is_member = world(shift, records=records, models=models, seed=seed)
    labels = np.zeros(records, int)
    inside = np.array([np.isin(np.arange(records), draw_half(labels, model).members) for model in range(models)])
    reference = view.reference + shift * (inside.astype(float) - view.inside)
    return replace(view, reference=reference, inside=inside[::-1]), is_member


@pytest.mark.parametrize("name", SHADOW_STRATEGIES)
@pytest.mark.parametrize("models", [6, 8])
def test_a_shadow_model_in_the_targets_place_does_not_give_its_members_away(name, models):
    """Without a leak: a record inside it must be inside as many of the others as a record outside."""
    areas = []
    for seed in range(3):
        view, _ = complementary_world(3000, models, seed)
        for model in range(models):
            scores = SHADOW_STRATEGIES[name](view.of_shadow(model))
            areas.append(area(scores, view.inside[model]))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.012)


def test_the_others_are_all_but_a_model_and_its_complement():
    view, _ = complementary_world(40, 6, 0)
    others = others_of(view.inside, 1)
    assert others.tolist() == [False, False, True, True, True, True]
    assert (view.inside[others].sum(axis=0) == 2).all()


# ---------------------------------------------------------------- halves


@pytest.mark.parametrize("counts", [(50, 31, 7), (2, 2, 3)])
def test_every_record_is_inside_half_of_the_models_and_classes_are_shared_out(counts):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), counts))
    splits = [draw_half(labels, model) for model in range(8)]
    inside = np.array([np.isin(np.arange(len(labels)), split.members) for split in splits])
    assert (inside.sum(axis=0) == 4).all()
    assert all(abs(2 * len(split.members) - len(labels)) <= 1 for split in splits)
    for split in splits:
        assert np.array_equal(np.sort(np.concatenate([split.members, split.nonmembers])), np.arange(len(labels)))
        assert all(abs(2 * (labels[split.members] == k).sum() - counts[k]) <= 1 for k in range(3))
    assert not np.array_equal(inside[0], inside[2])
    assert np.array_equal(inside[0], ~inside[1])


# ---------------------------------------------------------------- I_T


def targeted_world(seed: int, leak: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits [N, K, K]: members' true class stays ahead by `leak` when they are moved towards the class after their own, and
    falls behind by as much when moved to the one before: on average nothing shows.
    """
    random = np.random.default_rng(seed)
    count, classes = 1200, 4
    labels, is_member = random.integers(classes, size=count), random.random(count) < 0.5
    logits = random.normal(size=(count, classes, classes))
    rows = np.arange(count)
    logits[rows, (labels + 1) % classes, labels] += leak * is_member
    logits[rows, (labels - 1) % classes, labels] -= leak * is_member
    return logits, labels, is_member


def test_i_t_finds_what_no_single_threshold_finds():
    logits, labels, is_member = targeted_world(0, 1.5)
    x = features(logits, labels)
    assert x.shape == (1200, 6)
    probability, called = held_out("logistic", x, is_member, labels)
    assert area(probability, is_member) > 0.8
    assert 0.5 * (called[is_member].mean() + 1 - called[~is_member].mean()) > 0.7
    other, other_labels, inside = targeted_world(1, 1.5)
    from_them = from_shadows("logistic", x, labels, features(other, other_labels), inside, other_labels)
    assert area(from_them, is_member) > 0.8


@pytest.mark.parametrize("classifier", ["logistic", "random_forest", "neural_network"])
def test_i_t_is_honest(classifier):
    logits, labels, is_member = targeted_world(2, 0.0)
    probability, called = held_out(classifier, features(logits, labels)[:300], is_member[:300], labels[:300])
    assert area(probability, is_member[:300]) == pytest.approx(0.5, abs=0.08)
    assert 0.5 * (called[is_member[:300]].mean() + 1 - called[~is_member[:300]].mean()) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("classifier", ["logistic", "random_forest", "neural_network"])
def test_i_t_is_balanced_where_members_are_many_and_classes_small(classifier):
    """As on Yale, 50 members and 14 non-members of a class: nobody is called a member for being the more frequent."""
    logits, labels, is_member = targeted_world(4, 0.0)
    kept = np.concatenate([np.flatnonzero(is_member & (labels == k))[:50] for k in range(4)]).tolist()
    kept += np.concatenate([np.flatnonzero(~is_member & (labels == k))[:14] for k in range(4)]).tolist()
    x = features(logits, labels)[kept]
    _, called = held_out(classifier, x, is_member[kept], labels[kept])
    assert 0.2 < called.mean() < 0.8
    few = np.concatenate(
        [np.flatnonzero((labels == 0) & is_member)[:4], np.flatnonzero((labels == 0) & ~is_member)[:4]]
    )
    assert np.isfinite(held_out(classifier, features(logits, labels)[few], is_member[few], labels[few])[0]).all()


def test_i_t_looks_at_true_and_target_class_of_each_targeted_input():
    logits = np.zeros((1, 3, 3))
    logits[0, 0] = [5, 1, 0]  # towards class 0
    logits[0, 1] = [9, 9, 9]  # the clean input, left out
    logits[0, 2] = [0, 2, 7]  # towards class 2
    odds = [1 - np.log(np.exp(5) + 1), 2 - np.log(1 + np.exp(7)), 5 - np.log(np.exp(1) + 1), 7 - np.log(1 + np.exp(2))]
    np.testing.assert_allclose(features(logits, np.array([1]))[0], odds)


def test_a_class_too_small_for_a_classifier_of_its_own_is_judged_with_the_others():
    logits, labels, is_member = targeted_world(3, 1.5)
    labels = np.where(np.arange(1200) < 3, 3, labels % 3)
    probability, _ = held_out("logistic", features(logits, labels), is_member, labels)
    assert ((probability > 0) & (probability < 1)).all()


# ---------------------------------------------------------------- joint, risk, and all attempts


def test_the_joint_strategy_weighs_signals_by_what_shadow_models_taught():
    """One score says nothing, one all, one the contrary of all."""
    random = np.random.default_rng(0)
    inside, is_member = random.random((6, 800)) < 0.5, random.random(800) < 0.5

    def three(members: np.ndarray) -> np.ndarray:
        noise = random.normal(size=(3, *members.shape))
        return noise + np.multiply.outer([0.0, 1.0, -1.0], members)

    scores, shadows = joint_scores(three(is_member), three(inside), inside)
    assert area(scores, is_member) == pytest.approx(norm.cdf(1.0), abs=0.03)  # two independent shifts of 1
    assert auc(shadows[inside], shadows[~inside]) == pytest.approx(norm.cdf(1.0), abs=0.03)


def test_a_risk_is_the_part_of_members_among_records_of_such_a_score():
    random = np.random.default_rng(0)
    inside = random.random((8, 4000)) < 0.5
    shadows = random.normal(size=inside.shape) + 1.5 * inside
    is_member = random.random(4000) < 0.5
    scores = random.normal(size=4000) + 1.5 * is_member
    risk = calibrated(scores, shadows, inside)
    for low, high in ((0.0, 0.2), (0.4, 0.6), (0.8, 1.0)):
        chosen = (risk >= low) & (risk <= high)
        assert is_member[chosen].mean() == pytest.approx(risk[chosen].mean(), abs=0.05)


def test_all_attempts_use_their_own_signal_and_find_what_is_there():
    """Each signal leaks more than the last; strategies find it under thresholds of shadow models alone."""
    random = np.random.default_rng(0)
    records, models, classes = 600, 8, 3
    labels = random.integers(classes, size=records)
    inside = np.array([np.isin(np.arange(records), draw_half(labels, model).members) for model in range(models)])
    is_member = np.arange(records) < 300
    rows = np.arange(records)

    def logits(members: np.ndarray, leak: float) -> np.ndarray:
        z = random.normal(size=(*members.shape, classes))
        z[..., rows, labels] += 1 + leak * members
        return z.astype(np.float32)

    leaks = {"benign": 0.0, "adversarial": 1.0, "verified": 2.5}
    towards = np.arange(classes)
    signals = {
        name: SignalLogits((z := logits(is_member, leak))[:300], z[300:], labels[:300], labels[300:])
        for name, leak in leaks.items()
    }
    shadows = {name: logits(inside, leak) for name, leak in leaks.items()}

    def targeted(members: np.ndarray) -> np.ndarray:
        return np.stack([logits(members, 2.0) for _ in towards], axis=-2)

    moved = targeted(is_member)
    signals["targeted"] = SignalLogits(moved[:300], moved[300:], labels[:300], labels[300:])
    shadows["targeted"] = targeted(inside)
    records_ = Evaluated.of(signals["benign"], inside)
    judgements = judge(strong_attempts(signals, shadows, inside, "logistic"), records_)
    accuracy = {(j.attempt.signal, j.attempt.strategy, j.rule): j.calls.accuracy for j in judgements}
    for strategy in ("modified_entropy", "lira_online_fixed", "rmia_online", "rmia_offline", "privacy_risk"):
        found = [accuracy[name, strategy, "shadow"] for name in leaks]
        assert found[0] == pytest.approx(0.5, abs=0.06), strategy
        assert found[2] > found[1] > 0.55, strategy
    assert accuracy["all", "joint", "shadow"] > accuracy["verified", "I_V", "shadow"] - 0.02
    assert accuracy["targeted", "I_T", "split"] > 0.75
    assert accuracy["targeted", "I_T_shadow", "shadow"] > 0.75
    assert accuracy["targeted", "I_T_shadow", "shadow_by_class"] > 0.75
    judged = Judged.of(np.arange(records), judgements, records_)
    with_risk = np.isfinite(judged.risks).all(axis=1)
    assert set(judged.attempts[~with_risk]) == {*(f"{name}/correctness" for name in leaks), "targeted/I_T"}
    with pytest.raises(ValueError, match="at least 6 are needed"):
        strong_attempts(signals, shadows, inside[:4], "logistic")


def test_the_shadow_rule_takes_its_threshold_from_shadow_models():
    records = Evaluated(np.array([True, True, False, False]), np.zeros(4, int), np.array([[True, False, True, False]]))
    attempt = Attempt("s", "t", np.array([3.0, 1.0, 2.0, 0.0]), np.array([[5.0, 2.5, 5.0, 2.0]]))
    calls = dict(attempt.calls(records))["shadow"]
    assert calls.members.tolist() == [0.0, 0.0]
    assert calls.nonmembers.tolist() == [0.0, 0.0]
    lower = replace(attempt, shadows=np.array([[2.5, 0.5, 2.5, 0.0]]))
    calls = dict(lower.calls(records))["shadow"]
    assert (calls.members.tolist(), calls.nonmembers.tolist()) == ([1.0, 0.0], [0.0, 0.0])
