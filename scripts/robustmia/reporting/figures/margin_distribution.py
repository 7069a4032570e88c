"""Verified margins of members and non-members, as cumulative distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class MarginDistribution(Figure):
    """Verified margins of members and non-members, as cumulative distributions."""

    table = "margin_histogram"
    content = "verified margins of members and non-members"
    quotes = ("verified",)
    needs_signal = "verified"
    height: Inches = 5.0

    def draw(self, data: FigureData) -> Drawing:
        """Percent of members and of non-members whose highest bound of z_k - z_y is lower; at the line it is the verified accuracy."""
        import seaborn as sns
        from matplotlib.lines import Line2D
        from matplotlib.ticker import StrMethodFormatter

        from robustmia.reporting.figures.style import (
            GREY,
            both_sides_handles,
            colors_of,
            draw_both_sides,
            legend_of_panels,
            panels,
            rising_part,
        )

        table, runs, colors = data.table, data.runs, colors_of(data.runs, self)
        counts = table.groupby(["run", "membership", "margin_logits_low", "margin_logits_high"]).records.sum()
        drawing, axes, free = panels(runs, self)
        for axis, run in zip(axes, runs, strict=True):
            draw_both_sides(axis, counts.loc[run], colors[run])
            axis.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
        low, high = rising_part(axes)
        for axis in axes:
            axis.set_xscale("asinh")
            axis.set_xticks([-1000, -10, 0, 10, 1000])
            axis.set_xticks([-100, -1, 1, 100], minor=True)
            axis.set(xlim=(min(low, -1), max(high, 1)), ylim=(-2, 102), yticks=(0, 50, 100))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        drawing.supxlabel("highest bound of a wrong class's margin (logits)", fontsize=self.font_size)
        drawing.supylabel("records with a lower bound (%)", fontsize=self.font_size)
        verified = Line2D([], [], color=GREY, linewidth=0.8, linestyle=":", label="verified below 0")
        legend_of_panels(drawing, [*both_sides_handles(), verified], free)
        sns.despine(drawing)
        return drawing
