"""Leakage against the robust generalisation gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import symbol

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing
    from matplotlib.lines import Line2D

    from robustmia.reporting.figures.data import FigureData


class LeakageAndGap(Figure):
    """Leakage against the robust generalisation gap."""

    table = "leakage_and_gap"
    content = "leakage against the robust generalisation gap"
    quotes = ("adversarial",)
    height: Inches = 3.4

    def draw(self, data: FigureData) -> Drawing:
        """Honest accuracy of I_A against the robust generalisation gap; the line is the correctness baseline, 1/2 + gap / 2."""
        import numpy as np
        import seaborn as sns
        from matplotlib.ticker import MaxNLocator

        from robustmia.reporting.figures.style import GREY, chance_line, colors_of, grid, markers, name_points

        runs, colors = list(data.runs), colors_of(data.runs, self)
        table = data.table.assign(**(100 * data.table[["robust_gap", "accuracy", "low", "high"]]))
        means = table.groupby("run")[["robust_gap", "accuracy", "low", "high"]].mean().loc[runs].to_numpy()
        drawing, axes = grid(1, 1, self)
        axis = axes[0, 0]
        chance_line(axis)
        widest = max(table.robust_gap.max(), 2.0)
        baseline: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "linestyle": "--", "label": "correctness baseline"}
        axis.plot([0, widest], [50, 50 + widest / 2], zorder=0, **baseline)
        lines = [
            [(0, 50), (widest, 50 + widest / 2)],
            *([point, point] for point in table[["robust_gap", "accuracy"]].to_numpy()),
        ]
        for run, marker, (gap, accuracy, low, high) in zip(runs, markers(), means, strict=False):
            rows = table[table.run == run]
            if len(rows) > 1:
                axis.plot(rows.robust_gap, rows.accuracy, marker, color=colors[run], alpha=0.35, markersize=2.5)
            axis.plot([gap, gap], [low, high], color=colors[run])
            axis.plot(gap, accuracy, marker, color=colors[run])
            lines.append([(gap, low), (gap, high)])
        axis.margins(0.2, 0.08)
        axis.set(xlim=axis.get_xlim(), ylim=axis.get_ylim())
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_locator(MaxNLocator(6, integer=True))
        axis.set(
            xlabel="adv. train accuracy − adv. test accuracy (%)",
            ylabel=f"accuracy of {symbol('I_A')}, honest threshold (%)",
        )
        handles = _handles(baseline, table.seed.nunique() > 1)
        drawing.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        sns.despine(drawing)
        name_points(axis, colors, means[:, :2], np.array(lines))
        return drawing


def _handles(baseline: dict[str, Any], has_seeds: bool) -> list[Line2D]:
    from matplotlib.lines import Line2D

    from robustmia.reporting.figures.style import GREY

    handles = [
        Line2D([], [], **baseline),
        Line2D([], [], color=GREY, marker="|", markersize=9, linestyle="", label="95 % confidence interval"),
    ]
    if has_seeds:
        handles.append(
            Line2D([], [], color=GREY, marker="o", markersize=2.5, alpha=0.35, linestyle="", label="single seeds")
        )
    return handles
