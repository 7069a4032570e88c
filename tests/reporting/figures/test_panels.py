"""Figures with a panel or a row of images for each run, by what matplotlib was told to draw."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from figure_helpers import FIRST, SECOND, THIRD, labelled_lines, legend_of, records_of
from robustmia.files.signals import Examples
from robustmia.reporting.figures.style import RED

SIDES = ("member", "nonmember")

# ---------------------------------------------------------------- distributions


def losses(counts: dict[tuple[str, str, str], list[int]], edges: list[float]) -> pd.DataFrame:
    """A histogram by run, signal and membership."""
    return pd.concat(
        pd.DataFrame({"run": run, "signal": signal, "membership": side, "records": records}).assign(
            loss_nats_low=edges[:-1], loss_nats_high=edges[1:]
        )
        for (run, signal, side), records in counts.items()
    )


def margins(counts: dict[tuple[str, str], list[int]], edges: list[float]) -> pd.DataFrame:
    """A histogram by run and membership."""
    return pd.DataFrame(
        {"run": run, "membership": side, "margin_logits_low": low, "margin_logits_high": high, "records": records}
        for (run, side), column in counts.items()
        for (low, high), records in zip(pairwise(edges), column, strict=True)
    )


def test_losses_are_cumulative_in_percent_solid_for_members_and_dashed_for_non_members(draw):
    """The records of the open-ended bins are below the first edge and above the last one, wherever that is."""
    places = [(run, signal) for run in ("natural", "my_pgd") for signal in ("benign", "adversarial")]
    counts = {(*place, side): [1, 2 + number, 3, 4] for number, place in enumerate(places) for side in SIDES}
    counts["natural", "benign", "nonmember"] = [0, 0, 5, 5]
    figure = draw("loss_distribution", ["natural", "my_pgd"], losses(counts, [0.0, 1e-3, 1e-2, 1e-1, np.inf]))
    assert [axis.get_title() for axis in figure.axes] == ["clean\ninputs\n", "adversarial\ninputs\n", "", ""]
    assert [text.get_text() for axis in figure.axes for text in axis.texts] == ["natural", "my pgd"]
    for number, (axis, place) in enumerate(zip(figure.axes, places, strict=True)):
        for line, side, look in zip(axis.lines, SIDES, ("-", "--"), strict=True):
            records = np.array(counts[(*place, side)])
            percent = 100 * records.cumsum()[:-1] / records.sum()
            np.testing.assert_allclose(line.get_xydata(), np.column_stack([[1e-3, 1e-2, 1e-1], percent]))
            assert line.get_linestyle() == look
            assert to_rgba(line.get_color()) == (FIRST, SECOND)[number // 2]
        assert axis.get_xscale() == "log"
    assert {label: line.get_linestyle() for label, line in legend_of(figure).items()} == {
        "members": "-",
        "non-members": "--",
    }


def test_the_axis_of_losses_has_the_part_where_curves_rise(draw):
    edges = [0.0, *10.0 ** np.arange(-8, 3), np.inf]
    counts = {("a", "benign", side): [0] * 4 + [1, 1, 1] + [0] * 5 for side in SIDES}
    counts |= {("a", "adversarial", side): [3] + [0] * 10 + [1] for side in SIDES}
    some, open_ended = draw("loss_distribution", ["a"], losses(counts, edges)).axes
    assert some.get_xlim() == pytest.approx((1e-5, 1e-2))
    assert open_ended.get_xlim() == pytest.approx((1e-8, 1e2))


def test_margins_are_cumulative_with_a_line_at_0(draw):
    edges = [-30.0, -5.0, 0.0, 4.0, 20.0]
    counts = {
        ("r", "member"): [6, 2, 0, 0],
        ("r", "nonmember"): [0, 1, 3, 0],
        ("q", "member"): [0, 0, 4, 0],
        ("q", "nonmember"): [0, 0, 1, 1],
    }
    figure = draw("margin_distribution", ["r", "q"], margins(counts, edges))
    for axis, run in zip(figure.axes, ("r", "q"), strict=True):
        assert axis.get_title("left") == run
        *curves, zero = axis.lines
        assert list(zero.get_xdata()) == [0, 0]
        for line, side in zip(curves, SIDES, strict=True):
            percent = 100 * np.cumsum(counts[run, side])[:-1] / sum(counts[run, side])
            np.testing.assert_allclose(line.get_xydata(), np.column_stack([edges[1:-1], percent]))
    assert legend_of(figure)["verified below 0"].get_linestyle() == zero.get_linestyle()


@pytest.mark.parametrize("edges", [[-60.0, -50.0, -40.0, -30.0], [900.0, 1000.0, 1100.0, 1490.0]])
def test_margins_of_one_sign_are_in_view_and_so_is_0(draw, edges):
    counts = {("r", side): [3, 3, 3] for side in SIDES}
    left, right = draw("margin_distribution", ["r"], margins(counts, edges)).axes[0].get_xlim()
    assert left <= min(edges[1], -1) < max(edges[2], 1) <= right


# ---------------------------------------------------------------- training curves

COLUMNS = ["member_clean", "nonmember_clean", "member_adversarial", "nonmember_adversarial", "verified_accuracy"]


def history(**levels: float) -> pd.DataFrame:
    """Two epochs and two seeds of runs, whose accuracies differ by columns and seeds."""
    return pd.concat(
        pd.DataFrame(
            {"run": run, "epoch": [1, 2], **{name: level + i / 10 + seed / 50 for i, name in enumerate(COLUMNS)}}
        )
        for run, level in levels.items()
        for seed in (0, 1)
    )


def test_training_curves_have_a_colour_for_each_kind_and_a_dash_for_each_side(draw):
    levels = {"first": 0.1, "second": 0.5, "third": 0.3}
    figure = draw("training_curves", list(levels), history(**levels))
    *axes, free = figure.axes
    assert [axis.get_title("left") for axis in axes] == list(levels)
    assert not free.axison
    assert not figure.legends  # it is in the free place
    for axis, level in zip(axes, levels.values(), strict=True):
        bands = [band.get_paths()[0].vertices[:, 1] for band in axis.collections]
        for i, (line, band) in enumerate(zip(axis.lines, bands, strict=True)):
            np.testing.assert_allclose(line.get_ydata(), 100 * (level + i / 10 + 0.01))
            assert (band.min(), band.max()) == pytest.approx((100 * (level + i / 10), 100 * (level + i / 10 + 0.02)))
        assert [to_rgba(line.get_color()) for line in axis.lines] == [FIRST, FIRST, SECOND, SECOND, THIRD]
        assert [line.get_linestyle() for line in axis.lines] == ["-", "--", "-", "--", ":"]
    handles = legend_of(figure).values()
    assert [(handle.get_color(), handle.get_linestyle()) for handle in handles] == [
        (line.get_color(), line.get_linestyle()) for line in axes[0].lines
    ]


def test_training_curves_show_the_side_and_kind_they_name(draw):
    values = dict(zip(COLUMNS, (0.9, 0.8, 0.7, 0.6, np.nan), strict=True))
    table = pd.DataFrame({"run": "a", "epoch": [1, 2], **{name: [0.1, value] for name, value in values.items()}})
    table.verified_accuracy = np.nan
    figure = draw("training_curves", ["a"], table)
    ends = {label: xy[-1].tolist() for label, xy in labelled_lines(figure).items()}
    assert ends == {
        "members, clean": [2, 90],
        "members, adversarial": [2, 70],
        "non-members, clean": [2, 80],
        "non-members, adversarial": [2, 60],
    }
    assert set(legend_of(figure)) == set(ends)


def test_verified_training_images_are_drawn_where_a_method_counts_them(draw):
    table = history(natural=0.1, ibp=0.2)
    table.loc[table.run == "natural", "verified_accuracy"] = np.nan
    figure = draw("training_curves", ["natural", "ibp"], table)
    assert [len(axis.lines) for axis in figure.axes] == [4, 5]
    assert [label for label in legend_of(figure) if "verified" in label]


def test_training_without_a_monitor_is_said(draw):
    table = pd.DataFrame({"run": "a", "epoch": [1, 2]}).assign(**dict.fromkeys(COLUMNS, np.nan))
    figure = draw("training_curves", ["a"], table)
    assert [text.get_text() for text in figure.axes[0].texts] == ["not evaluated"]


# ---------------------------------------------------------------- examples


def shown_images(axes) -> list:
    return [axis.images[0] if axis.images else None for axis in axes]


def test_examples_show_the_clean_image_and_each_runs_change_and_adversarial_image(draw):
    """The change of a colour image is the mean over its channels; all have one scale, centred on 0."""
    random = np.random.default_rng(0)
    clean = random.random((1, 3, 4, 5)).astype(np.float32)
    changes = [0.05 * np.sign(random.normal(size=clean.shape)), 0.1 * random.random(clean.shape)]
    changes[1][0, :, 0, 0] = 0.1  # the largest
    label = np.array([0])
    shown = {
        run: Examples(label, clean, (clean + change).astype(np.float32), label, label, label)
        for run, change in zip(("a", "b"), changes, strict=True)
    }
    figure = draw("examples", ["a", "b"], records=records_of(["cat"]), examples=shown)
    axes = figure.axes[:6]  # the last one is the bar of colours
    assert [axis.get_title() for axis in axes] == ["clean", "", "perturbation", "adversarial", "", ""]
    assert [axis.get_ylabel() for axis in axes] == ["", "", "a", "", "b", ""]
    assert [text.get_text() for text in axes[1].texts] == ["true class:\ncat"]
    images = shown_images(axes)
    np.testing.assert_allclose(images[0].get_array(), clean[0].transpose(1, 2, 0))
    for change, (drawn, adversarial) in zip(changes, (images[2:4], images[4:6]), strict=True):
        np.testing.assert_allclose(drawn.get_array(), change[0].mean(axis=0), atol=1e-6)
        assert drawn.get_clim() == pytest.approx((-0.1, 0.1))
        np.testing.assert_allclose(
            adversarial.get_array(), (clean + change)[0].transpose(1, 2, 0).clip(0, 1), atol=1e-6
        )


def test_examples_mark_wrong_predictions_with_a_cross(draw):
    images = np.random.default_rng(0).random((2, 1, 4, 4)).astype(np.float32)
    labels, predictions, adversarial = np.array([0, 1]), np.array([0, 0]), np.array([0, 1])
    shown = Examples(labels, images, 1 - images, labels, predictions, adversarial)
    figure = draw("examples", ["a"], records=records_of(["cat", "a very long name"]), examples={"a": shown})
    said = [axis.xaxis.label for axis in figure.axes if axis.get_xlabel() and "→" in axis.get_xlabel()]
    assert [label.get_text() for label in said] == ["cat → cat", "cat ✗ → a very lo…"]
    assert [label.get_color() for label in said] == ["black", RED]


# ---------------------------------------------------------------- most at risk


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
    figure = draw("most_at_risk", ["natural", "pgd"], risks(), records=records)
    shown = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in shown] == ["odd\n1", "odd\n3", "even\n0", "even\n2"]
    assert [axis.get_xlabel() for axis in shown] == ["21 → 91", "31 → 61", "11 → 31", "51 → 41"]
    np.testing.assert_allclose(shown[0].images[0].get_array(), images[1, 0] / 255)
    assert figure.axes[0].get_ylabel() == "pgd"


def test_without_a_defense_nobody_is_at_more_risk_and_the_figure_says_so(draw):
    table = risks()
    figure = draw("most_at_risk", ["natural"], table[table.run == "natural"], records=records_of(["even", "odd"]))
    assert [text.get_text() for text in figure.axes[0].texts] == ["no defense beside natural training"]
