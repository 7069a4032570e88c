"""Leakage against robustness: what a defense costs in privacy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class TradeOff(Figure):
    """Leakage against robustness: what a defense costs in privacy."""

    table = "robustness"
    content = "leakage of each run against its robustness"
    is_sorted_by_leakage = True
    quotes = ("adversarial",)
    height: Inches = 3.2

    def draw(self, data: FigureData) -> Drawing:
        """Balanced accuracy of the strongest honest attack on each run, against its adversarial test accuracy."""
        import numpy as np
        import seaborn as sns
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        from robustmia.reporting.figures.style import GREY, chance_line, colors_of, grid, markers, name_points

        runs, colors = list(data.runs), colors_of(data.runs, self)
        robust = 100 * data.table.groupby("run").adv_test_accuracy.agg(["mean", "min", "max"]).loc[runs].to_numpy()
        intervals = data.conclusions.set_index("run")[["accuracy", "accuracy_low", "accuracy_high"]]
        leakage = 100 * intervals.loc[runs].to_numpy()
        drawing, axes = grid(1, 1, self)
        axis = axes[0, 0]
        chance_line(axis)
        bars = []
        for run, marker, (x, *x_ends), (y, *y_ends) in zip(runs, markers(), robust, leakage, strict=False):
            axis.plot([x, x], y_ends, color=colors[run])
            axis.plot(x_ends, [y, y], color=colors[run], linewidth=0.8)
            axis.plot(x, y, marker, color=colors[run])
            bars += [[(x, end) for end in y_ends], [(end, y) for end in x_ends]]
        axis.margins(0.2, 0.08)
        axis.set(xlim=axis.get_xlim(), ylim=axis.get_ylim())
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_locator(MaxNLocator(6, integer=True))
        axis.set(xlabel="adversarial test accuracy (%)", ylabel="balanced accuracy of\nthe strongest honest attack (%)")
        handles = [Line2D([], [], color=GREY, marker="|", markersize=9, linestyle="", label="95 % confidence interval")]
        if data.table.seed.nunique() > 1:
            handles.append(Line2D([], [], color=GREY, marker="_", markersize=9, linestyle="", label="range over seeds"))
        drawing.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        sns.despine(drawing)
        name_points(axis, colors, np.column_stack([robust[:, 0], leakage[:, 0]]), np.array(bars))
        return drawing
