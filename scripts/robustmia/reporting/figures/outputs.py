"""Attacks on changed outputs, beside what the change does to calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.style import GREY, PAPER, colors_of, grid
from robustmia.reporting.labels import spaced
from robustmia.reporting.outputs import BOUNDARY
from robustmia.studies.outputs import LABEL_ONLY

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

PANELS = {
    "clean inputs, threshold": "clean inputs",
    "adversarial inputs, threshold": "adversarial inputs",
    "adversarial inputs, shadow threshold": "adv. inputs, shadow threshold",
    "adversarial inputs, RMIA AUC": "adv. inputs, RMIA (AUC)",
}
OF_LABELS = {
    "clean inputs, threshold": "clean inputs, correctness",
    "adversarial inputs, threshold": "adversarial inputs, correctness",
}


def draw_outputs(table: pd.DataFrame) -> Drawing:
    """A panel for each attack, ways of giving outputs down, filled for an attacker who knows of the change; and the calibration error."""
    outputs, runs = (list(dict.fromkeys(table[name])) for name in ("output", "run"))
    shown = {name: title for name, title in PANELS.items() if name in set(table.quantity)}
    figure = Figure(width=7.0 if len(shown) < 3 else 9.4, height=1.2 + 0.3 * len(outputs))
    colors = colors_of(runs, figure)
    drawing, axes = grid(1, len(shown) + 1, figure)
    for axis, (quantity, title) in zip(axes[0], shown.items(), strict=False):
        for attacker in ("unaware", "aware"):
            part = table[table.attacker == attacker]
            _points(axis, _of_panel(part, quantity), outputs, colors, filled=attacker == "aware")
        if quantity in OF_LABELS:
            of_labels = table[(table.quantity == BOUNDARY) & (table.output == LABEL_ONLY) & (table.attacker == "aware")]
            _points(axis, of_labels, outputs, colors, filled=True, marker="^")
        axis.axvline(50, color=GREY, linewidth=0.8, linestyle=":")
        axis.set(title=title, xlabel="accuracy (%)" if "AUC" not in quantity else "AUC (%)")
    _points(axes[0, -1], table[table.quantity == "calibration error"], outputs, colors, filled=True)
    axes[0, -1].set(title="calibration error", xlabel="error (%)")
    for number, axis in enumerate(axes[0]):
        axis.set(yticks=range(len(outputs)), yticklabels=outputs if number == 0 else [])
        axis.set_ylim(len(outputs) - 0.5, -0.5)
        axis.grid(axis="y", color="0.92")
    _legend(drawing, axes[0, 0], colors)
    sns.despine(drawing)
    return drawing


def _of_panel(part: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Of labels alone the threshold attack is correctness."""
    own = part[part.quantity == quantity]
    other = part[(part.quantity == OF_LABELS.get(quantity)) & (part.output == LABEL_ONLY)]
    return pd.concat([own, other])


def _points(axis: Axes, part: pd.DataFrame, outputs: list[str], colors: dict, filled: bool, marker: str = "o") -> None:
    for number, (run, color) in enumerate(colors.items()):
        rows = part[part.run == run]
        y = np.array([outputs.index(output) for output in rows.output]) + 0.22 * (number - (len(colors) - 1) / 2)
        x = 100 * rows["mean"]
        if "low" in rows and rows.low.notna().any():
            axis.hlines(
                y, 100 * rows.low.astype(float), 100 * rows.high.astype(float), color=color, linewidth=0.7, alpha=0.5
            )
        axis.plot(x, y, marker, color=color, markersize=4, markerfacecolor=color if filled else PAPER, linestyle="")


def _legend(drawing: Drawing, axis: Axes, colors: dict) -> None:
    handles = [axis.plot([], [], "o", color=color, markersize=4)[0] for color in colors.values()]
    handles += [axis.plot([], [], "o", color=GREY, markerfacecolor=face, markersize=4)[0] for face in (PAPER, GREY)]
    handles += [axis.plot([], [], "^", color=GREY, markersize=4)[0]]
    labels = [*(spaced(run) for run in colors), "attacker unaware", "aware of the change", "distance to the boundary"]
    drawing.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
