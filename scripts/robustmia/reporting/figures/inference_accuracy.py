"""The paper's main result: the accuracy of each of its attacks on each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import PAPER_STRATEGIES, symbol

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class InferenceAccuracy(Figure):
    """The paper's main result: the accuracy of each of its attacks on each run."""

    table = "membership_over_seeds"
    content = "inference accuracy of each run with confidence intervals"
    height: Inches = 4.2

    def draw(self, data: FigureData) -> Drawing:
        """Balanced accuracy of each strategy against each run: filled under the honest rule, hollow under the oracle."""
        import numpy as np
        import seaborn as sns
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        from robustmia.reporting.figures.style import GREY, grid, markers, palette, runs_on_y

        table, runs = data.table, data.runs
        table = table[(table.quantity == "accuracy") & table.strategy.isin(PAPER_STRATEGIES)]
        strategies = [strategy for strategy in PAPER_STRATEGIES if (table.strategy == strategy).any()]
        colors = dict(zip(strategies, palette(self, len(strategies)), strict=True))
        shapes = dict(zip(strategies, markers(), strict=False))
        drawing, axes = grid(1, 1, self)
        axis = axes[0, 0]
        offsets = np.linspace(-0.2, 0.2, len(strategies)) if len(strategies) > 1 else [0.0]
        for strategy, offset in zip(strategies, offsets, strict=True):
            color, of_strategy = colors[strategy], table[table.strategy == strategy]
            for rule, face in (("oracle", "white"), ("split", color)):
                rows = of_strategy[of_strategy.threshold_rule == rule]
                heights = rows.run.map(list(runs).index) + offset
                if rule == "split":
                    axis.hlines(heights, rows.low, rows.high, color=color)
                axis.plot(rows["mean"], heights, shapes[strategy], color=color, markerfacecolor=face, zorder=3)
        floor = table[table.threshold_rule == "oracle"].chance.mean()
        axis.axvline(0.5, color=GREY, linewidth=0.8)
        axis.axvline(floor, color=GREY, linewidth=0.8, linestyle=":")
        runs_on_y(axis, runs, "inference accuracy")
        axis.xaxis.set_major_locator(MaxNLocator(6))
        handles = [
            Line2D([], [], color=colors[s], marker=shapes[s], label=f"{symbol(s)}, honest threshold")
            for s in strategies
        ]
        handles += [
            Line2D([], [], color=GREY, marker="o", markerfacecolor="white", linestyle="", label="oracle threshold"),
            Line2D([], [], color=GREY, linestyle=":", linewidth=0.8, label="oracle on uninformative scores"),
        ]
        drawing.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        sns.despine(drawing)
        return drawing
