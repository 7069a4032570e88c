"""The paper's first figure: losses of members and non-members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import SIGNAL_TITLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class LossHistogram(Figure):
    """The paper's first figure: losses of members and non-members."""

    table = "loss_histogram"
    content = "losses of members and non-members"
    height: Inches = 6.8

    def draw(self, data: FigureData) -> Drawing:
        """Cross-entropy of members and non-members for each run and signal, as a part of each side's records."""
        from robustmia.reporting.figures.style import grid, histogram_of_both_sides, label_histograms, log_bin_edges

        table, runs = data.table, data.runs
        signals = [signal for signal in SIGNAL_TITLES if (table.signal == signal).any()]
        drawing, axes = grid(len(runs), len(signals), self, sharex=True, sharey=True)
        counts = table.groupby(["run", "signal", "membership", "loss_nats_low", "loss_nats_high"]).records.sum()
        for (row, run), (column, signal) in ((r, s) for r in enumerate(runs) for s in enumerate(signals)):
            axis = axes[row, column]
            edges = histogram_of_both_sides(axis, counts.loc[run, signal], self, log_bin_edges)
            axis.set(xscale="log", xlim=(edges[0], edges[-1]))
            axis.set_xticks([1e-12, 1e-6, 1e0] if len(signals) < 3 else [1e-10, 1e0])
            if row == 0:
                axis.set_title(SIGNAL_TITLES.get(signal, signal).replace(" ", "\n", 1))
        drawing.supxlabel("cross-entropy loss (nats)", fontsize=self.font_size)
        label_histograms(drawing, axes, runs, self)
        return drawing
