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

        from robustmia.reporting.figures.style import grid, rotate_run_names

        table, runs = data.table, data.runs
        correlation = pd.DataFrame(np.nan, index=list(runs), columns=list(runs))
        text = pd.DataFrame("", index=list(runs), columns=list(runs))
        for (run_a, run_b), rows in table.groupby(["run_a", "run_b"]):
            mean, baseline = rows.spearman.mean(), rows.nonmember_spearman.mean()
            for one, other in ((run_a, run_b), (run_b, run_a)):
                correlation.loc[one, other] = mean
                text.loc[one, other] = f"{mean:.2f}\n({baseline:.2f})"
        names = [spaced(run) for run in runs]
        drawing, axes = grid(1, 1, self)
        sns.heatmap(
            correlation.set_axis(names).set_axis(names, axis=1),
            ax=axes[0, 0],
            annot=text.to_numpy(),
            fmt="",
            annot_kws={"size": self.font_size - 3.0},
            cmap="crest",
            vmin=min(0.0, float(np.nanmin(correlation, initial=0.0))),
            vmax=1.0,
            square=True,
            cbar_kws={"label": "rank correlation of risks", "shrink": 0.7},
        )
        axes[0, 0].tick_params(axis="y", rotation=0)
        rotate_run_names(axes[0, 0])
        return drawing
