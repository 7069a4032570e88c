"""How well each run classifies: clean, under attack, and verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class Accuracies(Figure):
    """How well each run classifies: clean, under attack, and verified."""

    table = "robustness"
    content = "clean, adversarial and verified accuracy of each run"
    height: Inches = 3.6

    def draw(self, data: FigureData) -> Drawing:
        """Clean, adversarial and verified accuracy of each run: filled on non-members, hollow on members, a tick for each seed."""
        import seaborn as sns
        from matplotlib.lines import Line2D

        from robustmia.reporting.figures.style import GREY, MARKERS, grid, palette, runs_on_y

        table, runs = data.table, data.runs
        kinds = {"clean": "", "adversarial": "adv_", "verified": "verified_"}
        kinds = {kind: prefix for kind, prefix in kinds.items() if table[f"{prefix}test_accuracy"].notna().any()}
        colors = dict(zip(kinds, palette(self, len(kinds)), strict=True))
        drawing, axes = grid(1, 1, self)
        axis = axes[0, 0]
        for (kind, prefix), marker in zip(kinds.items(), MARKERS, strict=False):
            for position, run in enumerate(runs):
                rows = table[table.run == run]
                for side, shift, face in (("train", -0.14, "white"), ("test", 0.14, colors[kind])):
                    values, height = rows[f"{prefix}{side}_accuracy"], position + shift
                    axis.plot(values, [height] * len(values), "|", color=colors[kind], markersize=4)
                    axis.plot(values.mean(), height, marker, color=colors[kind], markerfacecolor=face, zorder=3)
        runs_on_y(axis, runs, "accuracy")
        axis.set_xlim(-0.03, 1.03)
        axis.grid(axis="x", color="0.9", linewidth=0.6)
        axis.set_axisbelow(True)
        handles = [
            Line2D([], [], color=colors[kind], marker=marker, linestyle="", label=kind)
            for kind, marker in zip(kinds, MARKERS, strict=False)
        ]
        handles.append(Line2D([], [], color=GREY, marker="o", linestyle="", label="non-members"))
        handles.append(Line2D([], [], color=GREY, marker="o", markerfacecolor="white", linestyle="", label="members"))
        drawing.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        sns.despine(drawing)
        return drawing
