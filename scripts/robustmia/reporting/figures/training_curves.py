"""Accuracies of members and non-members while training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class TrainingCurves(Figure):
    """Accuracies of members and non-members while training."""

    table = "training_history"
    content = "accuracies while training"
    quotes = ()
    height: Inches = 5.4

    def draw(self, data: FigureData) -> Drawing:
        """Accuracy of members and non-members while training, clean and adversarial: mean and range over seeds."""
        import seaborn as sns

        from robustmia.reporting.figures.style import GREY, grid, palette

        table, runs = data.table, data.runs
        member, nonmember = palette(self, 2)
        columns = 2 if len(runs) > 1 else 1
        drawing, axes = grid(-(-len(runs) // columns), columns, self, sharex=True, sharey=True)
        watched = table.dropna(subset=["member_clean"])
        for axis, run in zip(axes.flat, runs, strict=False):
            by_epoch = watched[watched.run == run].groupby("epoch")
            for side, color in (("member", member), ("nonmember", nonmember)):
                for kind, line in (("clean", "-"), ("adversarial", "--")):
                    values = by_epoch[f"{side}_{kind}"]
                    axis.fill_between(
                        values.min().index, values.min(), values.max(), color=color, alpha=0.2, linewidth=0
                    )
                    label = f"{side.replace('non', 'non-')}s, {kind}"
                    axis.plot(
                        values.mean(), line, marker="." if by_epoch.ngroups == 1 else "", color=color, label=label
                    )
            if not by_epoch.ngroups:
                axis.text(0.5, 0.5, "no monitor", transform=axis.transAxes, ha="center", va="center", color=GREY)
            axis.set_title(spaced(run), loc="left")
            axis.set_ylim(-0.02, 1.02)
        for axis in axes.flat[len(runs) :]:
            axis.set_visible(False)
        for axis in axes.flat[max(0, len(runs) - columns) : len(runs)]:  # the lowest that is visible in each column
            axis.set_xlabel("epoch")
            axis.tick_params(labelbottom=True)
        for axis in axes[:, 0]:
            axis.set_ylabel("accuracy")
        drawing.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        sns.despine(drawing)
        return drawing
