"""Tests, intervals and the choice of the strongest attack, on data whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from robustmia.inference.attack_scores import AttackScores, EvaluationSet, threshold_all
from robustmia.inference.comparison import RunSummary, compare, holm
from robustmia.inference.metrics import Rates, accuracy_interval
from robustmia.inference.over_seeds import OverSeeds, accuracy_of
from robustmia.inference.record_results import RecordResults
from robustmia.inference.strongest import strongest_attack
from synthetic import RECORDS, comparison, record_results, run_summary


def accuracy(results: RecordResults) -> float:
    """Of the strongest attack on one model."""
    return accuracy_of(strongest_attack(results).decisions, results.is_member).value


def test_the_training_accuracy_is_that_of_clean_members():
    names = {"benign/correctness/fixed": 0.5, "s/a/split": 0.5}
    part = record_results(0, names)
    part.decisions[0] = np.where(part.is_member, np.arange(RECORDS) < 400, True)  # 400 of 500 members
    assert RunSummary.of("pgd", [part, part], RECORDS).train_accuracy == pytest.approx(0.8)
    assert np.isnan(run_summary("pgd", {"s/a/split": 0.5}).train_accuracy)


def test_the_best_of_many_without_information_is_not_strong():
    """Forty rules that know nothing: the best looks like 53 %, and is worth 50 % where it was not chosen."""
    names = {f"s/{number}/split": 0.5 for number in range(40)}
    best, honest = [], []
    for source in range(12):
        part = record_results(0, names, source=source)
        best.append(max(accuracy_of(decided, part.is_member).value for decided in part.decisions))
        honest.append(accuracy(part))
    assert np.mean(best) > 0.53
    assert np.mean(honest) == pytest.approx(0.5, abs=0.01)


def attacked(members: np.ndarray, nonmembers: np.ndarray) -> RecordResults:
    """Several attacks' scores, [S, m] and [S, n], of records of two classes, under every rule."""
    scores = np.concatenate([members, nonmembers], axis=1)
    is_member = np.arange(scores.shape[1]) < members.shape[1]
    records = EvaluationSet(is_member, np.arange(scores.shape[1]) % 2)
    attacks = [AttackScores("s", str(number), own, records) for number, own in enumerate(scores)]
    return RecordResults.of(np.arange(len(is_member)), threshold_all(attacks), records)


def test_thresholds_of_attacks_without_information_do_not_make_the_best_of_them_strong():
    """Of twenty attacks, 50 members and 50 non-members. With thresholds that saw the records that the choice is measured on, it is 51.6 %."""
    random = np.random.default_rng(0)
    found = [accuracy(attacked(*random.normal(size=(2, 20, 50)))) for _ in range(120)]
    assert np.mean(found) == pytest.approx(0.5, abs=3 * np.std(found) / 120**0.5)
    assert np.std(found) < 0.04


def test_the_strongest_of_scores_is_found():
    random = np.random.default_rng(1)
    members, nonmembers = random.normal(size=(2, 5, 400))
    members[3] += 1.5
    found = strongest_attack(attacked(members, nonmembers))
    assert {name.rpartition("/")[0] for name in found.chosen} == {"s/3"}
    assert accuracy(attacked(members, nonmembers)) == pytest.approx(0.773, abs=0.02)  # of deviations 0.75 either side


@pytest.mark.parametrize("counts", [(2, 2), (3, 2), (2, 50)])
def test_a_handful_of_records_has_a_strongest_attack(counts):
    random = np.random.default_rng(2)
    with np.errstate(all="raise"):
        assert 0 <= accuracy(attacked(*(random.normal(size=(4, count)) for count in counts))) <= 1


def test_rules_that_find_many_or_few_members_are_chosen_fairly():
    """A rule that finds many must not look good for that, whatever the numbers of members and of others."""
    accuracies = []
    for source in range(20):
        random = np.random.default_rng([source, 3])
        part = record_results(source, {f"s/{number}/split": 0.5 for number in range(40)}, members=700)
        rates = np.linspace(0.02, 0.98, 40)
        part = replace(part, decisions=(random.random((40, RECORDS)) < rates[:, None]).astype(np.float32))
        accuracies.append(accuracy(part))
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.003)


def test_the_strongest_is_found_where_there_is_one_and_only_honest_rules_are_tried():
    part = record_results(
        0, {"s/weak/split": 0.52, "s/strong/shadow": 0.7, "s/none/fixed": 0.5, "s/strong/oracle": 0.9}
    )
    assert strongest_attack(part).chosen.most_common(1) == [("s/strong/shadow", 40)]
    assert accuracy(part) == pytest.approx(0.7, abs=0.04)
    strong = part.decisions[1].astype(float)
    np.testing.assert_allclose(strongest_attack(part).decisions, strong)


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])).tolist() == pytest.approx([1.0, 1.0])


def test_a_defense_that_leaks_more_is_found_and_one_that_does_not_is_not():
    table = comparison(0.55, 0.65, 0.55, seeds=5).set_index("run")
    assert table.accuracy.tolist() == pytest.approx([0.55, 0.65, 0.55], abs=0.02)
    assert table.difference.pgd == pytest.approx(table.accuracy.pgd - table.accuracy.natural)
    assert table.difference_low.pgd < table.difference.pgd < table.difference_high.pgd
    assert table.p_holm.pgd < 0.05 < table.p_holm.ibp
    assert np.isnan(table.seeds_needed.pgd)
    assert table.seeds_needed.ibp > 5
    assert table.loc["natural", ["difference", "difference_low", "p", "p_holm", "seeds_needed"]].isna().all()
    assert table.accuracy_sd.notna().all()
    assert (table.strongest == "s/a/split").all()
    assert (table.interval_covers == "records and training").all()


def test_p_values_are_those_of_the_paired_t_test_of_scipy():
    found = {run: run_summary(run, {"s/a/split": leak}, 5, n) for n, (run, leak) in enumerate(LEAKS)}
    table = compare(found).set_index("run")
    for run in ("pgd", "ibp"):
        difference = found[run].accuracy - found["natural"].accuracy
        without_records = OverSeeds(
            difference.values, np.zeros_like(difference.influences)
        )  # what these have in common
        paired = ttest_rel(found[run].accuracy.values, found["natural"].accuracy.values)
        assert without_records.p_value() == pytest.approx(paired.pvalue)
        assert table.p[run] == difference.p_value()


LEAKS = (("natural", 0.6), ("pgd", 0.65), ("ibp", 0.61))


def test_one_seed_says_nothing_of_others_and_no_natural_run_leaves_no_difference():
    table = comparison(0.55, 0.65, 0.55, seeds=1)
    assert table.accuracy_sd.isna().all()
    assert table[["difference_low", "p", "p_holm", "seeds_needed"]].isna().all(axis=None)
    assert table.difference.notna().sum() == 2
    assert (table.interval_covers == "records").all()
    part = record_results(0, {"s/a/split": 0.6})
    alone = compare({"pgd": RunSummary.of("pgd", [part], RECORDS)}).iloc[0]
    rates = Rates(*(part.decisions[0][side].mean() for side in (part.is_member, ~part.is_member)))
    assert (alone.accuracy_low, alone.accuracy_high) == pytest.approx(accuracy_interval(rates, 500, 500))
    assert np.isnan(alone.difference)


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_choice_of_the_attack_is_part_of_what_intervals_cover(seeds):
    """Twelve attacks of nearly equal strength, each of which a training makes stronger or weaker: which one is chosen is random.

    Were it chosen for all seeds together, that error would be common to all of them, and no longer a part of the spread over seeds.
    """
    random, names = np.random.default_rng(0), np.array([f"s/{number}/split" for number in range(12)])
    true, is_member, claims, families = np.linspace(0.545, 0.555, 12), np.arange(600) < 300, 0, 120

    def model() -> RecordResults:
        right = true + 0.01 * random.normal(size=12)
        decisions = np.where(random.random((12, 600)) < right[:, None], is_member, ~is_member).astype(np.float32)
        nothing = np.zeros(600, int)
        return RecordResults(np.arange(600), nothing, is_member, names, decisions, decisions, names, decisions)

    for _ in range(families):
        runs = [RunSummary.of(method, [model() for _ in range(seeds)], 600) for method in ("natural", "pgd")]
        low, high = (runs[1].accuracy - runs[0].accuracy).interval(-1.0, 1.0)
        claims += not low <= 0.0 <= high
    assert claims <= 0.08 * families


def few_records(members: int, nonmembers: int, right: float, source: int) -> RunSummary:
    """One target model and decisions that are right with a probability on each side."""
    random = np.random.default_rng(source)
    is_member = np.arange(members + nonmembers) < members
    decisions = np.where(is_member, random.random(len(is_member)) < right, random.random(len(is_member)) > right)
    rows, name = np.arange(len(is_member)), np.array(["s/a/split"])
    given = decisions[None].astype(np.float32)
    results = RecordResults(rows, rows * 0, is_member, np.array(["s/a"]), given, given, name, given)
    return RunSummary.of("pgd", [results], len(rows))


@pytest.mark.parametrize(("members", "nonmembers"), [(2, 2000), (3, 3), (29, 500), (40, 40), (2000, 2), (500, 400)])
@pytest.mark.parametrize("right", [0.5, 0.6, 0.9, 1.0])
def test_intervals_of_one_model_are_possible_and_cover_with_few_records_too(members, nonmembers, right):
    covered = 0
    for source in range(40):
        row = compare({"pgd": few_records(members, nonmembers, right, source)}).iloc[0]
        assert 0 <= row.accuracy_low <= row.accuracy + 1e-9 <= row.accuracy_high + 2e-9 <= 1 + 2e-9
        covered += row.accuracy_low <= right <= row.accuracy_high
    assert covered >= 35
