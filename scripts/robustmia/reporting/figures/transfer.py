"""Attacks by the kind of the shadow models and that of the target, as heat maps centred on chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.style import grid, on_map, plain
from robustmia.reporting.labels import spaced, symbol

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


def draw_transfer(table: pd.DataFrame) -> Drawing:
    """A map for each attack: shadow models down, targets across, percent; grey where there is no such pair."""
    attacks, targets, kinds = (list(dict.fromkeys(table[name])) for name in ("attack", "target", "shadow"))
    columns = min(3, len(attacks))
    rows = -(-len(attacks) // columns)
    size = 0.35
    across, down = (0.06 * max(map(len, names)) for names in (kinds, targets))
    figure = Figure(
        width=max(4.0, across + columns * (size * len(targets) + 0.5) + 0.6),
        height=down + rows * (size * len(kinds) + 0.45),
    )
    drawing, axes = grid(rows, columns, figure, sharex=True, sharey=True)
    reach = 100 * max(0.02, float((table["mean"] - 0.5).abs().max()))
    for axis, attack in zip(axes.flat, attacks, strict=False):
        part = table[table.attack == attack].pivot(index="shadow", columns="target", values="mean")
        values = 100 * part.reindex(index=kinds, columns=targets).to_numpy()
        image = axis.imshow(values, cmap="RdBu_r", vmin=50 - reach, vmax=50 + reach)
        for (row, column), value in np.ndenumerate(values):
            if np.isnan(value):
                continue
            axis.text(
                column,
                row,
                f"{value:.1f}",
                ha="center",
                va="center",
                fontsize=6.5,
                color=on_map((value - 50) / reach),
            )
        axis.set(xticks=range(len(targets)), yticks=range(len(kinds)), title=_titled(attack))
        axis.set_yticklabels([plain(spaced(kind)) for kind in kinds])
        axis.set_xticklabels([plain(spaced(kind)) for kind in targets], rotation=40, ha="right", rotation_mode="anchor")
        axis.set_facecolor("0.85")
        axis.tick_params(length=0)
    for axis in list(axes.flat)[len(attacks) :]:
        axis.set_visible(False)
    drawing.colorbar(image, ax=axes, shrink=0.8, aspect=30, label="AUC or accuracy (%)")
    drawing.supylabel("shadow models", fontsize=figure.font_size)
    drawing.supxlabel("target", fontsize=figure.font_size)
    return drawing


def _titled(attack: str) -> str:
    """The name of an attack, one of the paper's in mathematical notation."""
    strategy, comma, rest = attack.partition(",")
    return f"{symbol(strategy) if strategy.startswith('I_') else strategy}{comma}{rest}"
