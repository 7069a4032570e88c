"""Accuracies of members and non-members while training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from robustmia.reporting.figures.base import Figure, Inches

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData

LINES: dict[str, tuple[str, Any, str]] = {
    "member_clean": ("clean", "-", "members, clean"),
    "nonmember_clean": ("clean", "--", "non-members, clean"),
    "member_adversarial": ("adversarial", "-", "members, adversarial"),
    "nonmember_adversarial": ("adversarial", "--", "non-members, adversarial"),
    "verified_accuracy": ("verified", ":", "training images, verified\nat the current epsilon"),
}
"""Columns of the history: colour, line style and label."""


class TrainingCurves(Figure):
    """Accuracies of members and non-members while training."""

    table = "training_history"
    content = "accuracies while training"
    quotes = ()
    needs_monitor = True
    height: Inches = 5.4

    def draw(self, data: FigureData) -> Drawing:
        """Accuracies of members (solid) and non-members (dashed) while training, and of verified training images: mean and range over seeds."""
        import seaborn as sns
        from matplotlib.lines import Line2D

        from robustmia.reporting.figures.style import GREY, kind_colors, legend_of_panels, panels

        table, colors = data.table, kind_colors(self)
        drawing, axes, free = panels(data.runs, self)
        for axis, run in zip(axes, data.runs, strict=True):
            rows = table[table.run == run]
            for column, (kind, line, label) in LINES.items():
                _curve(axis, rows[["epoch", column]].dropna(), color=colors[kind], linestyle=line, label=label)
            if rows.member_clean.isna().all():
                axis.text(0.5, 0.5, "not evaluated", transform=axis.transAxes, ha="center", va="center", color=GREY)
            axis.set(xlim=(0, table.epoch.max() + 1), ylim=(-2, 102), yticks=(0, 50, 100))
        drawing.supxlabel("epoch", fontsize=self.font_size)
        drawing.supylabel("accuracy (%)", fontsize=self.font_size)
        handles = [
            Line2D([], [], color=colors[kind], linestyle=line, label=label)
            for column, (kind, line, label) in LINES.items()
            if table[column].notna().any()
        ]
        legend_of_panels(drawing, handles, free)
        sns.despine(drawing)
        return drawing


def _curve(axis: Axes, rows: pd.DataFrame, **look: Any) -> None:
    """Mean and range over seeds at each epoch, in percent."""
    if rows.empty:
        return
    values = 100 * rows.groupby("epoch").agg(["mean", "min", "max"]).droplevel(0, axis=1)
    axis.fill_between(values.index, values["min"], values["max"], color=look["color"], alpha=0.2, linewidth=0)
    axis.plot(values["mean"], marker="." if len(values) == 1 else "", **look)
