"""The paper's main result: the accuracy of each of its attacks on each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import PAPER_STRATEGIES, symbol

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class InferenceAccuracy(Figure):
    """The paper's main result: the accuracy of each of its attacks on each run."""

    table = "membership_over_seeds"
    content = "inference accuracy of each run with confidence intervals"
    is_sorted_by_leakage = True
    height: Inches = 4.2

    def draw(self, data: FigureData) -> Drawing:
        """Balanced accuracy of each strategy against each run: filled under the honest rule, hollow under the oracle."""
        import numpy as np
        import seaborn as sns
        from matplotlib.ticker import MaxNLocator

        from robustmia.reporting.figures.style import GREY, MARKERS, PAPER, fit_height, grid, kind_colors, runs_on_y

        runs, table = data.by_leakage, data.table
        table = table[(table.quantity == "accuracy") & table.strategy.isin(PAPER_STRATEGIES)]
        looks = dict(zip(PAPER_STRATEGIES, zip(kind_colors(self).values(), MARKERS, strict=False), strict=True))
        looks = {strategy: look for strategy, look in looks.items() if (table.strategy == strategy).any()}
        drawing, axes = grid(1, 1, self)
        fit_height(drawing, len(runs), least=0.1 + 0.1 * len(looks), most=0.8, rest=1.4)
        axis = axes[0, 0]
        offsets = np.linspace(-0.25, 0.25, len(looks)) if len(looks) > 1 else [0.0]
        for (strategy, (color, marker)), offset in zip(looks.items(), offsets, strict=True):
            for rule, face in (("oracle", PAPER), ("split", color)):
                rows = table[(table.strategy == strategy) & (table.threshold_rule == rule)]
                heights = rows.run.map(runs.index) + offset
                if rule == "split":
                    axis.hlines(heights, 100 * rows.low, 100 * rows.high, color=color)
                axis.plot(100 * rows["mean"], heights, marker, color=color, markerfacecolor=face, zorder=3)
        floor = 100 * table[table.threshold_rule == "oracle"].chance.mean()
        axis.axvline(50, color=GREY, linewidth=0.8, linestyle=":")
        axis.axvline(floor, color=GREY, linewidth=0.8, linestyle="--")
        runs_on_y(axis, runs, "inference accuracy (%)")
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        drawing.legend(handles=_handles(looks, floor), loc="outside lower center", ncols=2, frameon=False)
        sns.despine(drawing)
        return drawing


def _handles(looks: dict[str, tuple], floor: float) -> list[Artist]:
    """What markers and lines are, for a legend."""
    from matplotlib.lines import Line2D

    from robustmia.reporting.figures.style import GREY, PAPER

    return [
        *(
            Line2D([], [], color=color, marker=marker, label=f"{symbol(strategy)}, honest threshold")
            for strategy, (color, marker) in looks.items()
        ),
        Line2D([], [], color=GREY, marker="o", markerfacecolor=PAPER, linestyle="", label="oracle threshold"),
        Line2D([], [], color=GREY, linewidth=1.2, label="95 % confidence interval"),
        Line2D([], [], color=GREY, linewidth=0.8, linestyle=":", label="chance: 50 %"),
        Line2D([], [], color=GREY, linewidth=0.8, linestyle="--", label=f"chance, oracle: {floor:.1f} %"),
    ]
