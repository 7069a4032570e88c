"""Figures of studies. They are no part of the configuration: their size follows from what they show."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.style import GREY, colors_of, grid, markers, plain
from robustmia.reporting.labels import spaced
from robustmia.reporting.studies import pareto_front, trade_offs, written
from robustmia.reporting.tables import rows_of
from robustmia.studies.sweep import STRONGEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

PANELS = {
    STRONGEST: "strongest attack (%)",
    "adversarial test accuracy": "adv. test accuracy (%)",
    "adversarial gap": "adv. train − test (%)",
    "benign test accuracy": "clean test accuracy (%)",
    "benign gap": "clean train − test (%)",
    "verified test accuracy": "verified test acc. (%)",
    "adversarial sensitivity": "adv. sensitivity (points)",
}
CHANCE = 50.0
EVEN = 0.08  # of the range: values closer than this are drawn at equal distances

# ---------------------------------------------------------------- a quantity against what is varied


def draw_sweep(table: pd.DataFrame, keys: Sequence[str]) -> Drawing:
    """Every quantity against the first varied key; of two keys or more, a column of panels for each combination of the others.

    Args:
        table: of `sweep_table`.
        keys: the varied ones, of which `table` has a column each.
    """
    key, *others = keys
    shown = [name for name in PANELS if name in set(table.quantity)]
    parts = [(values, part) for values, part in table.groupby(others, sort=False)] if others else [((), table)]
    rows, columns = (len(shown), len(parts)) if others else (-(-len(shown) // 2), 2)
    figure = Figure(width=3.3 * columns if columns < 3 else 1.0 + 2.0 * columns, height=0.9 + 1.45 * rows)
    colors = colors_of(list(dict.fromkeys(table.run)), figure)
    drawing, axes = grid(rows, columns, figure, sharex=True, sharey=bool(others))
    panels = axes.T if others else [axes.flat]
    for number, ((values, part), own) in enumerate(zip(parts, panels, strict=True)):
        own, place = list(own), _places(part[key])
        for axis, quantity in zip(own, shown, strict=False):
            _lines(axis, part[part.quantity == quantity], key, place, colors)
            axis.set_ylabel(PANELS[quantity] if number == 0 else "")
            if quantity == STRONGEST:
                axis.axhline(CHANCE, color=GREY, linewidth=0.8, linestyle=":", label="chance")
        for axis in own[len(shown) :]:
            axis.set_visible(False)
        for axis in own[len(shown) - 1 : len(shown)] if others else own[max(0, len(shown) - columns) : len(shown)]:
            axis.set(xticks=list(place.values()), xticklabels=[plain(name) for name in place], xlabel=_short(key))
            axis.tick_params(labelbottom=True)
        if others:
            own[0].set_title(
                plain(
                    ", ".join(f"{_short(name)}: {written(value)}" for name, value in zip(others, values, strict=True))
                )
            )
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 2 + 2 * columns), frameon=False)
    drawing.align_ylabels()
    sns.despine(drawing)
    return drawing


def _places(values: pd.Series) -> dict[str, float]:
    """Where the values of a key stand on its axis, by what is written there: numbers in proportion, unless they would run into each other."""
    distinct = list(dict.fromkeys(values))
    numbers = pd.to_numeric(pd.Series(distinct), errors="coerce").to_numpy(float)
    if len(distinct) > 1 and np.isfinite(numbers).all():
        gaps = np.diff(np.sort(numbers))
        if gaps.min() > EVEN * gaps.sum():
            return {written(value): float(number) for value, number in zip(distinct, numbers, strict=True)}
    return {written(value): float(place) for place, value in enumerate(distinct)}


def _lines(axis: Axes, part: pd.DataFrame, key: str, place: dict[str, float], colors: dict[str, Any]) -> None:
    for (run, color), marker in zip(colors.items(), markers(), strict=False):
        rows = part[part.run == run]
        x = rows[key].map(lambda value: place[written(value)])
        low, high = (100 * rows[end].astype(float) for end in ("low", "high"))
        axis.plot(x, 100 * rows["mean"], marker=marker, color=color, label=spaced(run), markersize=3.5)
        axis.fill_between(x, low, high, color=color, alpha=0.13, linewidth=0)


def _short(key: str) -> str:
    """A dotted key as the label of an axis: `threat_model.epsilon` is "epsilon (threat model)"."""
    first, _, rest = key.partition(".")
    return f"{spaced(rest.replace('.', ' '))} ({spaced(first)})" if rest else spaced(first)


# ---------------------------------------------------------------- leakage against robustness


def draw_trade_offs(table: pd.DataFrame) -> Drawing:
    """Leakage against robust accuracy: every run at every point, with the Pareto front."""
    shown, front = rows_of(trade_offs(table)), pareto_front(table)
    points, runs = (list(dict.fromkeys(row[name] for row in shown)) for name in ("point", "run"))
    figure = Figure(width=6.6, height=max(3.4, 0.9 + 0.165 * len(shown)))
    colors, shapes = colors_of(points, figure), dict(zip(runs, cycle(markers()), strict=False))
    drawing, axes = grid(1, 1, figure)
    axis = axes[0, 0]
    axis.plot(100 * front.robust, 100 * front.leak, color=GREY, linewidth=0.9, drawstyle="steps-pre", zorder=0)
    axis.axhline(CHANCE, color=GREY, linewidth=0.8, linestyle=":")
    for number, row in enumerate(shown, 1):
        x, y = 100 * row["robust"], 100 * row["leak"]
        axis.errorbar(
            x,
            y,
            xerr=_ends(x, row["robust_low"], row["robust_high"]),
            yerr=_ends(y, row["leak_low"], row["leak_high"]),
            fmt=shapes[row["run"]],
            color=colors[row["point"]],
            elinewidth=0.5,
            markersize=4.5,
        )
        named = [spaced(row["run"])] * (len(runs) > 1) + [plain(row["point"])] * (len(points) > 1)
        axis.plot([], [], shapes[row["run"]], color=colors[row["point"]], label=f"{number}  {', '.join(named)}")
    _number(drawing, axis, [(100 * row["robust"], 100 * row["leak"]) for row in shown])
    axis.set(xlabel="adversarial test accuracy (%)", ylabel="strongest attack, balanced accuracy (%)")
    axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, handlelength=1.0, labelspacing=0.3)
    sns.despine(drawing)
    return drawing


def _number(drawing: Drawing, axis: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Write the number of each point beside it, or as near as there is room."""
    drawing.canvas.draw()  # which settles where points are
    place = axis.transData.transform(points) * 72 / drawing.dpi
    taken: list[np.ndarray] = []
    for number in np.argsort(-place[:, 1], kind="stable"):
        beside = place[number] + (4.5, 4.0)
        while any(abs(beside[0] - other[0]) < 13 and abs(beside[1] - other[1]) < 7 for other in taken):
            beside = beside - (0.0, 1.0)
        taken.append(beside)
        axis.annotate(
            str(number + 1),
            points[number],
            xytext=beside - place[number],
            textcoords="offset points",
            fontsize=6.5,
            va="center",
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2},
        )


def _ends(middle: float, low: float, high: float) -> list[list[float]] | None:
    return None if pd.isna(low) else [[max(0.0, middle - 100 * low)], [max(0.0, 100 * high - middle)]]
