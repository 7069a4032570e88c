"""Verified margins of members and non-members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class MarginHistogram(Figure):
    """Verified margins of members and non-members."""

    table = "margin_histogram"
    content = "verified margins of members and non-members"
    quotes = ("verified",)
    needs_signal = "verified"
    height: Inches = 6.8

    def draw(self, data: FigureData) -> Drawing:
        """The highest bound of z_k - z_y of members and non-members for each run; left of the line a record is verified."""
        from matplotlib.ticker import StrMethodFormatter

        from robustmia.reporting.figures.style import GREY, bin_edges, grid, histogram_of_both_sides, label_histograms

        table, runs = data.table, data.runs
        seen = table[table.records > 0]
        drawing, axes = grid(len(runs), 1, self, sharex=True)
        counts = table.groupby(["run", "membership", "margin_logits_low", "margin_logits_high"]).records.sum()
        for axis, run in zip(axes[:, 0], runs, strict=True):
            histogram_of_both_sides(axis, counts.loc[run], self, bin_edges)
            axis.axvline(0.0, color=GREY, linewidth=0.8, linestyle=":")
            axis.set_xscale("asinh")
            axis.set_xticks([-1000, -100, -10, 0, 10, 100, 1000])
            axis.set_xlim(1.5 * min(seen.margin_logits_low.min(), -1.0), 1.5 * max(seen.margin_logits_high.max(), 1.0))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.minorticks_off()
        drawing.supxlabel("highest bound of a wrong margin (logits)", fontsize=self.font_size)
        label_histograms(drawing, axes, runs, self)
        return drawing
