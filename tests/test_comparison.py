"""What is real and what is luck: tests, intervals and the choice of the strongest attack, on data whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from robustmia.findings import findings_table, findings_words, first_page
from robustmia.inference.attempts import Judged
from robustmia.inference.comparison import (
    Summary,
    Targets,
    bootstrap_interval,
    compare,
    holm,
    strongest,
    swap_test,
)
from robustmia.inference.exposure import agreement_table, exposure_table, record_table
from robustmia.inference.metrics import auc, auc_interval, exact_interval

RECORDS = 1000


def judged(seed: int, leaks: dict[str, float], members: int = 500, source: int = 0) -> Judged:
    """Calls of several rules that are right about a part of the records, on a split of the seed's own."""
    split = np.random.default_rng([seed, 7])
    rows = split.permutation(RECORDS)
    is_member = np.arange(RECORDS) < members
    random = np.random.default_rng([seed, source])
    called = [
        np.where(random.random(RECORDS) < accuracy, is_member, ~is_member).astype(np.float32)
        for accuracy in leaks.values()
    ]
    scores = np.array(called) + 0.1 * random.random((len(leaks), RECORDS)).astype(np.float32)
    attempts = np.array([name.rpartition("/")[0] for name in leaks])
    risks = scores / 1.1
    return Judged(rows, rows % 10, is_member, attempts, scores, risks, np.array(list(leaks)), np.array(called))


def targets(leaks: dict[str, float], seeds: int = 3, source: int = 0) -> Targets:
    return Targets.of([judged(seed, leaks, source=source) for seed in range(seeds)], RECORDS)


# ---------------------------------------------------------------- parts


def test_accuracies_are_those_of_the_calls():
    part = judged(3, {"s/a/split": 0.7, "s/a/oracle": 0.9, "s/b/shadow": 0.6}, members=400)
    found = Targets.of([part], RECORDS)
    assert found.names == ("s/a/split", "s/b/shadow")  # the oracle is not honest
    for position, called in ((0, part.called[0]), (1, part.called[2])):
        expected = 0.5 * (called[part.is_member].mean() + 1 - called[~part.is_member].mean())
        assert found.accuracies[position, 0] == pytest.approx(expected, abs=1e-7)


def test_the_best_of_many_without_information_is_not_strong():
    """Forty rules that know nothing: the best looks like 52 %, and is worth 50 % where it was not chosen."""
    names = {f"s/{number}/split": 0.5 for number in range(40)}
    best, honest = [], []
    for source in range(12):
        found = targets(names, seeds=1, source=source)
        best.append(found.accuracies.max())
        honest.append(0.5 + (strongest(found).called * found.weights).sum())
    assert np.mean(best) > 0.53
    assert np.mean(honest) == pytest.approx(0.5, abs=0.01)


def test_rules_that_call_many_or_few_are_chosen_fairly():
    """Halves have unequal numbers of members; a rule that calls many must not look good for that."""
    accuracies = []
    for source in range(20):
        random = np.random.default_rng([source, 3])
        part = judged(source, {f"s/{number}/split": 0.5 for number in range(40)}, members=700)
        rates = np.linspace(0.02, 0.98, 40)
        part = replace(part, called=(random.random((40, RECORDS)) < rates[:, None]).astype(np.float32))
        accuracies.append(Summary.of("pgd", Targets.of([part], RECORDS)).accuracies[0])
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.003)


def test_the_strongest_is_found_where_there_is_one():
    found = targets({"s/weak/split": 0.52, "s/strong/shadow": 0.7, "s/none/fixed": 0.5})
    chosen = strongest(found)
    assert chosen.chosen == "s/strong/shadow"
    assert 0.5 + (chosen.called * found.weights).sum(axis=1).mean() == pytest.approx(0.7, abs=0.02)


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


@pytest.mark.parametrize(("count", "rate"), [(20, 0.0), (20, 1.0), (37, 5 / 37)])
def test_the_exact_interval_holds_where_each_tail_is_as_large_as_it_may_be(count, rate):
    from scipy.stats import binom

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


# ---------------------------------------------------------------- the comparison


METHODS = {"natural": "natural", "pgd": "pgd", "ibp": "ibp"}


def comparison(natural: float, pgd: float, ibp: float, seeds: int = 3) -> pd.DataFrame:
    leaks = {"natural": natural, "pgd": pgd, "ibp": ibp}
    runs = {
        run: targets({"s/a/split": leak, "s/b/fixed": 0.5}, seeds, source)
        for source, (run, leak) in enumerate(leaks.items())
    }
    return compare({run: Summary.of(METHODS[run], found) for run, found in runs.items()})


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
    assert findings_table(table)["seeds agree"].tolist() == ["", "", ""]
    words = " ".join(findings_words(table))
    assert "There is one seed, so all this tells of these models" in words
    assert "more, significantly" in words
    alone = compare({"pgd": Summary.of("pgd", targets({"s/a/split": 0.6}))})
    assert alone.difference.isna().all()
    assert "Against natural training" not in " ".join(findings_words(alone))
    assert findings_table(alone)["more than natural"].tolist() == [""]


def test_intervals_cover_the_accuracy_of_fresh_records():
    covered = 0
    for source in range(60):
        found = compare({"r": Summary.of("pgd", targets({"s/a/split": 0.6}, seeds=1, source=source))}).iloc[0]
        covered += found.accuracy_low <= 0.6 <= found.accuracy_high
    assert covered >= 52


def test_words_say_what_is_significant():
    words = " ".join(findings_words(comparison(0.55, 0.65, 0.55)))
    assert "pgd leaks most" in words
    assert "pgd (+" in words
    assert "leaks more, significantly" in words
    assert "leaks neither more nor less, as far as these records and seeds can tell" in words
    less = " ".join(findings_words(comparison(0.65, 0.55, 0.55)))
    assert "leak less, significantly" in less
    nothing = " ".join(findings_words(comparison(0.5, 0.5, 0.5)))
    assert "No run is shown to leak" in nothing


def test_runs_are_in_the_order_of_their_leakage_and_the_page_has_them():
    table = comparison(0.55, 0.65, 0.58)
    assert findings_table(table).run.tolist() == ["pgd", "ibp", "natural"]
    page = first_page("Hello", [table.assign(dataset="digits")], {})
    lost = first_page("Hello", [table.assign(dataset="digits")], {"digits": ["pgd", "seed 1 of ibp"]})
    assert "**Missing, since jobs failed: pgd, seed 1 of ibp (digits).**" in lost
    assert page.startswith("Hello\n\ndigits\n------\n")
    assert page.index("pgd leaks most") < page.index("=====")


# ---------------------------------------------------------------- records


def test_records_have_scores_risks_and_changes():
    robust, natural = judged(0, {"all/joint/split": 0.7}, source=1), judged(0, {"all/joint/split": 0.6}, source=2)
    table = record_table(robust, natural)
    assert table.record.tolist() == robust.rows.tolist()
    assert table.member.tolist() == robust.is_member.tolist()
    np.testing.assert_allclose(table.score_all_joint, robust.scores[0], rtol=1e-3)
    np.testing.assert_allclose(table.risk_change_all_joint, robust.risks[0] - natural.risks[0], rtol=1e-3, atol=1e-6)
    assert "risk_change_all_joint" not in record_table(natural, None)


def test_exposure_has_every_record_and_its_change_is_from_the_same_seed():
    runs = {
        (run, seed): judged(seed, {"all/joint/split": leak}, source=source)
        for source, (run, leak) in enumerate({"natural": 0.55, "pgd": 0.7}.items())
        for seed in (0, 1)
    }
    table = exposure_table(runs, "natural")
    assert len(table) == 4 * RECORDS
    assert (table.groupby(["run", "seed"]).member.sum() == 500).all()
    assert exposure_table(runs, None).risk_change.isna().all()
    assert table[table.run == "natural"].risk_change.isna().all()
    row = table[(table.run == "pgd") & (table.seed == 1)].iloc[5]
    position = list(runs["pgd", 1].rows).index(row.record)
    assert row.risk == pytest.approx(runs["pgd", 1].risks[0][position])
    change = runs["pgd", 1].risks[0][position] - runs["natural", 1].risks[0][position]
    assert row.risk_change == pytest.approx(change, abs=1e-6)


def test_agreement_is_that_of_common_members_beside_that_of_common_non_members():
    """Members agree over seeds and disagree over runs; non-members show what agreement there is without exposure."""
    parts = []
    for run, seed, sign in (("a", 0, 1), ("a", 1, 1), ("b", 0, -1)):
        record = np.arange(300)
        member = record < (100 if seed == 0 else 150)
        risk = np.where(member, sign * record, record) / 300
        parts.append(pd.DataFrame({"run": run, "seed": seed, "record": record, "member": member, "risk": risk}))
    table = agreement_table(pd.concat(parts)).set_index("kind")
    assert table.members.to_dict() == {"seeds": 100, "methods": 100}
    assert table.spearman.to_dict() == pytest.approx({"seeds": 1.0, "methods": -1.0})
    assert table.overlap.to_dict() == pytest.approx({"seeds": 1.0, "methods": 0.0})
    assert table.nonmember_spearman.to_dict() == pytest.approx({"seeds": 1.0, "methods": 1.0})
    assert table.nonmember_overlap.to_dict() == pytest.approx({"seeds": 1.0, "methods": 1.0})
