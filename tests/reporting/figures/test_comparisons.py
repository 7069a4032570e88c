"""Figures that compare runs by their numbers, by what matplotlib was told to draw: each number where it belongs, in the look that the legend says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from figure_helpers import FIRST, MANY, SECOND, THIRD, conclusions_of, labelled_lines, legend_of
from reporting_helpers import over_seeds, robustness_and_membership
from robustmia.reporting.figures.style import PAPER
from robustmia.reporting.tables import leakage_and_gap

HOLLOW = to_rgba(PAPER)


def ends_of(axis, runs: int) -> list[list[list[float]]]:
    """The bars of each run: the lines of two points after the chance line."""
    bars = [line.get_xydata().tolist() for line in axis.lines[1:] if len(line.get_xydata()) == 2]
    return [bars[2 * run : 2 * run + 2] for run in range(runs)]


def robustness_of(**accuracies: list[float]) -> pd.DataFrame:
    rows = [
        {"run": run, "seed": seed, "adv_test_accuracy": x}
        for run in accuracies
        for seed, x in enumerate(accuracies[run])
    ]
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- trade-off


def test_the_trade_off_is_leakage_against_robustness_with_both_intervals(draw):
    table = robustness_of(natural=[0.2, 0.4], my_pgd=[0.5, 0.8])
    figure = draw("trade_off", ["natural", "my_pgd"], table, conclusions_of(my_pgd=0.7, natural=0.6))
    axis = figure.axes[0]
    assert list(axis.lines[0].get_ydata()) == [50, 50]
    points = [line for line in axis.lines if len(line.get_xydata()) == 1]
    np.testing.assert_allclose([line.get_xydata()[0] for line in points], [[30, 60], [65, 70]])
    assert [to_rgba(line.get_color()) for line in points] == [FIRST, SECOND]
    np.testing.assert_allclose(
        ends_of(axis, 2), [[[[30, 59], [30, 62]], [[20, 60], [40, 60]]], [[[65, 69], [65, 72]], [[50, 70], [80, 70]]]]
    )
    assert set(legend_of(figure)) == {"95 % confidence interval", "range over seeds"}
    names = {text.get_text(): text.xy for text in axis.texts if hasattr(text, "xy") and text.get_text()}
    assert names.keys() == {"natural", "my pgd"}
    np.testing.assert_allclose([names["natural"], names["my pgd"]], [[30, 60], [65, 70]])
    assert [text.get_text() for text in axis.texts if not hasattr(text, "xy")] == ["chance"]


def test_the_trade_off_of_one_run_with_one_seed_has_no_range(draw):
    figure = draw("trade_off", ["a"], robustness_of(a=[0.5]), conclusions_of(a=0.5))
    assert set(legend_of(figure)) == {"95 % confidence interval"}


def test_names_of_points_do_not_overlap_and_stay_in_the_figure(draw):
    """Even where all points are the same."""
    runs = [f"{run}_of_long_name" for run in MANY]
    for spread in (0.0, 0.01, 0.2):
        table = robustness_of(**{run: [0.5 + spread * number / 12] for number, run in enumerate(runs)})
        leakage = conclusions_of(**{run: 0.6 + spread * (number % 5) / 5 for number, run in enumerate(runs)})
        figure = draw("trade_off", runs, table, leakage)
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
        assert len(boxes) == 13
        assert all(box.count_overlaps([other for other in boxes if other is not box]) == 0 for box in boxes)
        assert all(figure.bbox.count_contains(box.padded(-1).corners()) == 4 for box in boxes)


# ---------------------------------------------------------------- inference accuracy


def test_accuracies_are_filled_under_split_and_hollow_under_oracle_and_runs_are_sorted_by_leakage(draw):
    _, membership = robustness_and_membership()
    conclusions = conclusions_of(natural=0.5, my_pgd=0.6)
    axis = draw("inference_accuracy", ["natural", "my_pgd"], over_seeds(membership), conclusions).axes[0]
    marks = [line for line in axis.lines if line.get_linestyle() == "None"]
    drawn = {
        (round(x, 6), round(y, 6)): (to_rgba(line.get_color()), to_rgba(line.get_markerfacecolor()))
        for line in marks
        for x, y in line.get_xydata()
    }
    assert drawn == {  # I_B a little above its run's tick, I_A a little below
        (70, -0.25): (FIRST, HOLLOW),
        (61, -0.25): (FIRST, FIRST),
        (80, 0.25): (SECOND, HOLLOW),
        (71, 0.25): (SECOND, SECOND),
        (70, 0.75): (FIRST, HOLLOW),
        (60, 0.75): (FIRST, FIRST),
        (80, 1.25): (SECOND, HOLLOW),
        (70, 1.25): (SECOND, SECOND),
    }
    assert [label.get_text() for label in axis.get_yticklabels()] == ["my pgd", "natural"]
    assert axis.yaxis_inverted()


def test_accuracies_have_the_interval_of_the_split_rule_and_the_legend_explains_each_line(draw):
    _, membership = robustness_and_membership(runs=("natural",))
    figure = draw("inference_accuracy", ["natural"], over_seeds(membership), conclusions_of(natural=0.6))
    pairs = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    upright = {line.get_linestyle(): line.get_xdata() for line in pairs if list(line.get_ydata()) == [0, 1]}
    np.testing.assert_allclose([upright[":"], upright["--"]], [[50] * 2, [51.4] * 2])
    spans = [collection.get_segments()[0][:, 0] for collection in figure.axes[0].collections]
    np.testing.assert_allclose(spans, [[59, 62], [69, 72]])
    handles = legend_of(figure)
    assert to_rgba(handles["oracle threshold"].get_markerfacecolor()) == HOLLOW
    assert handles["chance: 50 %"].get_linestyle() == ":"
    assert handles["chance, oracle: 51.4 %"].get_linestyle() == "--"
    assert handles["95 % confidence interval"].get_linestyle() == "-"


def test_only_the_papers_strategies_are_in_its_figure_in_the_colours_of_their_kinds(draw):
    rows = [
        {
            "run": "a",
            "strategy": strategy,
            "threshold_rule": rule,
            "quantity": "accuracy",
            "mean": 0.6,
            "low": 0.5,
            "high": 0.7,
            "chance": 0.51,
        }
        for strategy in ("I_V", "I_V_own", "lira_online")
        for rule in ("oracle", "split")
    ]
    figure = draw("inference_accuracy", ["a"], pd.DataFrame(rows), conclusions_of(a=0.6))
    (handle,) = (handle for label, handle in legend_of(figure).items() if "honest threshold" in label)
    assert to_rgba(handle.get_color()) == THIRD


# ---------------------------------------------------------------- accuracies

VALUES = {
    "train_accuracy": [0.99, 0.97],
    "test_accuracy": [0.9, 0.8],
    "adv_train_accuracy": [0.7, 0.6],
    "adv_test_accuracy": [0.5, 0.4],
    "verified_train_accuracy": [0.3, 0.2],
    "verified_test_accuracy": [0.2, 0.0],
}


def test_accuracies_are_filled_on_non_members_and_joined_to_the_hollow_ones_on_members(draw):
    """Means over seeds; three kinds from above, the run that leaks most first."""
    tables = [pd.DataFrame(VALUES).assign(run=run, seed=[0, 1]) for run in ("b", "a")]
    tables[1][list(VALUES)] /= 2
    figure = draw("accuracies", ["a", "b"], pd.concat(tables), conclusions_of(a=0.5, b=0.6))
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["b", "a"]
    kinds = (("", -0.27, FIRST), ("adv_", 0.0, SECOND), ("verified_", 0.27, THIRD))
    for (prefix, offset, color), marks, joined in zip(
        kinds, zip(axis.lines[::2], axis.lines[1::2], strict=True), axis.collections, strict=True
    ):
        ends = []
        for line, side, is_filled in zip(marks, ("train", "test"), (False, True), strict=True):
            mean = 100 * np.mean(VALUES[f"{prefix}{side}_accuracy"])
            np.testing.assert_allclose(line.get_xydata(), [[mean, offset], [mean / 2, 1 + offset]])
            assert to_rgba(line.get_color()) == color
            assert to_rgba(line.get_markerfacecolor()) == (color if is_filled else HOLLOW)
            ends.append(line.get_xydata())
        np.testing.assert_allclose(joined.get_segments(), np.stack(ends, axis=1))
    assert list(legend_of(figure)) == ["clean", "adversarial", "verified", "non-members", "members"]


def test_accuracies_without_the_verified_signal_have_two_kinds(draw):
    table = pd.DataFrame({"run": ["a"], "train_accuracy": 1.0, "test_accuracy": 0.9, "adv_train_accuracy": 0.8})
    table = table.assign(adv_test_accuracy=0.7, verified_train_accuracy=np.nan, verified_test_accuracy=np.nan)
    figure = draw("accuracies", ["a"], table, conclusions_of(a=0.5))
    assert "verified" not in legend_of(figure)


# ---------------------------------------------------------------- ROC


def roc_table(runs: dict[str, str], strategies=("I_B", "I_A"), nonmembers: int = 1000) -> pd.DataFrame:
    """Of runs by name with their methods, two seeds; a run's rank and a strategy's rank are in its ratio to chance."""
    rates = np.geomspace(1 / nonmembers, 1.0, 31)
    signals = {"I_B": "benign", "I_A": "adversarial"}
    return pd.concat(
        pd.DataFrame({"false_positive_rate": rates}).assign(
            run=run,
            method=method,
            seed=seed,
            strategy=strategy,
            signal=signals[strategy],
            true_positive_rate=rates * (2 + number + 10 * place + 0.25 * (2 * seed - 1)),
        )
        for number, (run, method) in enumerate(runs.items())
        for place, strategy in enumerate(strategies)
        for seed in (0, 1)
    )


def test_roc_has_a_row_for_each_defense_with_natural_training_in_its_colour(draw):
    runs = {"plain": "natural", "my_pgd": "pgd", "other": "trades"}
    figure = draw("roc", list(runs), roc_table(runs))
    assert len(figure.axes) == 4
    headings = [axis.get_title() for axis in figure.axes]
    assert [heading.split(", ")[1] for heading in headings[:2]] == ["clean\ninputs\n", "adversarial\ninputs\n"]
    assert headings[2:] == ["", ""]
    assert [text.get_text() for axis in figure.axes for text in axis.texts] == ["my pgd", "other"]
    for number, axis in enumerate(figure.axes):
        row, place = divmod(number, 2)
        chance, natural, run = axis.lines
        assert list(chance.get_ydata()) == [1, 1]
        assert to_rgba(natural.get_color()) == FIRST
        assert to_rgba(run.get_color()) == (SECOND, THIRD)[row]
        np.testing.assert_allclose(natural.get_ydata(), 2 + 10 * place)
        np.testing.assert_allclose(run.get_ydata(), 3 + row + 10 * place)
        bands = [band.get_paths()[0].vertices[:, 1] for band in axis.collections]
        np.testing.assert_allclose(
            [(band.min(), band.max()) for band in bands][1], np.array([-0.25, 0.25]) + 3 + row + 10 * place
        )
    assert set(legend_of(figure)) == {"plain", "chance", "range over seeds"}


def test_roc_begins_where_five_non_members_are_resolved(draw):
    figure = draw("roc", ["a"], roc_table({"a": "pgd"}, nonmembers=1000))
    for axis in figure.axes:
        assert axis.get_xlim() == pytest.approx((0.5, 100))
        assert axis.lines[-1].get_xdata().min() >= 0.5 - 1e-9
    axis = draw("roc", ["a"], roc_table({"a": "pgd"}, nonmembers=4)).axes[0]
    assert axis.get_xlim() == pytest.approx((50, 100))


@pytest.mark.parametrize("method", ["natural", "pgd"])
def test_roc_of_a_single_run_is_in_its_colour(draw, method):
    figure = draw("roc", ["a"], roc_table({"a": method}))
    for axis in figure.axes:
        chance, curve = axis.lines
        assert chance.get_linestyle() == ":"
        assert (curve.get_label(), to_rgba(curve.get_color())) == ("a", FIRST)
    assert set(legend_of(figure)) == {"chance", "range over seeds"}


# ---------------------------------------------------------------- leakage and gap


def test_the_baseline_of_leakage_rises_by_half_the_gap(draw):
    """A record called a member if it is classified correctly: accuracy is 1/2 + gap / 2."""
    robustness, membership = robustness_and_membership()
    table = leakage_and_gap(robustness, membership, over_seeds(membership))
    figure = draw("leakage_and_gap", ["natural", "my_pgd"], table)
    axis = figure.axes[0]
    np.testing.assert_allclose(labelled_lines(figure)["correctness baseline"], [[0, 50], [40, 70]])
    assert legend_of(figure)["correctness baseline"].get_linestyle() == "--"
    assert list(axis.lines[0].get_ydata()) == [50, 50]
    points = [line for line in axis.lines if len(line.get_xydata()) == 1]
    np.testing.assert_allclose([line.get_xydata()[0] for line in points], [[30, 70], [40, 71]])
    assert [to_rgba(line.get_color()) for line in points] == [FIRST, SECOND]
    bars = [line.get_xydata() for line in axis.lines[2:] if line.get_linestyle() == "-"]
    np.testing.assert_allclose(bars, [[[30, 69], [30, 72]], [[40, 70], [40, 73]]])
    seeds = [line for line in axis.lines if line.get_alpha() == 0.35]
    np.testing.assert_allclose(seeds[0].get_xydata(), [[30, 70]] * 2)
    assert {text.get_text() for text in axis.texts if text.get_text()} == {"chance", "natural", "my pgd"}


# ---------------------------------------------------------------- maps


def test_areas_are_in_the_order_of_the_table_and_means_over_seeds(draw):
    rows = [
        {"signal": signal, "strategy": strategy, "run": run, "seed": seed, "auc": area + 0.02 * seed}
        for run, shift in (("b", 0.0), ("a", 0.1))
        for seed in (0, 1)
        for signal, strategy, area in (
            ("s", "I_B", 0.5),
            ("s", "lira_online", 0.6),
            ("t", "correctness", 0.9),
            ("all", "joint", 0.7),
        )
        for area in [area + shift]
    ]
    axis = draw("attack_auc", ["a", "b"], pd.DataFrame(rows)).axes[0]
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert [label.rpartition(", ")[2] for label in labels] == ["s", "s", "all"]
    assert labels[1:] == ["lira online, s", "joint, all"]
    assert [text.get_text() for text in axis.texts] == ["61", "51", "71", "61", "81", "71"]
    assert axis.collections[0].get_clim() == pytest.approx((19, 81))  # as far below chance as above
    assert [text.get_color() for text in axis.texts] == ["0.15", "0.15", "white", "0.15", "white", "white"]


def test_agreement_has_each_pair_once_with_seeds_on_the_diagonal(draw):
    table = pd.DataFrame(
        [
            ["methods", "a", "b", -0.4, 0.1],
            ["methods", "a", "b", -0.6, 0.1],
            ["seeds", "a", "a", 0.9, 0.2],
            ["seeds", "b", "b", 0.7, 0.0],
        ],
        columns=["kind", "run_a", "run_b", "spearman", "nonmember_spearman"],
    )
    axis = draw("risk_agreement", ["b", "a"], table).axes[0]
    texts = {text.get_position(): text.get_text() for text in axis.texts}
    assert texts == {(0.5, 0.5): ".70\n(.00)", (0.5, 1.5): "−.50\n(.10)", (1.5, 1.5): ".90\n(.20)"}
    assert axis.collections[0].get_clim() == pytest.approx((-0.9, 0.9))


# ---------------------------------------------------------------- published


def test_ours_stand_above_the_published_numbers_in_the_colours_of_the_configuration(draw):
    """A run without published numbers keeps its colour to itself."""
    rows = [
        {"run": run, "inputs": inputs, "published": 0.6, "mean": mean, "low": mean - 0.01, "high": mean + 0.02}
        for run, inputs, mean in (("b", "benign", 0.55), ("b", "adversarial", 0.65))
    ]
    figure = draw("published", ["a", "b"], pd.DataFrame(rows).assign(chance=0.51))
    marks = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    np.testing.assert_allclose([line.get_xydata()[0] for line in marks], [[60, 55], [60, 65]])
    assert [to_rgba(line.get_color()) for line in marks] == [SECOND, SECOND]
    assert [to_rgba(line.get_markerfacecolor()) for line in marks] == [HOLLOW, SECOND]
    spans = [collection.get_segments()[0][:, 1] for collection in figure.axes[0].collections]
    np.testing.assert_allclose(spans, [[54, 57], [64, 67]])
    handles = legend_of(figure)
    assert to_rgba(handles["clean inputs"].get_markerfacecolor()) == HOLLOW
    assert "a" not in handles
