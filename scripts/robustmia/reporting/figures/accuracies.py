"""How well each run classifies: clean, under attack, and verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData

PREFIXES = {"clean": "", "adversarial": "adv_", "verified": "verified_"}  # of columns


class Accuracies(Figure):
    """How well each run classifies: clean, under attack, and verified."""

    table = "robustness"
    content = "clean, adversarial and verified accuracy of each run"
    is_sorted_by_leakage = True
    height: Inches = 3.6

    def draw(self, data: FigureData) -> Drawing:
        """Accuracy of each kind for each run, mean over seeds: filled on non-members, joined to the hollow one on members."""
        import numpy as np
        import seaborn as sns
        from matplotlib.lines import Line2D

        from robustmia.reporting.figures.style import (
            GREY,
            MARKERS,
            PAPER,
            fit_height,
            grid,
            kind_colors,
            runs_on_y,
        )

        runs, colors = data.by_leakage, kind_colors(self)
        means = 100 * data.table.groupby("run").mean(numeric_only=True).loc[runs]
        kinds = [kind for kind, prefix in PREFIXES.items() if means[f"{prefix}test_accuracy"].notna().any()]
        drawing, axes = grid(1, 1, self)
        fit_height(drawing, len(runs), least=0.4, most=0.7, rest=1.0)
        axis = axes[0, 0]
        looks = list(zip(kinds, MARKERS, np.linspace(-0.27, 0.27, len(kinds)), strict=False))
        for kind, marker, offset in looks:
            members, nonmembers = (means[f"{PREFIXES[kind]}{side}_accuracy"] for side in ("train", "test"))
            heights, color = np.arange(len(runs)) + offset, colors[kind]
            axis.hlines(heights, members, nonmembers, color=color, linewidth=0.8)
            axis.plot(members, heights, marker, color=color, markerfacecolor=PAPER, markersize=5)
            axis.plot(nonmembers, heights, marker, color=color, markersize=3, zorder=3)
        runs_on_y(axis, runs, "accuracy (%)")
        axis.set_xlim(-3, 103)
        axis.grid(axis="x", color="0.9", linewidth=0.6)
        axis.set_axisbelow(True)
        handles = [Line2D([], [], color=colors[k], marker=marker, linestyle="", label=k) for k, marker, _ in looks]
        handles += [
            Line2D([], [], color=GREY, marker="o", markersize=3, linestyle="", label="non-members"),
            Line2D([], [], color=GREY, marker="o", markersize=5, markerfacecolor=PAPER, linestyle="", label="members"),
        ]
        drawing.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        sns.despine(drawing)
        return drawing
