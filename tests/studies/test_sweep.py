"""The table and the words of a sweep, on results whose numbers are known."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from robustmia.inference.record_results import RecordResults
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.study import draw_sweep, draw_trade_offs
from robustmia.reporting.figures.style import style
from robustmia.reporting.studies import pareto_front, sweep_text, sweep_text_table, written
from robustmia.reporting.tables import render_text
from robustmia.studies.sweep import STRONGEST, TargetsAt, sweep_table

MEMBERS, NONMEMBERS = 200, 300
KEY = "threat_model.epsilon"


def results(train: float, test: float, seed: int, leak: float = 0.0) -> RecordResults:
    """One target model with these accuracies, and an attack that finds half plus `leak` of the records."""
    random = np.random.default_rng(seed)
    is_member = np.arange(MEMBERS + NONMEMBERS) < MEMBERS
    benign = random.random(len(is_member)) < np.where(is_member, 0.99, 0.95)
    adversarial = np.concatenate(
        [np.arange(MEMBERS) < round(train * MEMBERS), np.arange(NONMEMBERS) < round(test * NONMEMBERS)]
    )
    found = random.random(len(is_member)) < np.where(is_member, 0.5 + leak, 0.5 - leak)
    decisions = np.array([benign, adversarial, found], np.float32)
    names = np.array(["benign/correctness/fixed", "adversarial/correctness/fixed", "adversarial/I_A/split"])
    return RecordResults(
        random.permutation(700)[: len(is_member)],
        random.integers(10, size=len(is_member)),
        is_member,
        np.array(["benign/correctness", "adversarial/correctness", "adversarial/I_A"]),
        decisions.astype(float),
        np.full(decisions.shape, np.nan, np.float32),
        names,
        decisions,
    )


def targets(seeds: int = 3) -> list[TargetsAt]:
    found = []
    for epsilon, leak in ((0.05, 0.05), (0.1, 0.25)):
        for run, more in (("natural", 0.0), ("pgd", 0.1)):
            own = [results(0.9, 0.8 - epsilon, 10 * seed, leak + more * (leak > 0.1)) for seed in range(seeds)]
            found.append(TargetsAt(f"{KEY} = {epsilon}", {KEY: epsilon}, run, run, own))
    return found


def row(table: pd.DataFrame, epsilon: float, run: str, quantity: str) -> pd.Series:
    return table[(table[KEY] == epsilon) & (table.run == run) & (table.quantity == quantity)].squeeze()


def test_accuracies_and_gaps_are_those_of_the_decisions():
    table = sweep_table(targets())
    for epsilon in (0.05, 0.1):
        assert row(table, epsilon, "pgd", "adversarial train accuracy")["mean"] == pytest.approx(0.9)
        assert row(table, epsilon, "pgd", "adversarial test accuracy")["mean"] == pytest.approx(
            0.8 - epsilon, abs=0.002
        )
        gap = row(table, epsilon, "pgd", "adversarial gap")
        assert gap["mean"] == pytest.approx(0.1 + epsilon, abs=0.002)
        assert gap.low <= gap["mean"] <= gap.high
    assert not (table.quantity == "verified test accuracy").any()
    changed = row(table, 0.1, "pgd", "adversarial test accuracy")
    assert changed.from_first == pytest.approx(-0.05, abs=0.002)
    assert np.isnan(row(table, 0.05, "pgd", "adversarial test accuracy").from_first)


def test_the_strongest_attack_is_compared_with_the_first_point_and_with_natural():
    table = sweep_table(targets())
    change = row(table, 0.1, "pgd", STRONGEST)
    assert change.from_first == pytest.approx(0.3, abs=0.04)
    assert change.from_first_low > 0.2
    assert change.significant
    assert change.p <= change.p_holm < 0.05
    assert change.difference == pytest.approx(0.1, abs=0.04)
    assert np.isnan(row(table, 0.1, "natural", STRONGEST).difference)
    assert table[table.p.notna()].quantity.unique().tolist() == [STRONGEST]


def test_with_one_seed_nothing_is_tested():
    table = sweep_table(targets(seeds=1))
    assert table.p.isna().all()
    assert table.from_first_low.isna().all()
    words = " ".join(sweep_text(table, [KEY], is_evaluated_alike=False))
    assert "do not include the variation between trainings" in words
    assert "significant" not in words
    assert words.startswith(f"Whether the leak changes with {KEY} is not tested, since a test takes 3 seeds. ")


def test_words_say_what_changes_and_what_does_not():
    words = sweep_text(sweep_table(targets()), [KEY], is_evaluated_alike=False)
    pgd = next(part for part in words if part.startswith("pgd"))
    assert words[0].startswith(f"The leak of natural and pgd changes significantly with {KEY}. ")
    assert "at 0.05; then 0.1: +" in pgd
    assert "significant: 0.1." in pgd
    assert "Pareto" not in " ".join(words)
    same = [TargetsAt(f"{KEY} = {epsilon}", {KEY: epsilon}, "pgd", "pgd", targets()[1].results) for epsilon in (1, 2)]
    words = sweep_text(sweep_table(same), [KEY], True)
    assert words[0].startswith(f"No significant change of the leak with {KEY} is found. ")
    assert "none of these changes is significant" in words[1]


def test_points_of_several_keys_are_named_with_their_values():
    found = [
        TargetsAt(t.point, t.values | {"architecture.width": width}, t.run, t.method, t.results)
        for width in (8, 16)
        for t in targets()
        if t.run == "pgd"
    ]
    for number, target in enumerate(found):
        found[number] = replace(target, point=str(number))
    words = sweep_text(sweep_table(found), [KEY, "architecture.width"], is_evaluated_alike=False)
    assert words[0].startswith(f"The leak of pgd changes significantly with {KEY} and architecture.width. ")
    assert "at epsilon 0.05, width 8; then epsilon 0.1, width 8: +" in words[1]
    unkeyed = sweep_text(sweep_table(found), [], is_evaluated_alike=False)
    assert unkeyed[0].startswith("The leak of pgd changes significantly from the first point (0). ")


def test_the_table_for_people_has_a_row_for_each_point_and_run():
    text = sweep_text_table(sweep_table(targets()))
    assert len(text) == 4
    assert "ver. test accuracy" not in text
    assert text["from the first point"].tolist()[:2] == ["", ""]
    assert text["adv. test accuracy"].tolist() == ["75.0", "75.0", "70.0", "70.0"]


def test_the_pareto_front_has_those_that_none_beats():
    rows = [("a", 0.9, 0.60), ("b", 0.8, 0.55), ("c", 0.7, 0.56), ("d", 0.6, 0.52), ("e", 0.9, 0.62), ("f", 0.5, 0.52)]
    table = pd.DataFrame(
        [
            {
                "point": name,
                "run": "pgd",
                "method": "pgd",
                "quantity": quantity,
                "mean": mean,
                "low": mean,
                "high": mean,
            }
            for name, robust, leak in rows
            for quantity, mean in ((STRONGEST, leak), ("adversarial test accuracy", robust))
        ]
    )
    assert pareto_front(table).point.tolist() == ["d", "b", "a"]


@pytest.mark.parametrize("keys", [[KEY], [KEY, "architecture.width"], []])
def test_figures_have_every_run_and_point(keys):
    found = [TargetsAt(t.point, t.values | {"architecture.width": 8}, t.run, t.method, t.results) for t in targets()]
    table = sweep_table(found)
    with style(Figure()):
        drawing = draw_sweep(table, keys) if keys else draw_trade_offs(table)
        drawing.canvas.draw()
    texts = [
        text.get_text()
        for legend in (*drawing.legends, drawing.axes[0].get_legend())
        if legend
        for text in legend.get_texts()
    ]
    assert any("pgd" in text for text in texts)
    if not keys:
        assert len(texts) == 4
    plt.close(drawing)


def test_numbers_far_apart_are_drawn_at_equal_distances():
    values = [0.001, 0.01, 1.0]
    found = [TargetsAt(str(value), {KEY: value}, "pgd", "pgd", targets()[1].results) for value in values]
    with style(Figure()):
        drawing = draw_sweep(sweep_table(found), [KEY])
    line = drawing.axes[0].get_lines()[0]
    assert line.get_xdata().tolist() == [0, 1, 2]
    assert [label.get_text() for label in drawing.axes[-1].get_xticklabels()] == ["0.001", "0.01", "1"]
    plt.close(drawing)


def test_the_privacy_of_a_training_is_in_its_row_alone():
    plain, *others = targets()
    table = sweep_table([replace(plain, privacy=(2.346, 1e-5)), *others])
    assert list(row(table, 0.05, "natural", "privacy epsilon")[["mean"]]) == [2.346]
    text = sweep_text_table(table)["privacy, (epsilon, delta)"]
    assert list(text) == ["(2.3, 1e-05)", "", "", ""]


def test_sensitivity_is_the_mean_over_members():
    random, found = np.random.default_rng(0), []
    for target in targets():
        more = {"sensitive": np.array(["adversarial"]), "shadow_members": np.array([MEMBERS])}
        own = [replace(part, sensitivities=random.random((1, 500)), **more) for part in target.results]
        found.append(replace(target, results=own))
    table = sweep_table(found)
    expected = np.mean([part.sensitivities[0][part.is_member].mean() for part in found[1].results])
    shown = row(table, 0.05, "pgd", "adversarial sensitivity")
    assert shown["mean"] == pytest.approx(expected)
    assert shown.low < expected < shown.high
    assert sweep_text_table(table)["adv. sensitivity"][1] == f"{100 * expected:.1f}"
    assert not (table.quantity == "benign sensitivity").any()
    assert not any("Shadow models are not" in part for part in sweep_text(table, [KEY], False))


def test_shadow_models_of_another_size_are_named_and_give_no_sensitivity():
    more = {
        "sensitive": np.array(["adversarial"]),
        "sensitivities": np.zeros((1, 500)),
        "shadow_members": np.array([450]),
    }
    first, *others = targets()
    table = sweep_table([replace(first, results=[replace(part, **more) for part in first.results]), *others])
    assert not (table.quantity == "adversarial sensitivity").any()
    assert "at some points (0.05: 450 in place of 200)" in " ".join(sweep_text(table, [KEY], False))


def test_names_of_points_are_shown_as_they_are():
    """Nothing of them is taken for a formula, for markup, or for the end of a cell."""
    name = r"a|b $\frac$ <i>"
    table = sweep_table([replace(one, point=one.point.replace(f"{KEY} = 0.1", name), values={}) for one in targets()])
    with style(Figure()):
        drawing = draw_trade_offs(table)
        drawing.canvas.draw()
        plt.close(drawing)
    text, words = sweep_text_table(table), "\n\n".join(sweep_text(table, [], True))
    rows = render_text("markdown", text, "").splitlines()
    assert {row.replace(r"\|", "").count("|") for row in rows if row.startswith("|")} == {len(text.columns) + 1}
    page = render_text("html", text, words)
    assert "<i>" not in page
    assert "&lt;i&gt;" in page


def test_models_that_points_share_are_compared_with_and_not_tested():
    """Natural ones, which the second point leaves as they are: p-values are corrected for the other comparison alone."""
    natural, pgd, _, wide = targets()
    again = replace(wide, point="again", values={})
    here = [replace(one, point="first", values={}) for one in (natural, pgd)]
    for is_shown in (True, False):
        table = sweep_table([*here, replace(here[0], point="again", is_shown=is_shown), again])
        leaks = table[table.quantity == STRONGEST].set_index(["run", "point"])
        assert (("natural", "again") in leaks.index) == is_shown
        assert leaks.loc[("pgd", "again")].p_holm == leaks.loc[("pgd", "again")].p
        assert leaks.p.notna().sum() == 1
        expected = leaks.loc[("pgd", "again")]["mean"] - leaks.loc[("natural", "first")]["mean"]
        assert leaks.loc[("pgd", "again")].difference == pytest.approx(expected)
        words = sweep_text(table, [], True)
        assert f"natural: {100 * leaks.loc[('natural', 'first')]['mean']:.1f} %" in words[1]
        assert words[1].endswith("at every point." if is_shown else "at first.")


@pytest.mark.parametrize("value", [True, np.True_])
def test_a_truth_value_is_written_as_yaml_has_it(value):
    assert written(value) == "true"
