"""Ours against the published inference accuracies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import SIGNAL_TITLES, spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class Published(Figure):
    """Ours against the published inference accuracies."""

    table = "published"
    content = "inference accuracies against those that the paper published"
    quotes = ("adversarial",)
    needs_published = True
    height: Inches = 3.9

    def draw(self, data: FigureData) -> Drawing:
        """A point for each method: filled on adversarial inputs, hollow on clean ones; equal numbers lie on the diagonal."""
        import seaborn as sns
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        from robustmia.reporting.figures.style import GREY, PAPER, colors_of, grid, markers

        table = data.table
        colors, shapes = colors_of(data.runs, self), dict(zip(data.runs, markers(), strict=False))
        runs = list(dict.fromkeys(table.run))
        drawing, axes = grid(1, 1, self)
        axis = axes[0, 0]
        for row in table.to_dict("records"):
            color, x, y = colors[row["run"]], 100 * row["published"], 100 * row["mean"]
            axis.vlines(x, 100 * row["low"], 100 * row["high"], color=color, linewidth=1.0, alpha=0.7)
            face = color if row["inputs"] == "adversarial" else PAPER
            axis.plot(x, y, shapes[row["run"]], color=color, markerfacecolor=face, zorder=3)
        low = min(axis.get_xlim()[0], axis.get_ylim()[0], 100 * table.chance.min() - 0.5)
        high = max(axis.get_xlim()[1], axis.get_ylim()[1])
        axis.plot([low, high], [low, high], color=GREY, linewidth=0.8, zorder=0)
        axis.axhline(100 * table.chance.mean(), color=GREY, linewidth=0.8, linestyle=":", zorder=0)
        axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axis.set(xlabel="published inference accuracy (%)", ylabel="ours, oracle threshold (%)")
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_locator(MaxNLocator(6))
        handles = [
            Line2D([], [], color=colors[run], marker=shapes[run], linestyle="", label=spaced(run)) for run in runs
        ]
        handles += [
            Line2D([], [], color=GREY, marker="o", linestyle="", markerfacecolor=face, label=SIGNAL_TITLES[inputs])
            for inputs, face in (("benign", PAPER), ("adversarial", GREY))
        ]
        handles += [
            Line2D([], [], color=GREY, linewidth=0.8, label="equal"),
            Line2D([], [], color=GREY, linewidth=0.8, linestyle=":", label="chance, oracle"),
        ]
        drawing.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        sns.despine(drawing)
        return drawing
