"""What all figures share: every run is drawn, settings are obeyed, and files are the same when they are written again."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
from matplotlib.colors import to_rgba
from pydantic import ValidationError

from figure_helpers import MANY, conclusions_of, labelled_lines
from helpers import refused
from reporting_helpers import over_seeds, robustness_and_membership
from robustmia.reporting.figures.style import ending, on_map, save, shortened
from robustmia.reporting.tables import leakage_and_gap

HISTORY = pd.DataFrame({"run": "a", "epoch": [1, 2], "member_clean": 0.9, "member_adversarial": 0.7}).assign(
    nonmember_clean=0.8, nonmember_adversarial=0.6, verified_accuracy=np.nan
)


def test_every_run_is_drawn_however_many_there_are(draw):
    robustness, membership = robustness_and_membership(MANY)
    means, conclusions = over_seeds(membership), conclusions_of(**dict.fromkeys(MANY, 0.6))
    assert len(draw("inference_accuracy", MANY, means, conclusions).axes[0].get_yticks()) == 12
    for name, table in (("leakage_and_gap", leakage_and_gap(robustness, membership, means)), ("trade_off", robustness)):
        assert {text.get_text() for text in draw(name, MANY, table, conclusions).axes[0].texts} >= set(MANY)
    curve = pd.DataFrame({"false_positive_rate": [0.1, 1.0], "true_positive_rate": [0.2, 1.0]})
    curve = curve.assign(strategy="I_B", signal="benign", method="pgd", seed=0)
    drawn = labelled_lines(draw("roc", MANY, pd.concat([curve.assign(run=run) for run in MANY])))
    assert set(MANY) <= set(drawn)


def test_rows_are_neither_too_low_nor_too_high(draw):
    """However many runs there are."""
    table = pd.concat([HISTORY.assign(run=run) for run in MANY])
    assert draw("training_curves", MANY, table).get_figheight() > 5.6
    assert draw("training_curves", MANY[:1], table).get_figheight() <= 3.0


def test_a_run_has_one_colour_in_all_figures_whatever_their_order(draw):
    robustness, membership = robustness_and_membership(MANY[:3])
    gap = leakage_and_gap(robustness, membership, over_seeds(membership))
    expected = [(*color, 1.0) for color in sns.color_palette("colorblind")[:3]]
    conclusions = conclusions_of(run2=0.7, run0=0.6, run1=0.5)
    for name, table in (("trade_off", robustness), ("leakage_and_gap", gap)):
        lines = draw(name, MANY[:3], table, conclusions).axes[0].lines
        assert [to_rgba(line.get_color()) for line in lines if len(line.get_xdata()) == 1] == expected


@pytest.mark.parametrize("value", [-1.0, -0.7, -0.5, 0.0, 0.3, 0.59, 0.61, 1.0])
def test_text_on_a_map_can_be_read_on_its_cell(value):
    """A contrast of 3.5 at least, by relative luminance as WCAG 2 defines it."""

    def luminance(color) -> float:
        channels = np.array(to_rgba(color)[:3])
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted([luminance(on_map(value)), luminance(plt.get_cmap("RdBu_r")((value + 1) / 2))])
    assert (light + 0.05) / (dark + 0.05) > 3.5


def test_a_figure_is_the_same_bytes_when_it_is_drawn_again(tmp_path, draw):
    """Nothing stands above it, and no date is in it."""
    paths = [tmp_path / f"{name}.{ending}" for name in ("one", "other") for ending in ("png", "pdf", "svg")]
    for start in (0, 3):
        drawing = draw("training_curves", ["a"], HISTORY)
        assert not drawing.get_suptitle()
        save(drawing, paths[start : start + 3])
    assert [path.read_bytes() for path in paths[:3]] == [path.read_bytes() for path in paths[3:]]


def test_settings_of_a_figure_are_its_size_font_and_colours(draw):
    look = {"width": 5.0, "height": 2.5, "font_size": 11.0, "palette": "Set2"}
    drawing = draw("training_curves", ["a"], HISTORY, **look)
    assert drawing.get_size_inches().tolist() == [5.0, 2.5]
    assert drawing.axes[0].title.get_fontsize() == 11.0
    assert drawing.axes[0].lines[0].get_color() == sns.color_palette("Set2")[0]
    with refused("palette", "'no such'", error=ValidationError):
        draw("training_curves", ["a"], HISTORY, palette="no such")


def test_names_from_data_are_text_and_no_formulas(draw):
    for name in ("$$", "$a$", "$x_{$", "\\frac"):
        drawing = plt.figure()
        drawing.text(0, 0, shortened(name, 9))
        drawing.text(0, 0, ending(name))
        drawing.canvas.draw()
        plt.close(drawing)
