"""Sorted sensitivities, beside what training again does by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import seaborn as sns

from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.style import GREY, colors_of, grid, markers
from robustmia.reporting.labels import spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


def draw_sensitivity(table: pd.DataFrame) -> Drawing:
    """A panel for each signal: every run's sensitivities from the largest on, with the band of retrainings that leave nothing out."""
    runs, signals = (list(dict.fromkeys(table[name])) for name in ("run", "signal"))
    figure = Figure(width=6.8, height=2.9)
    colors = colors_of(runs, figure)
    drawing, axes = grid(1, len(signals), figure, sharey=True)
    for axis, signal in zip(axes[0], signals, strict=True):
        for (run, color), marker in zip(colors.items(), markers(), strict=False):
            part = table[(table.run == run) & (table.signal == signal)]
            place = np.arange(1, len(part) + 1)
            axis.fill_between(place, 100 * part.band_low, 100 * part.band_high, color=color, alpha=0.18, linewidth=0)
            axis.plot(place, 100 * part.sensitivity, marker, color=color, markersize=3, label=spaced(run))
        axis.axhline(0.0, color=GREY, linewidth=0.8, linestyle=":")
        axis.set(title=f"{signal} inputs", xlabel="records that were left out, sorted")
    axes[0, 0].set_ylabel("confidence lost without the record\n(percentage points)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    handles.append(axes[0, 0].fill_between([], [], [], color="0.6", alpha=0.4, linewidth=0))
    labels.append("95 % of retrainings that leave nothing out")
    drawing.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    sns.despine(drawing)
    return drawing
