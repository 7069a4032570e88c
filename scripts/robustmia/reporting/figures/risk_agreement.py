"""Whether models agree on which members are at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches
from robustmia.reporting.labels import spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class RiskAgreement(Figure):
    """Whether models agree on which members are at risk."""

    table = "risk_agreement"
    content = "whether runs and seeds agree on which members are at risk"
    quotes = ()
    needs_shadow_models = True
    height: Inches = 3.2

    def draw(self, data: FigureData) -> Drawing:
        """Rank correlation of members' risks between runs of one seed, and on the diagonal between seeds of one run; means.

        In brackets that of non-members: the agreement that does not come from training on a record.
        """
        import numpy as np
        import pandas as pd
        import seaborn as sns

        from robustmia.reporting.figures.style import grid, on_map, rotate_run_names

        runs = list(data.runs)
        correlation = pd.DataFrame(np.nan, index=runs, columns=runs)
        text = pd.DataFrame("", index=runs, columns=runs)
        for pair, rows in data.table.groupby(["run_a", "run_b"]):
            other, one = sorted(pair, key=lambda run: runs.index(str(run)))
            correlation.loc[one, other] = rows.spearman.mean()
            text.loc[one, other] = f"{_short(rows.spearman.mean())}\n({_short(rows.nonmember_spearman.mean())})"
        drawing, axes = grid(1, 1, self)
        drawing.set_size_inches(np.maximum(drawing.get_size_inches(), 1.2 + 0.3 * len(runs)))
        axis, reach = axes[0, 0], np.nanmax(correlation.abs(), initial=0.1)
        names = [spaced(run) for run in runs]
        sns.heatmap(
            correlation.set_axis(names).set_axis(names, axis=1),
            ax=axis,
            annot=text.to_numpy(),
            fmt="",
            annot_kws={"size": self.font_size - 1.5},
            cmap="RdBu_r",
            vmin=-reach,
            vmax=reach,
            cbar=False,
        )
        shown = correlation.to_numpy()[correlation.notna()]
        for cell, value in zip(axis.texts, shown, strict=True):
            cell.set_color(on_map(value / reach))
        axis.tick_params(axis="y", rotation=0)
        rotate_run_names(axis)
        return drawing


def _short(correlation: float) -> str:
    """Two decimals, without the zero before them."""
    return f"{correlation:.2f}".replace("0.", ".").replace("-", "−")
