"""ROC curves of the attacks of the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import PAPER_STRATEGIES, SIGNAL_TITLES, spaced, symbol

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class ROC(Figure):
    """ROC curves of the attacks of the paper."""

    table = "roc"
    content = "ROC curves"
    height: Inches = 6.6

    def draw(self, data: FigureData) -> Drawing:
        """Log-log ROC of each strategy, mean over seeds."""
        import seaborn as sns

        from robustmia.reporting.figures.style import GREY, colors_of, dashes, grid

        table, runs = data.table, data.runs
        strategies = [strategy for strategy in PAPER_STRATEGIES if (table.strategy == strategy).any()]
        colors = colors_of(runs, self)
        drawing, axes = grid(len(strategies), 1, self, sharex=True)
        resolved = table.false_positive_rate.min()
        for axis, strategy in zip(axes[:, 0], strategies, strict=True):
            for run, line in zip(runs, dashes(), strict=False):
                rows = table[(table.strategy == strategy) & (table.run == run)]
                mean = rows.groupby("false_positive_rate").true_positive_rate.mean()
                axis.plot(
                    mean.index,
                    mean.where(mean > 0),
                    color=colors[run],
                    dashes=line,
                    drawstyle="steps-post",
                    label=spaced(run),
                )
            axis.plot([resolved, 1], [resolved, 1], color=GREY, linewidth=0.8, linestyle=":")
            axis.set(xscale="log", yscale="log", xlim=(resolved, 1), ylim=(resolved, 1), ylabel="true positive rate")
            signal = table[table.strategy == strategy].signal.iloc[0]
            axis.set_title(f"{symbol(strategy)}, {SIGNAL_TITLES.get(signal, signal)}", loc="left")
        axes[-1, 0].set_xlabel("false positive rate")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower center", ncols=min(4, len(runs)), frameon=False)
        sns.despine(drawing)
        return drawing
