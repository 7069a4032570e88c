"""Figures, by what matplotlib was told to draw: each number where it belongs, in the look that the legend says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as Drawing
from pydantic import ValidationError

from helpers import refused
from reporting_helpers import over_seeds, robustness_and_membership
from robustmia.config.registry import FIGURES
from robustmia.data.records import Records
from robustmia.files.signals import Examples, save_signals
from robustmia.files.tables import write_table
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.data import FigureData
from robustmia.reporting.figures.style import ending, save, shortened, style
from robustmia.reporting.tables import leakage_and_gap

FIRST, SECOND = ((*color, 1.0) for color in sns.color_palette("colorblind")[:2])
WHITE = (1.0, 1.0, 1.0, 1.0)
MANY = tuple(f"run{number}" for number in range(12))


def named(figure: str, **settings: object) -> Figure:
    """A figure of the registry, with its own settings but for these."""
    return resolve_name(FIGURES[figure])(**settings)


def labelled_lines(drawing: Drawing) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xydata() for axis in drawing.axes for line in axis.lines}


@pytest.fixture
def draw(tmp_path: Path) -> Iterator[Callable[..., Drawing]]:
    """Draws a figure of the registry from files, as the script does; matplotlib keeps figures open, and warns of too many."""

    def drawn(
        name: str,
        runs: Sequence[str],
        table: pd.DataFrame | None = None,
        records: Records | None = None,
        examples: dict[str, Examples] | None = None,
        **settings: object,
    ) -> Drawing:
        paths = {"table": tmp_path / "table.csv", "records": tmp_path / "records.npz"}
        if table is not None:
            write_table(table, paths["table"])
        if records is not None:
            records.save(paths["records"])
        for run, example in (examples or {}).items():
            save_signals(tmp_path / f"{run}.npz", {}, example)
        shown = [str(tmp_path / f"{run}.npz") for run in examples or ()]
        figure = named(name, **settings)
        with style(figure):
            return figure.draw(FigureData(runs, str(paths["table"]), str(paths["records"]), shown))

    yield drawn
    plt.close("all")


def records_of(class_names: Sequence[str], images: np.ndarray | None = None) -> Records:
    images = np.zeros((len(class_names), 1, 2, 2), np.uint8) if images is None else images
    return Records(images, np.arange(len(images)) % len(class_names), tuple(class_names))


def test_accuracies_are_filled_under_split_and_hollow_under_oracle(draw):
    _, membership = robustness_and_membership()
    axis = draw("inference_accuracy", ["natural", "my_pgd"], over_seeds(membership)).axes[0]
    marks = [line for line in axis.lines if line.get_linestyle() == "None"]
    drawn = {
        (round(x, 6), round(y, 6)): (to_rgba(line.get_color()), to_rgba(line.get_markerfacecolor()))
        for line in marks
        for x, y in line.get_xydata()
    }
    assert drawn == {  # I_B a little above its run's tick, I_A a little below
        (0.7, -0.2): (FIRST, WHITE),
        (0.6, -0.2): (FIRST, FIRST),
        (0.8, 0.2): (SECOND, WHITE),
        (0.7, 0.2): (SECOND, SECOND),
        (0.7, 0.8): (FIRST, WHITE),
        (0.61, 0.8): (FIRST, FIRST),
        (0.8, 1.2): (SECOND, WHITE),
        (0.71, 1.2): (SECOND, SECOND),
    }
    assert [label.get_text() for label in axis.get_yticklabels()] == ["natural", "my pgd"]
    assert axis.yaxis_inverted()


def test_accuracies_have_the_interval_of_the_split_rule_and_the_floor_of_the_oracle(draw):
    _, membership = robustness_and_membership(runs=("natural",))
    figure = draw("inference_accuracy", ["natural"], over_seeds(membership))
    pairs = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    upright = {line.get_linestyle(): line.get_xdata() for line in pairs if list(line.get_ydata()) == [0, 1]}
    np.testing.assert_allclose([upright["-"], upright[":"]], [[0.5] * 2, [0.514] * 2])
    spans = [collection.get_segments()[0][:, 0] for collection in figure.axes[0].collections]
    np.testing.assert_allclose(spans, [[0.59, 0.62], [0.69, 0.72]])
    handles = {handle.get_label(): handle for handle in figure.legends[0].legend_handles}
    assert to_rgba(handles["oracle threshold"].get_markerfacecolor()) == WHITE
    assert handles["oracle on uninformative scores"].get_linestyle() == ":"


def test_each_panel_of_the_roc_is_of_the_strategy_in_its_title(draw):
    part = pd.DataFrame({"run": "a", "false_positive_rate": [0.01, 0.1, 1.0]})
    panels = {"I_B": ("benign", [0.2, 0.4, 1.0]), "I_A": ("adversarial", [0.3, 0.5, 1.0])}
    table = pd.concat(
        part.assign(strategy=strategy, signal=signal, true_positive_rate=rates)
        for strategy, (signal, rates) in panels.items()
    )
    axes = draw("roc", ["a"], table).axes
    assert [axis.get_title("left").partition(", ")[2] for axis in axes] == ["clean inputs", "adversarial inputs"]
    assert [axis.get_title("left")[len(r"$\mathcal{I}_\mathrm{")] for axis in axes] == ["B", "A"]
    for axis, (_, rates) in zip(axes, panels.values(), strict=True):
        curve, chance = axis.lines
        np.testing.assert_allclose(curve.get_xydata(), np.column_stack([[0.01, 0.1, 1.0], rates]))
        np.testing.assert_allclose(chance.get_xydata(), [[0.01, 0.01], [1, 1]])


def test_histograms_fill_members_and_outline_non_members(draw):
    edges = np.array([0.0, 1e-3, 1e-2, 1e-1, np.inf])
    records = {
        (run, signal, side): np.arange(1, 5) ** (1 + index)
        for index, (run, signal, side) in enumerate(
            (run, signal, side)
            for run in ("natural", "my_pgd")
            for signal in ("benign", "adversarial")
            for side in ("member", "nonmember")
        )
    }
    table = pd.concat(
        pd.DataFrame({"run": run, "signal": signal, "membership": side, "records": counts}).assign(
            loss_nats_low=edges[:-1], loss_nats_high=edges[1:]
        )
        for (run, signal, side), counts in records.items()
    )
    figure = draw("loss_histogram", ["natural", "my_pgd"], table)
    assert [axis.get_title() for axis in figure.axes] == ["clean\ninputs", "adversarial\ninputs", "", ""]
    assert [axis.get_ylabel() for axis in figure.axes] == ["natural", "", "my\npgd", ""]
    places = [(run, signal) for run in ("natural", "my_pgd") for signal in ("benign", "adversarial")]
    for axis, place in zip(figure.axes, places, strict=True):
        filled, outlined = axis.patches
        for patch, side in ((filled, "member"), (outlined, "nonmember")):
            counts = records[*place, side]
            np.testing.assert_allclose(patch.get_data().values, counts / counts.sum())
            np.testing.assert_allclose(patch.get_data().edges, [1e-4, 1e-3, 1e-2, 1e-1, 1])
        assert (filled.get_label(), outlined.get_label()) == ("members", "non-members")
        assert (filled.get_fill(), outlined.get_fill()) == (True, False)
        assert (filled.get_facecolor()[:3], outlined.get_edgecolor()[:3]) == (FIRST[:3], SECOND[:3])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["members", "non-members"]


def test_the_baseline_of_leakage_rises_by_half_the_gap(draw):
    """A record called a member if it is classified correctly: accuracy is 1/2 + gap / 2."""
    robustness, membership = robustness_and_membership()
    table = leakage_and_gap(robustness, membership, over_seeds(membership))
    axis = draw("leakage_and_gap", ["natural", "my_pgd"], table).axes[0]
    baseline = next(line for line in axis.lines if line.get_label() == "correctness baseline")
    np.testing.assert_allclose(baseline.get_xydata(), [[0, 0.5], [0.4, 0.7]])
    assert [container.get_label() for container in axis.containers] == ["natural", "my pgd"]
    for container, gap, accuracy in zip(axis.containers, (0.3, 0.4), (0.70, 0.71), strict=True):
        mean, _, (bar,) = container
        np.testing.assert_allclose(mean.get_xydata(), [[gap, accuracy]])
        np.testing.assert_allclose(bar.get_segments(), [[[gap, accuracy - 0.01], [gap, accuracy + 0.02]]])
    seeds = [line for line in axis.lines if line.get_alpha() == 0.35]
    np.testing.assert_allclose(seeds[0].get_xydata(), [[0.3, 0.70]] * 2)


def test_training_curves_have_a_panel_for_each_run_a_colour_for_each_side_and_a_dash_for_each_kind(draw):
    columns = ["member_clean", "member_adversarial", "nonmember_clean", "nonmember_adversarial"]
    table = pd.concat(
        pd.DataFrame(
            {"run": run, "epoch": [1, 2], **{name: level + i / 10 + seed / 50 for i, name in enumerate(columns)}}
        )
        for run, level in (("first", 0.1), ("second", 0.5), ("third", 0.3))
        for seed in (0, 1)
    )
    axes = draw("training_curves", ["first", "second", "third"], table).axes
    assert [axis.get_title("left") for axis in axes] == ["first", "second", "third", ""]
    assert [axis.get_visible() for axis in axes] == [True, True, True, False]
    for axis, level in zip(axes, (0.1, 0.5, 0.3), strict=False):
        bands = [band.get_paths()[0].vertices[:, 1] for band in axis.collections]
        for i, (line, band) in enumerate(zip(axis.lines, bands, strict=True)):
            np.testing.assert_allclose(line.get_ydata(), level + i / 10 + 0.01)
            assert (band.min(), band.max()) == pytest.approx((level + i / 10, level + i / 10 + 0.02))
        assert [to_rgba(line.get_color()) for line in axis.lines] == [FIRST, FIRST, SECOND, SECOND]
        assert [line.get_linestyle() for line in axis.lines] == ["-", "--", "-", "--"]


def test_examples_show_clean_change_and_adversarial_of_each_run(draw):
    random = np.random.default_rng(0)
    clean = random.random((1, 3, 4, 5)).astype(np.float32)
    changes = [0.05 * np.sign(random.normal(size=clean.shape)), 0.1 * random.random(clean.shape)]
    changes[1][0, 0, 0, 0] = 0.1  # the largest
    label = np.array([0])
    shown = {
        run: Examples(label, clean, (clean + change).astype(np.float32), label, label, label)
        for run, change in zip(("a", "b"), changes, strict=True)
    }
    axes = draw("examples", ["a", "b"], records=records_of(["cat"]), examples=shown).axes
    assert [axis.get_title() for axis in axes] == ["clean", "change", "adv.", "", "", ""]
    assert [axis.get_ylabel() for axis in axes] == ["a", "", "", "b", "", ""]
    assert [axes[1].get_xlabel(), axes[4].get_xlabel()] == ["× 10", "× 5"]
    for row, (change, factor) in enumerate(zip(changes, (10, 5), strict=True)):
        expected = (clean, 0.5 + factor * change, clean + change)
        for axis, pixels in zip(axes[3 * row : 3 * row + 3], expected, strict=True):
            upright = pixels[0].transpose(1, 2, 0).clip(0, 1)
            np.testing.assert_allclose(axis.images[0].get_array(), upright, atol=1e-5)


def test_accuracies_are_filled_on_non_members_and_hollow_on_members(draw):
    """Three kinds from above; a run's members stand above its non-members; a tick for each seed."""
    values = {
        "train_accuracy": [0.99, 0.97],
        "test_accuracy": [0.9, 0.8],
        "adv_train_accuracy": [0.7, 0.6],
        "adv_test_accuracy": [0.5, 0.4],
        "verified_train_accuracy": [0.3, 0.2],
        "verified_test_accuracy": [0.2, 0.0],
    }
    tables = [pd.DataFrame(values).assign(run=run, seed=[0, 1]) for run in ("b", "a")]
    tables[1][list(values)] /= 2
    figure = draw("accuracies", ["b", "a"], pd.concat(tables))
    means = [line for line in figure.axes[0].lines if line.get_marker() != "|"]
    ticks = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    expected = {
        (round(np.mean(values[f"{prefix}{side}_accuracy"]) / (1 + position), 6), position + shift, side == "test")
        for prefix in ("", "adv_", "verified_")
        for position in (0, 1)
        for side, shift in (("train", -0.14), ("test", 0.14))
    }
    drawn = {
        (round(float(line.get_xdata()[0]), 6), float(line.get_ydata()[0]), line.get_markerfacecolor() != "white")
        for line in means
    }
    assert drawn == expected
    assert sorted(x for line in ticks for x in line.get_xdata()) == sorted(
        value / (1 + position) for column in values.values() for value in column for position in (0, 1)
    )
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["clean", "adversarial", "verified", "non-members", "members"]


def test_accuracies_without_the_verified_signal_have_two_kinds(draw):
    table = pd.DataFrame({"run": ["a"], "train_accuracy": 1.0, "test_accuracy": 0.9, "adv_train_accuracy": 0.8})
    table = table.assign(adv_test_accuracy=0.7, verified_train_accuracy=np.nan, verified_test_accuracy=np.nan)
    figure = draw("accuracies", ["a"], table)
    assert "verified" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_margin_histograms_are_parts_of_each_side_with_a_line_at_0(draw):
    edges = [-30.0, -5.0, 0.0, 4.0, 20.0]
    counts = {
        ("r", "member"): [6, 2, 0, 0],
        ("r", "nonmember"): [0, 1, 3, 0],
        ("q", "member"): [0, 0, 4, 0],
        ("q", "nonmember"): [0, 0, 1, 1],
    }
    rows = [
        {"run": run, "membership": side, "margin_logits_low": low, "margin_logits_high": high, "records": records}
        for (run, side), column in counts.items()
        for low, high, records in zip(edges, edges[1:], column, strict=False)
    ]
    figure = draw("margin_histogram", ["r", "q"], pd.DataFrame(rows))
    for axis, run in zip(figure.axes, ("r", "q"), strict=True):
        assert axis.get_ylabel() == run
        assert list(axis.lines[0].get_xdata()) == [0.0, 0.0]
        for patch, side in zip(axis.patches, ("member", "nonmember"), strict=True):
            heights, drawn, _ = patch.get_data()
            np.testing.assert_allclose(heights, np.array(counts[run, side]) / sum(counts[run, side]))
            np.testing.assert_allclose(drawn, edges)
            assert patch.get_fill() == (side == "member")


@pytest.mark.parametrize("edges", [[-60.0, -50.0, -40.0], [900.0, 1000.0, 1490.0]])
def test_margins_of_one_sign_are_in_view_and_so_is_0(draw, edges):
    rows = [
        {"run": "r", "membership": side, "margin_logits_low": low, "margin_logits_high": high, "records": 3}
        for side in ("member", "nonmember")
        for low, high in pairwise(edges)
    ]
    left, right = draw("margin_histogram", ["r"], pd.DataFrame(rows)).axes[0].get_xlim()
    assert left < min(edges[0], 0) <= max(edges[-1], 0) < right


def test_only_the_papers_strategies_are_in_its_figure(draw):
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
    figure = draw("inference_accuracy", ["a"], pd.DataFrame(rows))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len([label for label in labels if "honest threshold" in label]) == 1


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
    figure = draw("attack_auc", ["a", "b"], pd.DataFrame(rows))
    axis = figure.axes[0]
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert [label.rpartition(", ")[2] for label in labels] == ["s", "s", "all"]
    assert labels[1:] == ["lira online, s", "joint, all"]
    assert [text.get_text() for text in axis.texts] == ["0.61", "0.51", "0.71", "0.61", "0.81", "0.71"]


def risks() -> pd.DataFrame:
    """Four members and a non-member under natural training and a defense, two seeds."""
    rows = []
    for seed in (1, 0):
        for run in ("natural", "pgd"):
            for record, (before, after, member) in enumerate(
                [(0.1, 0.3, True), (0.2, 0.9, True), (0.5, 0.4, True), (0.3, 0.6, True), (0.0, 1.0, False)]
            ):
                risk = before if run == "natural" else after
                change = None if run == "natural" else after - before
                rows.append([run, seed, record, record % 2, member, risk + 0.01 * seed, change])
    return pd.DataFrame(rows, columns=["run", "seed", "record", "label", "member", "risk", "risk_change"])


def test_the_members_most_at_risk_are_shown_with_both_risks(draw):
    images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 1, 2, 2)
    records = records_of(["even", "odd"], images)
    figure = draw("most_at_risk", ["natural", "pgd"], risks(), records)
    shown = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in shown] == ["odd\n1", "odd\n3", "even\n0", "even\n2"]
    assert [axis.get_xlabel() for axis in shown] == ["21 → 91", "31 → 61", "11 → 31", "51 → 41"]
    np.testing.assert_allclose(shown[0].images[0].get_array(), images[1, 0] / 255)
    assert figure.axes[0].get_ylabel() == "pgd"


def test_without_a_defense_nobody_is_at_more_risk_and_the_figure_says_so(draw):
    table = risks()
    figure = draw("most_at_risk", ["natural"], table[table.run == "natural"], records_of(["even", "odd"]))
    assert [text.get_text() for text in figure.axes[0].texts] == ["no defense beside natural training"]


def test_agreement_is_symmetric_with_seeds_on_the_diagonal(draw):
    table = pd.DataFrame(
        [
            ["methods", "a", "b", 0.4, 0.1],
            ["methods", "a", "b", 0.6, 0.1],
            ["seeds", "a", "a", 0.9, 0.2],
            ["seeds", "b", "b", 0.7, 0.0],
        ],
        columns=["kind", "run_a", "run_b", "spearman", "nonmember_spearman"],
    )
    figure = draw("risk_agreement", ["a", "b"], table)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0.90\n(0.20)", "0.50\n(0.10)", "0.50\n(0.10)", "0.70\n(0.00)"]


def test_every_run_is_drawn_however_many_there_are(draw):
    robustness, membership = robustness_and_membership(MANY)
    means = over_seeds(membership)
    assert len(draw("inference_accuracy", MANY, means).axes[0].get_yticks()) == 12
    gap = draw("leakage_and_gap", MANY, leakage_and_gap(robustness, membership, means))
    assert {text.get_text() for text in gap.legends[0].get_texts()} >= set(MANY)
    curve = pd.DataFrame({"false_positive_rate": [0.1, 1.0], "true_positive_rate": [0.2, 1.0]})
    curve = curve.assign(strategy="I_B", signal="benign")
    drawn = labelled_lines(draw("roc", MANY, pd.concat([curve.assign(run=run) for run in MANY])))
    assert set(MANY) <= set(drawn)
    np.testing.assert_allclose(drawn["run3"], [[0.1, 0.2], [1.0, 1.0]])


def test_training_curves_show_the_side_and_kind_they_name(draw):
    values = {"member_clean": 0.9, "member_adversarial": 0.7, "nonmember_clean": 0.8, "nonmember_adversarial": 0.6}
    table = pd.DataFrame({"run": "a", "epoch": [1, 2], **{name: [0.1, value] for name, value in values.items()}})
    drawn = labelled_lines(draw("training_curves", ["a"], table))
    ends = {label: xy[-1].tolist() for label, xy in drawn.items()}
    assert ends == {
        "members, clean": [2, 0.9],
        "members, adversarial": [2, 0.7],
        "non-members, clean": [2, 0.8],
        "non-members, adversarial": [2, 0.6],
    }


def test_training_without_a_monitor_is_said(draw):
    table = pd.DataFrame({"run": "a", "epoch": [1, 2]}).assign(
        **dict.fromkeys(["member_clean", "member_adversarial", "nonmember_clean", "nonmember_adversarial"], np.nan)
    )
    figure = draw("training_curves", ["a"], table)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no monitor"]


def test_examples_show_wrong_predictions_as_wrong(draw):
    images = np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float32)
    labels = np.array([0, 1])
    shown = Examples(labels, images, 1 - images, labels, labels, np.array([0, 0]))
    figure = draw("examples", ["a"], records=records_of(["cat", "a very long name"]), examples={"a": shown})
    said = [(axis.get_xlabel(), axis.xaxis.label.get_fontweight()) for axis in figure.axes]
    assert said[0] == ("cat", "normal")
    assert said[2] == ("cat", "normal")
    assert said[3] == ("a very l…", "normal")
    assert said[5] == ("cat", "bold")


def test_a_figure_is_the_same_bytes_when_it_is_drawn_again(tmp_path, draw):
    """Nothing stands above it, and no date is in it."""
    table = pd.DataFrame({"run": "a", "epoch": [1, 2], "member_clean": 0.9, "member_adversarial": 0.7})
    table = table.assign(nonmember_clean=0.8, nonmember_adversarial=0.6)
    paths = [tmp_path / f"{name}.{ending}" for name in ("one", "other") for ending in ("png", "pdf", "svg")]
    for start in (0, 3):
        drawing = draw("training_curves", ["a"], table)
        assert not drawing.texts
        save(drawing, paths[start : start + 3])
    assert [path.read_bytes() for path in paths[:3]] == [path.read_bytes() for path in paths[3:]]


def test_settings_of_a_figure_are_its_size_font_and_colours(draw):
    table = pd.DataFrame({"run": "a", "epoch": [1, 2], "member_clean": 0.9, "member_adversarial": 0.7})
    table = table.assign(nonmember_clean=0.8, nonmember_adversarial=0.6)
    look = {"width": 5.0, "height": 3.0, "font_size": 11.0, "palette": "Set2"}
    drawing = draw("training_curves", ["a"], table, **look)
    assert drawing.get_size_inches().tolist() == [5.0, 3.0]
    assert drawing.axes[0].xaxis.label.get_fontsize() == 11.0
    assert drawing.axes[0].lines[0].get_color() == sns.color_palette("Set2")[0]
    with refused("palette", "'no such'", error=ValidationError):
        draw("training_curves", ["a"], table, palette="no such")


def test_names_from_data_are_text_and_no_formulas(draw):
    for name in ("$$", "$a$", "$x_{$", "\\frac"):
        drawing = plt.figure()
        drawing.text(0, 0, shortened(name))
        drawing.text(0, 0, ending(name))
        drawing.canvas.draw()
        plt.close(drawing)
