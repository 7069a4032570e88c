"""ROC curves of the attacks of the paper, as ratios to chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import PAPER_STRATEGIES, SIGNAL_TITLES, spaced, symbol

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData

RESOLVED = 5  # non-members above the threshold, at the lowest rate that is drawn


class ROC(Figure):
    """ROC curves of the attacks of the paper, as ratios to chance."""

    table = "roc"
    content = "ROC curves of each run beside natural training, as ratios to chance"
    height: Inches = 6.6

    def draw(self, data: FigureData) -> Drawing:
        """True over false positive rate of each strategy (across) on each run (down), with that of natural training."""
        import seaborn as sns
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter

        from robustmia.reporting.figures.style import GREY, colors_of, fit_height, grid, log_ticks, name_rows

        natural, colors = data.natural, colors_of(data.runs, self)
        runs = [run for run in data.runs if run != natural] or list(data.runs)
        table, start = _ratios(data.table)
        strategies = [strategy for strategy in PAPER_STRATEGIES if (table.strategy == strategy).any()]
        drawing, axes = grid(len(runs), len(strategies), self, sharex=True, sharey=True)
        fit_height(drawing, len(runs), least=0.7, most=1.5, rest=1.2)
        for (row, run), (column, strategy) in ((r, s) for r in enumerate(runs) for s in enumerate(strategies)):
            axis, curves = axes[row, column], table[table.strategy == strategy]
            axis.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
            if natural not in (None, run):
                _curve(axis, curves[curves.run == natural], colors[natural], spaced(natural))
            _curve(axis, curves[curves.run == run], colors[run], spaced(run))
            axis.set_ylim(0, 1.1 * table.ratio.max())
            log_ticks(axis, start, 100, count=3)
            axis.yaxis.set_major_locator(MaxNLocator(3, integer=True))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        name_rows(axes, runs, [_heading(table, strategy) for strategy in strategies])
        drawing.supxlabel("false positive rate (%)", fontsize=self.font_size)
        drawing.supylabel("true positive rate / false positive rate", fontsize=self.font_size)
        handles: list[Artist] = [Line2D([], [], color=GREY, linewidth=0.8, linestyle=":", label="chance")]
        if natural is not None and natural not in runs:
            handles.insert(0, Line2D([], [], color=colors[natural], label=spaced(natural)))
        if data.table.seed.nunique() > 1:
            handles.append(Patch(facecolor=GREY, alpha=0.15, label="range over seeds"))
        drawing.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
        sns.despine(drawing)
        return drawing


def _ratios(table: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """At each rate (percent) that enough non-members resolve, the ratio to chance: mean, `low` and `high` over seeds; and the lowest rate."""
    start = min(RESOLVED * table.groupby("run").false_positive_rate.min().max(), 0.5)
    shown = table[table.false_positive_rate >= start]
    shown = shown.assign(
        rate=100 * shown.false_positive_rate, ratio=shown.true_positive_rate / shown.false_positive_rate
    )
    ratios = shown.groupby(["run", "strategy", "signal", "rate"], sort=False).ratio
    return ratios.agg(ratio="mean", low="min", high="max").reset_index(), 100 * start


def _curve(axis: Axes, rows: pd.DataFrame, color: Any, label: str) -> None:
    axis.fill_between(rows.rate, rows.low, rows.high, color=color, alpha=0.15, linewidth=0)
    axis.plot(rows.rate, rows.ratio, color=color, label=label)


def _heading(table: pd.DataFrame, strategy: str) -> str:
    signal = table[table.strategy == strategy].signal.iloc[0]
    return f"{symbol(strategy)}, {SIGNAL_TITLES[signal]}".replace(" ", "\n", 2).replace("\n", " ", 1)
