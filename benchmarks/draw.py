"""Draw the ratios that the other benchmarks keep: `python benchmarks/draw.py` writes docs/images/performance.png."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from measure import FOLDER

TITLES = {
    "attacks": "PGD, 20 steps (torchattacks: 1)",
    "training": "step of PGD training, 10 steps (plain loop: 1)",
    "ensembles": "eight models at once (one after the other: 1)",
    "pipeline": "whole pipeline (the earlier commit: 1)",
}
TICKS = [0.5, 1, 1.5, 2, 3, 4]
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "performance.png"


def draw_group(axis: Axes, title: str, table: pd.DataFrame, colors: dict[str, tuple]) -> None:
    """The ratios of one benchmark, a line for each case, medians with quartiles over rounds."""
    baseline = table.groupby("case").variant.first().iloc[0]
    shown = table[table.variant != baseline]
    cases = list(dict.fromkeys(table.case))
    variants = list(dict.fromkeys(shown.variant))
    for number, variant in enumerate(variants):
        part = shown[shown.variant == variant]
        offset = 0.0 if len(variants) == 1 else 0.6 * (number / (len(variants) - 1) - 0.5)
        axis.errorbar(
            part.ratio,
            [cases.index(case) + offset for case in part.case],
            xerr=[part.ratio - part.low, part.high - part.ratio],
            fmt="o",
            color=colors[variant],
            label=variant,
            markersize=4,
            linewidth=1.2,
        )
    axis.axvline(1.0, color="0.5", linewidth=0.8)
    axis.set(
        yticks=range(len(cases)), yticklabels=[case.replace("_", " ") for case in cases], xscale="log", xlim=(0.45, 5.0)
    )
    axis.set_ylim(len(cases) - 0.5, -0.5)
    axis.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axis.minorticks_off()
    axis.set_title(title, loc="left", fontsize=8.5)
    axis.grid(axis="x", color="0.9")
    if len(variants) > 1:
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=7.5)


def main() -> None:
    """Draw what there is."""
    tables = {name: pd.read_csv(FOLDER / f"{name}.csv") for name in TITLES if (FOLDER / f"{name}.csv").exists()}
    variants = list(dict.fromkeys(name for table in tables.values() for name in table.variant))
    colors = dict(zip(variants, sns.color_palette("colorblind", len(variants)), strict=True))
    heights = [0.6 + 0.3 * table.case.nunique() * max(1.0, 0.35 * table.variant.nunique()) for table in tables.values()]
    with sns.plotting_context("paper", rc={"font.size": 8.0, "ytick.labelsize": 8.0, "xtick.labelsize": 8.0}):
        figure, axes = plt.subplots(
            len(tables),
            figsize=(6.8, sum(heights)),
            squeeze=False,
            layout="constrained",
            gridspec_kw={"height_ratios": heights},
        )
        for axis, (name, table) in zip(axes[:, 0], tables.items(), strict=True):
            draw_group(axis, TITLES[name], table, colors)
        axes[-1, 0].set_xlabel("times as fast")
        sns.despine(figure)
        figure.savefig(PICTURE, dpi=200)


if __name__ == "__main__":
    main()
