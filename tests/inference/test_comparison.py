"""What is real and what is luck: tests, intervals and the choice of the strongest attack, on data whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robustmia.inference.comparison import (
    RunDecisions,
    RunSummary,
    bootstrap_interval,
    compare,
    hoeffding,
    holm,
    strongest_attack,
    swap_test,
)
from synthetic import RECORDS, comparison, record_results, run_decisions


def test_accuracies_are_those_of_the_decisions():
    part = record_results(3, {"s/a/split": 0.7, "s/a/oracle": 0.9, "s/b/shadow": 0.6}, members=400)
    found = RunDecisions.of([part], RECORDS)
    assert found.names == ("s/a/split", "s/b/shadow")  # the oracle is not honest
    for position, decided in ((0, part.decisions[0]), (1, part.decisions[2])):
        expected = 0.5 * (decided[part.is_member].mean() + 1 - decided[~part.is_member].mean())
        assert found.accuracies[position, 0] == pytest.approx(expected, abs=1e-7)


def test_the_best_of_many_without_information_is_not_strong():
    """Forty rules that know nothing: the best looks like 52 %, and is worth 50 % where it was not chosen."""
    names = {f"s/{number}/split": 0.5 for number in range(40)}
    best, honest = [], []
    for source in range(12):
        found = run_decisions(names, seeds=1, source=source)
        best.append(found.accuracies.max())
        honest.append(0.5 + (strongest_attack(found).decisions * found.weights).sum())
    assert np.mean(best) > 0.53
    assert np.mean(honest) == pytest.approx(0.5, abs=0.01)


def test_rules_that_find_many_or_few_members_are_chosen_fairly():
    """Halves have unequal numbers of members; a rule that finds many must not look good for that."""
    accuracies = []
    for source in range(20):
        random = np.random.default_rng([source, 3])
        part = record_results(source, {f"s/{number}/split": 0.5 for number in range(40)}, members=700)
        rates = np.linspace(0.02, 0.98, 40)
        part = replace(part, decisions=(random.random((40, RECORDS)) < rates[:, None]).astype(np.float32))
        accuracies.append(RunSummary.of("pgd", RunDecisions.of([part], RECORDS)).accuracies[0])
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.003)


def test_the_strongest_is_found_where_there_is_one():
    found = run_decisions({"s/weak/split": 0.52, "s/strong/shadow": 0.7, "s/none/fixed": 0.5})
    chosen = strongest_attack(found)
    assert chosen.name == "s/strong/shadow"
    assert 0.5 + (chosen.decisions * found.weights).sum(axis=1).mean() == pytest.approx(0.7, abs=0.02)


def test_a_bootstrap_covers_the_sum_it_is_of():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        gains = random.normal(0.3, 1.0, 150) / 150
        low, high = bootstrap_interval(gains)
        covered += low <= 0.3 <= high
    assert 180 <= covered <= 198
    assert bootstrap_interval(np.zeros(5)) == (0.0, 0.0)
    rare = np.repeat([1.0, 0.0], [20, 180]) / 200
    low, high = bootstrap_interval(rare)
    assert (low, high) == pytest.approx((0.06, 0.145), abs=0.012)


def test_swaps_are_fair_where_nothing_differs_and_see_what_does():
    random = np.random.default_rng(0)
    p_values = [swap_test(random.choice([-1.0, 0.0, 1.0], 300) / 300) for _ in range(200)]
    assert 2 <= sum(p < 0.05 for p in p_values) <= 20
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.07)
    assert swap_test(random.normal(0.3, 1.0, 300)) < 0.01
    assert swap_test(np.zeros(10)) == 1.0


def test_a_few_swaps_give_the_exact_permutation_test():
    """Four equal gains: of 16 swaps two are as extreme."""
    assert swap_test(np.full(4, 0.25)) == pytest.approx(2 / 16, abs=0.02)


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])).tolist() == pytest.approx([1.0, 1.0])


def test_a_defense_that_leaks_more_is_significant_and_one_that_does_not_is_not():
    table = comparison(0.55, 0.65, 0.55).set_index("run")
    assert table.accuracy.tolist() == pytest.approx([0.55, 0.65, 0.55], abs=0.02)
    assert table.difference.pgd == pytest.approx(table.accuracy.pgd - table.accuracy.natural)
    assert table.difference_low.pgd < table.difference.pgd < table.difference_high.pgd
    assert table.p_holm.pgd < 0.01
    assert table.seeds_agree.pgd
    assert table.p_holm.ibp > 0.05
    assert table.loc["natural", ["difference", "p_records", "p_holm", "p_seeds", "seeds_agree"]].isna().all()
    assert table.accuracy_sd.notna().all()
    assert (table.strongest == "s/a/split").all()


def test_one_seed_has_no_spread_and_no_natural_run_no_difference():
    table = comparison(0.55, 0.65, 0.55, seeds=1)
    assert table.accuracy_sd.isna().all()
    assert table.p_seeds.isna().all()
    assert table.seeds_agree.isna().all()
    alone = compare({"pgd": RunSummary.of("pgd", run_decisions({"s/a/split": 0.6}))})
    assert alone.difference.isna().all()


def test_intervals_cover_the_accuracy_of_fresh_records():
    covered = 0
    for source in range(60):
        found = compare({"r": RunSummary.of("pgd", run_decisions({"s/a/split": 0.6}, seeds=1, source=source))}).iloc[0]
        covered += found.accuracy_low <= 0.6 <= found.accuracy_high
    assert covered >= 52


def few_records(members: int, nonmembers: int, right: float, source: int) -> RunSummary:
    """One target model and decisions that are right with a probability on each side."""
    random = np.random.default_rng(source)
    is_member = np.arange(members + nonmembers) < members
    decisions = np.where(is_member, random.random(len(is_member)) < right, random.random(len(is_member)) > right)
    weights = np.where(is_member, 0.5 / members, -0.5 / nonmembers)
    return RunSummary("pgd", "s/a/split", decisions[None].astype(float), weights[None])


@pytest.mark.parametrize(("members", "nonmembers"), [(2, 2000), (3, 3), (29, 500), (40, 40), (2000, 2)])
@pytest.mark.parametrize("right", [0.5, 0.9, 1.0])
def test_intervals_are_possible_and_cover_with_few_records_too(members, nonmembers, right):
    covered = 0
    for source in range(30):
        natural = replace(few_records(members, nonmembers, 0.5, source + 1000), method="natural")
        table = compare({"natural": natural, "pgd": few_records(members, nonmembers, right, source)}).set_index("run")
        row = table.loc["pgd"]
        assert 0 <= row.accuracy_low <= row.accuracy + 1e-9 <= row.accuracy_high + 2e-9 <= 1 + 2e-9
        assert -1 <= row.difference_low <= row.difference <= row.difference_high <= 1
        covered += row.accuracy_low <= right <= row.accuracy_high
    assert covered >= 26


def test_hoeffding_by_hand():
    """ln 40 = 3.689; a side of 8 and one without end: sqrt(3.689 / 64)."""
    assert hoeffding(8, 10**12) == pytest.approx(0.24008, abs=1e-4)
