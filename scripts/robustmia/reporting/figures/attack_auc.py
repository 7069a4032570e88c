"""The AUC of every attack on every signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import spaced, symbol

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


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

        from robustmia.reporting.figures.style import grid, rotate_run_names

        table, runs = data.table, data.runs
        table = table[(table.strategy != "correctness") & (table.signal != "own_verified")]
        order = pd.MultiIndex.from_frame(table[["signal", "strategy"]].drop_duplicates())
        areas = table.groupby(["signal", "strategy", "run"]).auc.mean().unstack("run").loc[order, list(runs)]
        drawing, axes = grid(1, 1, self)
        drawing.set_figheight(min(self.height, 1.6 + 0.17 * len(areas)))
        axis = axes[0, 0]
        labels = [
            f"{symbol(name) if name.startswith('I_') else spaced(name)}, {signal}" for signal, name in areas.index
        ]
        sns.heatmap(
            areas.set_axis(labels).set_axis([spaced(run) for run in runs], axis=1),
            ax=axis,
            annot=True,
            fmt=".2f",
            annot_kws={"size": self.font_size - 2.5},
            cmap="OrRd",
            vmin=min(0.48, float(areas.to_numpy().min())),
            cbar_kws={"label": "AUC", "shrink": 0.5},
        )
        for boundary in np.flatnonzero(np.diff(areas.index.get_level_values("signal").factorize()[0])) + 1:
            axis.axhline(boundary, color="white", linewidth=2.0)
        axis.set(xlabel="", ylabel="")
        rotate_run_names(axis)
        return drawing
