"""Numbers over seeds: intervals that hold when models are trained again, on data whose answers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t, ttest_1samp, ttest_rel

from robustmia.inference.comparison import holm
from robustmia.inference.metrics import auc, auc_interval
from robustmia.inference.over_seeds import (
    COLUMNS,
    OverSeeds,
    accuracy_of,
    auc_of,
    numbers_of,
    over_seeds_table,
    true_positive_rate_of,
)
from robustmia.inference.record_results import RecordResults
from synthetic import RECORDS, gaussians, record_results

RECORDS_EACH = 120
SPLIT = 0.5 / np.sqrt(
    RECORDS_EACH / 4
)  # what a half of so many records does to the mean difference of its sides, at most
EQUAL, UNEQUAL, ONE_WIDE = (1.0, 1.0, 1.0, 1.0), (0.5, 1.0, 1.0, 1.5), (0.7, 0.7, 0.7, 2.0)
SEVEN = (1.0,) * 7


def drawn(random: np.random.Generator, seeds: int, spreads: tuple[float, ...], leak: float = 0.1) -> list[OverSeeds]:
    """Runs of one true accuracy, from decisions about records: difficult and easy ones, halves drawn for each seed and shared by the runs.

    A training makes all decisions of its model better or worse, by a spread of its run's own.
    """
    members, easy = RECORDS_EACH // 2, random.normal(scale=0.15, size=RECORDS_EACH)
    is_member = np.array([random.permutation(RECORDS_EACH) < members for _ in range(seeds)])
    runs = []
    for spread in spreads:
        drawn_again = 0.03 * spread * random.normal(size=(seeds, 1))
        rate = (0.5 + easy + (leak + drawn_again) * np.where(is_member, 0.5, -0.5)).clip(0.0, 1.0)
        decided = (random.random(rate.shape) < rate).astype(float)
        measured = [accuracy_of(*one) for one in zip(decided, is_member, strict=True)]
        runs.append(OverSeeds.of(measured, [np.arange(RECORDS_EACH)] * seeds, RECORDS_EACH))
    return runs


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("spreads", [EQUAL, UNEQUAL, ONE_WIDE, SEVEN])
def test_trainings_of_one_kind_are_rarely_called_different_and_intervals_cover(seeds, spreads):
    """At most 7 % of families claim a difference that is none; every interval covers at least 92 % (Monte Carlo error: 0.9 %)."""
    random, families = np.random.default_rng([seeds, len(spreads)]), 600
    claims, inside, zero = 0, np.zeros(len(spreads)), np.zeros(len(spreads) - 1)
    for _ in range(families):
        runs = drawn(random, seeds, spreads)
        differences = [run - runs[0] for run in runs[1:]]
        claims += bool((holm(np.array([difference.p_value() for difference in differences])) < 0.05).any())
        inside += [low <= 0.55 <= high for low, high in (run.interval(0.0, 1.0) for run in runs)]
        zero += [low <= 0.0 <= high for low, high in (difference.interval(-1.0, 1.0) for difference in differences)]
    assert claims <= 0.07 * families
    assert inside.min() >= 0.92 * families
    assert zero.min() >= 0.92 * families


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_no_interval_is_narrower_than_that_of_the_paired_t_test(seeds):
    random = np.random.default_rng(0)
    for _ in range(50):
        natural, defense = drawn(random, seeds, (1.0, 1.0))
        paired, difference = ttest_rel(defense.values, natural.values), defense - natural
        low, high = difference.interval(-1.0, 1.0)
        theirs = paired.confidence_interval()
        assert low <= max(theirs.low, -1.0) + 1e-12
        assert high >= min(theirs.high, 1.0) - 1e-12
        assert difference.p_value() >= paired.pvalue - 1e-9
        assert (difference.p_value() < 0.05) == (not low <= 0.0 <= high)


def test_where_seeds_share_their_records_the_records_count_too():
    """A data set with a training set of its own: between seeds there is little spread, and all have the same records."""
    random, covered, by_seeds_alone = np.random.default_rng(0), 0, 0
    for _ in range(500):
        records = 200
        common = random.normal(scale=0.01 * np.sqrt(records), size=records)
        influences = (common + random.normal(scale=0.002 * np.sqrt(records), size=(4, records))) / records
        sample = OverSeeds(0.6 + influences.sum(axis=1), influences)
        low, high = sample.interval(0.0, 1.0)
        covered += low <= 0.6 <= high
        alone = ttest_1samp(sample.values, 0.6).confidence_interval()
        by_seeds_alone += alone.low <= 0.6 <= alone.high
    assert covered >= 0.93 * 500
    assert by_seeds_alone < 0.5 * 500


def test_without_anything_in_common_it_is_the_t_interval():
    values = np.array([0.52, 0.55, 0.53, 0.56])
    sample = OverSeeds(values, np.zeros((4, 10)))
    expected = ttest_1samp(values, 0.0)
    interval = expected.confidence_interval()
    assert sample.interval(0.0, 1.0) == pytest.approx((interval.low, interval.high))
    assert sample.p_value() == pytest.approx(expected.pvalue)
    assert sample.interval(0.53, 0.54) == (0.53, 0.54)  # cut


def test_what_shared_records_add_by_hand():
    """Two seeds with influences 0.1 and 0.2 of one record: the product, 0.02, is the variance that they share."""
    sample = OverSeeds(np.array([0.5, 0.6]), np.array([[0.1, 0.0], [0.2, 0.3]]))
    assert sample.records_variance == pytest.approx(0.02)
    half = np.hypot(t.isf(0.025, 1) * np.sqrt(0.005 / 2), norm.isf(0.025) * np.sqrt(0.02))
    assert sample.interval(-10.0, 10.0) == pytest.approx((0.55 - half, 0.55 + half))


def test_equal_values_are_certain_only_if_the_records_are():
    assert OverSeeds(np.zeros(3), np.zeros((3, 2))).p_value() == 1.0
    assert OverSeeds(np.ones(3), np.zeros((3, 2))).p_value() < 1e-9
    shared = OverSeeds(np.ones(3), np.ones((3, 2)))
    assert shared.p_value() == pytest.approx(2 * norm.sf(1 / np.sqrt(2)))


def test_so_many_seeds_do_show_a_difference():
    """Against simulation: the number that is said is the first with a power of 80 %."""
    random = np.random.default_rng(0)
    needed = OverSeeds(np.array([-0.5, 0.5, 1.5, 2.5]), np.zeros((4, 1))).seeds_needed(0.05)
    assert needed is not None
    for seeds, at_least, at_most in ((needed, 0.79, 0.9), (needed - 1, 0.6, 0.81)):
        sampled = random.normal(1.0, np.std([-0.5, 0.5, 1.5, 2.5], ddof=1), size=(20_000, seeds))
        assert at_least <= (ttest_1samp(sampled, 0.0, axis=1).pvalue < 0.05).mean() <= at_most
    assert OverSeeds(np.array([-1.0, 1.0001]), np.zeros((2, 1))).seeds_needed(0.05) is None
    assert OverSeeds(np.array([1.0]), np.zeros((1, 1))).seeds_needed(0.05) is None
    assert OverSeeds(np.array([0.999, 1.001]), np.zeros((2, 1))).seeds_needed(0.05) == 3  # fewer are not tested
    shared = OverSeeds(np.array([0.4, 0.5, 0.6]), np.full((3, 1), 0.5))  # no number of seeds makes records less
    assert shared.seeds_needed(0.05) is None


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_influences_are_the_change_when_a_record_counts_more(shift):
    """Against the numbers themselves, with one record twice: the definition of an influence, to first order."""
    members, nonmembers = gaussians(shift, 120, 100)
    scores, is_member = np.concatenate([members, nonmembers]), np.arange(220) < 120
    decisions = (scores > 0.3).astype(float)
    for measure, values in ((auc_of, scores), (accuracy_of, decisions)):
        found = measure(values, is_member)
        assert found.influence.sum() == pytest.approx(0.0, abs=1e-12)
        for record in (0, 50, 119, 120, 219):
            again = measure(np.append(values, values[record]), np.append(is_member, is_member[record]))
            count = is_member.sum() if is_member[record] else (~is_member).sum()
            assert (again.value - found.value) * (count + 1) / count == pytest.approx(
                found.influence[record], abs=1e-12
            )


def test_the_influences_of_a_true_positive_rate_have_its_variance():
    random, found = np.random.default_rng(0), []
    is_member = np.arange(4000) < 2000
    for _ in range(300):
        scores = np.concatenate([random.normal(1.0, 1.0, 2000), random.normal(0.0, 1.0, 2000)])
        measured = true_positive_rate_of(scores, is_member, 0.05)
        assert measured is not None
        found.append((measured.value, (measured.influence**2).sum()))
    values, variances = np.array(found).T
    assert np.sqrt(variances.mean()) == pytest.approx(values.std(), rel=0.15)
    assert values.mean() == pytest.approx(norm.sf(norm.isf(0.05) - 1.0), abs=0.005)


def table_of(results: list[RecordResults], natural: list[RecordResults]) -> pd.DataFrame:
    """Of a run, and of the natural one if there is any."""
    others = numbers_of(natural, RECORDS) if natural else {}
    return over_seeds_table("pgd", "pgd", results[0], numbers_of(results, RECORDS), others)


def test_the_table_has_every_number_once_and_differences_from_natural():
    leaks = {"s/a/split": 0.7, "s/b/oracle": 0.9, "s/correctness/fixed": 0.6}
    natural = [record_results(seed, leaks, source=1) for seed in range(3)]
    defense = [record_results(seed, leaks, source=2) for seed in range(3)]
    table = table_of(defense, natural)
    assert tuple(table.columns) == COLUMNS
    rows = table.set_index(["strategy", "threshold_rule", "quantity"])
    assert rows.index.is_unique
    assert list(table.quantity) == ["accuracy"] * 3 + ["auc", "tpr_at_1pct_fpr"] * 2 + ["auc"]
    split = rows.loc["a", "split", "accuracy"]
    assert split["mean"] == pytest.approx(0.7, abs=0.02)
    assert split.low < split["mean"] < split.high
    assert split.chance == 0.5
    assert rows.loc["b", "oracle", "accuracy"].chance > 0.51
    assert rows.loc["a", "", "tpr_at_1pct_fpr"].chance == 0.01
    other = table_of(natural, [])
    np.testing.assert_allclose(table.difference, table["mean"] - other["mean"])
    assert other.difference.isna().all()
    assert (table.interval_covers == "records and training").all()


def test_of_one_seed_the_table_has_the_intervals_of_the_model_itself():
    part = record_results(0, {"s/a/split": 0.7, "s/b/oracle": 0.9})
    table = table_of([part], [part])
    rows = table.set_index(["strategy", "threshold_rule", "quantity"])
    assert (table.interval_covers == "records").all()
    scores = part.scores[0]
    sides = scores[part.is_member], scores[~part.is_member]
    assert rows.loc["a", "", "auc"][["mean", "low", "high"]].tolist() == [auc(*sides), *auc_interval(*sides)]
    decided = accuracy_of(part.decisions_of("s/a/split"), part.is_member)
    assert rows.loc["a", "split", "accuracy"][["low", "high"]].tolist() == list(decided.interval or ())
    assert rows.loc["b", "oracle", "accuracy"][["low", "high"]].isna().all()
    assert table.difference.tolist() == [0.0] * len(table)
    assert table[["difference_low", "difference_high"]].isna().all(axis=None)


def test_numbers_that_a_seed_lacks_are_left_out():
    both = record_results(0, {"s/a/split": 0.7, "s/b/split": 0.6})
    one = record_results(1, {"s/a/split": 0.7})
    assert {key[1] for key in numbers_of([both, one], RECORDS)} == {"a"}
    few = record_results(2, {"s/a/split": 0.7}, members=950)  # 50 non-members do not resolve 1 %
    table = table_of([one, few], [])
    assert set(table.quantity) == {"accuracy", "auc"}
