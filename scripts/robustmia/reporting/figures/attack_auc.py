"""The AUC of every attack on every signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import spaced, symbol

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


LEAST_REACH = 10.0  # points on both sides of chance that the colours span, so that noise is pale


class AttackAUC(Figure):
    """The AUC of every attack on every signal."""

    table = "membership_inference"
    content = "AUC of every attack on every signal"
    quotes = ()
    width: Inches = 4.6
    height: Inches = 7.6

    def draw(self, data: FigureData) -> Drawing:
        """AUC of every strategy on every signal against each run, mean over seeds; a strategy's AUC needs no threshold."""
        import numpy as np
        import pandas as pd
        import seaborn as sns
        from matplotlib.ticker import MaxNLocator

        from robustmia.reporting.figures.style import PAPER, grid, on_map, rotate_run_names

        table, runs = data.table, data.runs
        table = table[(table.strategy != "correctness") & (table.signal != "own_verified")]
        order = pd.MultiIndex.from_frame(table[["signal", "strategy"]].drop_duplicates())
        areas = 100 * table.groupby(["signal", "strategy", "run"]).auc.mean().unstack("run").loc[order, list(runs)]
        reach = max(LEAST_REACH, float(np.abs(areas.to_numpy() - 50).max()))
        drawing, axes = grid(1, 1, self)
        drawing.set_figheight(min(self.height, 1.6 + 0.19 * len(areas)))
        axis = axes[0, 0]
        labels = [
            f"{symbol(name) if name.startswith('I_') else spaced(name)}, {signal}" for signal, name in areas.index
        ]
        sns.heatmap(
            areas.set_axis(labels).set_axis([spaced(run) for run in runs], axis=1),
            ax=axis,
            annot=True,
            fmt=".0f",
            annot_kws={"size": self.font_size - 1.0},
            cmap="RdBu_r",
            vmin=50 - reach,
            vmax=50 + reach,
            cbar_kws={"label": "AUC (%), chance: 50", "shrink": 0.5, "ticks": MaxNLocator(5, integer=True)},
        )
        for text, area in zip(axis.texts, areas.to_numpy().flat, strict=True):
            text.set_color(on_map((area - 50) / reach))
        for boundary in np.flatnonzero(np.diff(areas.index.get_level_values("signal").factorize()[0])) + 1:
            axis.axhline(boundary, color=PAPER, linewidth=2.0)
        axis.set(xlabel="", ylabel="")
        rotate_run_names(axis)
        return drawing
