"""Leakage against what may explain it, over all runs and points of all sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import seaborn as sns

from robustmia.reporting.explanation import TITLES
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.style import GREY, colors_of, grid, markers
from robustmia.reporting.labels import spaced
from robustmia.reporting.tables import rows_of
from robustmia.studies.sweep import MARGIN

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


def draw_explanation(rows: pd.DataFrame, correlations: pd.DataFrame) -> Drawing:
    """A panel for each quantity: every run at every point, and the fitted line."""
    methods = list(dict.fromkeys(rows.method))
    panels = rows_of(correlations)
    columns = max(1, min(2, len(panels)))
    figure = Figure(width=3.3 * columns, height=0.6 + 2.1 * max(1, -(-len(panels) // columns)))
    colors = colors_of(methods, figure)
    drawing, axes = grid(max(1, -(-len(panels) // columns)), columns, figure, sharey=True)
    for axis, row in zip(axes.flat, panels, strict=False):
        factor = 1 if row["quantity"] == MARGIN else 100
        for (method, color), marker in zip(colors.items(), markers(), strict=False):
            part = rows[rows.method == method]
            axis.plot(
                factor * part[row["quantity"]],
                100 * part.leak,
                marker,
                color=color,
                markersize=3,
                alpha=0.75,
                label=spaced(method),
            )
        ends = np.array([rows[row["quantity"]].min(), rows[row["quantity"]].max()])
        axis.plot(factor * ends, 100 * (row["intercept"] + row["slope"] * ends), color=GREY, linewidth=1.0)
        axis.axhline(50, color=GREY, linewidth=0.8, linestyle=":")
        unit = "" if row["quantity"] == MARGIN else " (%)"
        axis.set(
            xlabel=f"{TITLES[row['quantity']]}{unit}".replace(" - ", " − "),
            title=f"rank correlation {row['rank_correlation']:+.2f}",
        )
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("strongest attack (%)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper center", ncols=min(4, max(1, len(labels))), frameon=False)
    sns.despine(drawing)
    return drawing
