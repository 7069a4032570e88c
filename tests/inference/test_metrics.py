"""Metrics and their confidence intervals: closed forms, and numbers of the papers that they come from."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import binom, norm

from robustmia.inference.metrics import (
    ROC,
    Rates,
    accuracy_interval,
    auc,
    auc_interval,
    exact_interval,
    uninformative_floor,
)
from synthetic import gaussians


def test_the_area_says_nothing_of_a_constant_score_and_everything_of_a_perfect_one():
    assert auc(np.zeros(300), np.zeros(200)) == 0.5
    assert auc(np.ones(3), np.zeros(5)) == 1.0


def test_the_area_of_the_reverse_sign_is_the_complement():
    members, nonmembers = gaussians(0.5, 500, 300)
    assert auc(-members, -nonmembers) == pytest.approx(1 - auc(members, nonmembers))


def test_two_gaussians_give_the_closed_forms():
    members, nonmembers = gaussians(1.0)
    assert auc(members, nonmembers) == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.005)
    roc = ROC.of(members, nonmembers)
    assert roc.true_positive_rate_at(0.01, 20_000) == pytest.approx(norm.sf(norm.isf(0.01) - 1.0), rel=0.1)


def test_duplicated_records_do_not_change_the_area():
    members, nonmembers = gaussians(0.7, 80, 50)
    assert auc(np.repeat(members, 3), np.repeat(nonmembers, 3)) == pytest.approx(auc(members, nonmembers))


def test_a_low_false_positive_rate_gives_the_closed_form_where_records_suffice():
    members, nonmembers = gaussians(2.0, 100_000, 1_000_000)
    rate = ROC.of(members, nonmembers).true_positive_rate_at(0.001, 1_000_000)
    assert rate == pytest.approx(norm.sf(norm.isf(0.001) - 2.0), rel=0.05)


def test_ties_are_taken_together_at_a_low_false_positive_rate():
    """Half of both sides share the top score: no threshold has a false positive rate between 0 and 1/2."""
    roc = ROC.of(np.repeat([1.0, 0.0], 500), np.repeat([1.0, 0.0], 500))
    assert roc.true_positive_rate_at(0.1, 1000) == 0.0
    assert roc.true_positive_rate_at(0.5, 1000) == 0.5


def test_rates_that_the_records_cannot_resolve_are_empty():
    members, nonmembers = gaussians(1.0, 500, 500)
    roc = ROC.of(members, nonmembers)
    assert roc.true_positive_rate_at(0.001, 500) is None
    assert roc.true_positive_rate_at(0.01, 500) is not None


@pytest.mark.parametrize(("members", "nonmembers"), [(1900, 514), (60_000, 10_000), (50_000, 10_000)])
def test_the_floor_follows_smirnovs_limit_for_the_papers_data_sets(members, nonmembers):
    """P(D+ > t / sqrt(n m / (n + m))) tends to exp(-2 t^2): its mean is sqrt(pi / 8), its 95th percentile 1.2239."""
    scale = np.sqrt(1 / members + 1 / nonmembers)
    mean, high = uninformative_floor(members, nonmembers)
    assert 2 * mean - 1 == pytest.approx(np.sqrt(np.pi / 8) * scale, rel=0.04)
    assert 2 * high - 1 == pytest.approx(np.sqrt(np.log(20) / 2) * scale, rel=0.06)


def test_the_floor_is_exact_for_equal_numbers():
    """Reflection: P(D+ >= k / n) = C(2n, n - k) / C(2n, n), hence the mean of D+ is their sum over n."""
    n = 60
    mean = sum(comb(2 * n, n - k) for k in range(1, n + 1)) / comb(2 * n, n) / n
    assert 2 * uninformative_floor(n, n)[0] - 1 == pytest.approx(mean, rel=0.04)


def test_the_interval_covers_the_true_accuracy():
    random = np.random.default_rng(0)
    true = Rates(0.9, 0.6)
    covered = 0
    for _ in range(2000):
        seen = Rates(random.binomial(300, 0.9) / 300, random.binomial(100, 0.6) / 100)
        low, high = accuracy_interval(seen, 300, 100)
        assert low <= seen.accuracy <= high
        covered += low <= true.accuracy <= high
    assert 0.935 <= covered / 2000 <= 0.97


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe (1998), table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 20), 0.6791, 1.0000),
    ],
)
def test_the_interval_is_newcombes(first, second, low, high):
    """For the difference of two rates; accuracy is one half more than half of it."""
    rates = Rates(first[0] / first[1], second[0] / second[1])
    interval = accuracy_interval(rates, first[1], second[1])
    assert [2 * accuracy - 1 for accuracy in interval] == pytest.approx([low, high], abs=6e-5)


@pytest.mark.parametrize(("count", "rate"), [(20, 0.0), (20, 1.0), (37, 5 / 37)])
def test_the_exact_interval_holds_where_each_tail_is_as_large_as_it_may_be(count, rate):
    low, high = exact_interval(rate, count)
    hits = round(rate * count)
    assert low == 0.0 if hits == 0 else binom.sf(hits - 1, count, low) == pytest.approx(0.025, abs=1e-6)
    assert high == 1.0 if hits == count else binom.cdf(hits, count, high) == pytest.approx(0.025, abs=1e-6)


def test_the_interval_of_an_area_covers_it():
    random = np.random.default_rng(0)
    true = norm.cdf(0.8 / np.sqrt(2))
    covered = 0
    for _ in range(300):
        low, high = auc_interval(random.normal(0.8, 1, 80), random.normal(0, 1, 50))
        covered += low <= true <= high
    assert 276 <= covered <= 297
    assert auc_interval(np.ones(5), np.zeros(5)) == (1.0, 1.0)


def test_an_area_counts_ties_half():
    random = np.random.default_rng(1)
    members, nonmembers = random.integers(5, size=60), random.integers(4, size=45)
    pairs = members[:, None] - nonmembers
    assert auc(members, nonmembers) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
