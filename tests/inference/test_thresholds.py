"""Threshold rules: what is known of them exactly, and the authors' own numbers from their own files."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_curve

from helpers import shared
from robustmia.inference.attack_scores import AttackScores, EvaluationSet, threshold_all
from robustmia.inference.decisions import Decisions, Scores
from robustmia.inference.metrics import oracle_chance
from robustmia.inference.thresholds import RULES, SHADOW_RULES, best_threshold, oracle, split
from synthetic import gaussians, of_one_class


def slow_oracle(members: np.ndarray, nonmembers: np.ndarray) -> float:
    thresholds = np.concatenate([members, nonmembers])
    return max(0.5, *(0.5 * ((members >= t).mean() + 1 - (nonmembers >= t).mean()) for t in thresholds))


def test_a_constant_score_says_nothing():
    members, nonmembers = np.zeros(300), np.zeros(200)
    assert oracle(of_one_class(members, nonmembers)).rates.accuracy == 0.5
    assert split(of_one_class(members, nonmembers)).rates.accuracy == 0.5


def test_a_perfect_score_says_everything():
    assert oracle(of_one_class(np.ones(3), np.zeros(5))).rates.accuracy == 1.0
    assert split(of_one_class(np.ones(30), np.zeros(50))).rates.accuracy == 1.0


def test_the_reverse_sign_finds_nothing():
    members, nonmembers = gaussians(0.5, 500, 300)
    assert oracle(of_one_class(-members, -nonmembers)).rates.accuracy < 0.52


def test_two_gaussians_give_the_closed_forms():
    members, nonmembers = gaussians(1.0)
    assert oracle(of_one_class(members, nonmembers)).rates.accuracy == pytest.approx(norm.cdf(0.5), abs=0.006)
    assert split(of_one_class(members, nonmembers)).rates.accuracy == pytest.approx(norm.cdf(0.5), abs=0.005)


@pytest.mark.parametrize("distinct", [2, 5, 1000])
def test_the_oracle_equals_trying_every_threshold(distinct):
    random = np.random.default_rng(distinct)
    members, nonmembers = random.integers(distinct, size=60) + 1.0, random.integers(distinct, size=25) + 0.0
    assert oracle(of_one_class(members, nonmembers)).rates.accuracy == pytest.approx(
        slow_oracle(members, nonmembers), abs=1e-15
    )


def test_duplicated_records_change_no_rate():
    members, nonmembers = gaussians(0.7, 80, 50)
    assert oracle(of_one_class(np.repeat(members, 3), np.repeat(nonmembers, 3))).rates.accuracy == pytest.approx(
        oracle(of_one_class(members, nonmembers)).rates.accuracy, abs=1e-15
    )


def test_one_record_on_each_side():
    assert oracle(of_one_class(np.array([1.0]), np.array([0.0]))).rates.accuracy == 1.0
    with pytest.raises(ValueError):
        split(of_one_class(np.array([1.0]), np.array([0.0])))


def test_the_split_rule_is_honest_and_the_oracle_is_not():
    """Scores without information, many times over: split averages to one half, oracle to its chance."""
    random = np.random.default_rng(3)
    draws = [(random.normal(size=190), random.normal(size=52)) for _ in range(200)]
    honest = np.mean([split(of_one_class(*draw)).rates.accuracy for draw in draws])
    greedy = np.mean([oracle(of_one_class(*draw)).rates.accuracy for draw in draws])
    assert honest == pytest.approx(0.5, abs=0.005)
    assert greedy == pytest.approx(oracle_chance(190, 52)[0], abs=0.006)
    assert greedy > 0.53


def test_the_split_rule_decides_on_every_record_equally_often():
    """One threshold is the best for every half, so the mean over both directions is the rate of all records."""
    members, nonmembers = np.repeat([1.0, 0.0], [60, 40]), np.repeat([1.0, 0.0], [20, 80])
    rates = split(of_one_class(members, nonmembers)).rates
    assert rates.true_positive_rate == pytest.approx(0.6, abs=1e-12)
    assert rates.false_positive_rate == pytest.approx(0.2, abs=1e-12)


def test_the_split_rule_averages_over_many_halvings():
    """A halving puts 1 against 0 and 3 against 2, which gives rates of 1/2, or 3 against 0 and 1 against 2: rates of 0."""
    rates = split(of_one_class(np.array([3.0, 1.0]), np.array([2.0, 0.0]))).rates
    assert rates.true_positive_rate == rates.false_positive_rate
    assert 0.1 < rates.true_positive_rate < 0.4


@pytest.mark.parametrize("distinct", [1, 2, 7, 100_000])
def test_the_best_threshold_is_the_one_of_the_curve(distinct):
    random = np.random.default_rng(distinct)
    for _ in range(30):
        members, nonmembers = random.integers(distinct, size=40) * 1.0, random.integers(distinct, size=23) * 1.0
        truth, scores = np.repeat([1, 0], [len(members), len(nonmembers)]), np.concatenate([members, nonmembers])
        false_positive, true_positive, thresholds = roc_curve(truth, scores, drop_intermediate=False)
        assert best_threshold(members, nonmembers) == thresholds[int(np.argmax(true_positive - false_positive))]


def by_two_classes(count: int = 400) -> Scores:
    """Members of class 0 score 1 above non-members around 0; of class 1 as much above, around 10."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    noise = [0.1 * random.normal(size=count) for _ in range(2)]
    return Scores(10.0 * labels + 1 + noise[0], 10.0 * labels + noise[1], labels, labels)


def test_thresholds_of_each_class_find_what_one_for_all_cannot():
    given = by_two_classes()
    for one, each in (
        (RULES["split"], RULES["split_by_class"]),
        (SHADOW_RULES["shadow"], SHADOW_RULES["shadow_by_class"]),
    ):
        assert one(given, given).rates.accuracy == pytest.approx(0.75, abs=0.02)
        assert each(given, given).rates.accuracy == pytest.approx(1.0, abs=0.01)


def test_thresholds_of_each_class_are_honest():
    random = np.random.default_rng(0)
    labels = np.arange(300) % 10
    accuracies = [
        RULES["split_by_class"](
            Scores(random.normal(size=300), random.normal(size=300), labels, labels), None
        ).rates.accuracy
        for _ in range(20)
    ]
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.01)


def test_a_small_class_takes_the_threshold_of_all():
    given = by_two_classes(30)
    labels = np.where(np.arange(30) < 7, 2, 0)
    few = Scores(given.members, given.nonmembers, labels, labels)
    decisions, of_all = RULES["split_by_class"](few, None), RULES["split"](few, None)
    assert np.array_equal(decisions.members[:7], of_all.members[:7])
    assert not np.array_equal(decisions.members[7:], of_all.members[7:])


def test_the_shadow_rule_takes_its_threshold_from_shadow_models():
    records = EvaluationSet(
        np.array([True, True, False, False]), np.zeros(4, int), np.array([[True, False, True, False]])
    )

    def under_the_shadow_rule(shadow_scores: list[float]) -> Decisions:
        attack = AttackScores("s", "t", np.array([3.0, 1.0, 2.0, 0.0]), records, np.array([shadow_scores]))
        return next(one.decisions for one in threshold_all([attack]) if one.rule == "shadow")

    high = under_the_shadow_rule([5.0, 2.5, 5.0, 2.0])
    assert (high.members.tolist(), high.nonmembers.tolist()) == ([0.0, 0.0], [0.0, 0.0])
    low = under_the_shadow_rule([2.5, 0.5, 2.5, 0.0])
    assert (low.members.tolist(), low.nonmembers.tolist()) == ([1.0, 0.0], [0.0, 0.0])


# ---------------------------------------------------------------- the paper's own files


@pytest.mark.parametrize("method", ["natural", "pgd"])
@pytest.mark.parametrize("inputs", ["benign", "adversarial"])
def test_the_oracle_rule_gives_the_published_accuracies(method, inputs):
    with np.load(shared("reference", "song2019", f"yale_{method}.npz")) as arrays:
        sides = [(arrays[f"output_{side}_{inputs}"], arrays[f"{side}_label"]) for side in ("train", "test")]
    members, nonmembers = (probabilities[np.arange(len(labels)), labels] for probabilities, labels in sides)
    with shared("reference", "published_results.csv").open() as file:
        published = next(
            row
            for row in csv.DictReader(file)
            if (row["dataset"], row["method"], row["inputs"]) == ("yale", method, inputs)
        )
    assert oracle(of_one_class(members, nonmembers)).rates.accuracy == pytest.approx(
        float(published["inference_accuracy"]), abs=1e-12
    )
    for (probabilities, labels), side in zip(sides, ("train", "test"), strict=True):
        accuracy = (probabilities.argmax(1) == labels).mean()
        assert accuracy == pytest.approx(float(published[f"{side}_accuracy"]), abs=1e-12)
