"""Leakage against the robust generalisation gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import spaced, symbol

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class LeakageAndGap(Figure):
    """Leakage against the robust generalisation gap."""

    table = "leakage_and_gap"
    content = "leakage against the robust generalisation gap"
    quotes = ("adversarial",)
    height: Inches = 3.2

    def draw(self, data: FigureData) -> Drawing:
        """Honest accuracy of I_A against the robust generalisation gap; the line is the correctness baseline, 1/2 + gap / 2."""
        import seaborn as sns
        from matplotlib.ticker import MaxNLocator

        from robustmia.reporting.figures.style import GREY, colors_of, grid, markers

        table, runs = data.table, data.runs
        colors = colors_of(runs, self)
        drawing, axes = grid(1, 1, self)
        axis = axes[0, 0]
        widest = max(table.robust_gap.max(), 0.02)
        axis.plot(
            [0, widest], [0.5, 0.5 + widest / 2], color=GREY, linewidth=0.8, linestyle=":", label="correctness baseline"
        )
        for run, marker in zip(runs, markers(), strict=False):
            rows = table[table.run == run]
            axis.plot(rows.robust_gap, rows.accuracy, marker, color=colors[run], alpha=0.35, markersize=3)
            mean, low, high = rows[["accuracy", "low", "high"]].mean()
            axis.errorbar(
                rows.robust_gap.mean(),
                mean,
                yerr=[[mean - low], [high - mean]],
                fmt=marker,
                color=colors[run],
                elinewidth=1,
                label=spaced(run),
            )
        axis.xaxis.set_major_locator(MaxNLocator(6))
        axis.set(
            xlabel="adv. train accuracy − adv. test accuracy", ylabel=f"accuracy of {symbol('I_A')}, honest threshold"
        )
        drawing.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
        sns.despine(drawing)
        return drawing
