"""The paper's first figure: losses of members and non-members, as cumulative distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import SIGNAL_TITLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class LossDistribution(Figure):
    """The paper's first figure: losses of members and non-members, as cumulative distributions."""

    table = "loss_histogram"
    content = "losses of members and non-members"
    height: Inches = 6.8

    def draw(self, data: FigureData) -> Drawing:
        """Percent of members and of non-members whose cross-entropy is lower than what is on the axis, for each run and signal."""
        import seaborn as sns

        from robustmia.reporting.figures.style import (
            both_sides_handles,
            colors_of,
            draw_both_sides,
            fit_height,
            grid,
            log_ticks,
            name_rows,
            rising_part,
        )

        table, runs, colors = data.table, data.runs, colors_of(data.runs, self)
        signals = [signal for signal in SIGNAL_TITLES if (table.signal == signal).any()]
        drawing, axes = grid(len(runs), len(signals), self, sharex=True, sharey=True)
        fit_height(drawing, len(runs), least=0.6, most=1.5, rest=1.2)
        counts = table.groupby(["run", "signal", "membership", "loss_nats_low", "loss_nats_high"]).records.sum()
        for row, run in enumerate(runs):
            for axis, signal in zip(axes[row], signals, strict=True):
                draw_both_sides(axis, counts.loc[run, signal], colors[run])
        for column in axes.T:
            log_ticks(column[0], *rising_part(column), count=2)
        name_rows(axes, runs, [SIGNAL_TITLES[signal].replace(" ", "\n", 1) for signal in signals])
        for axis in axes[:, 0]:
            axis.set(ylim=(-2, 102), yticks=(0, 50, 100))
        drawing.supxlabel("cross-entropy loss (nats)", fontsize=self.font_size)
        drawing.supylabel("records with a lower loss (%)", fontsize=self.font_size)
        drawing.legend(handles=both_sides_handles(), loc="outside upper center", ncols=2, frameon=False)
        sns.despine(drawing)
        return drawing
