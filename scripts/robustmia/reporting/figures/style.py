"""The look that all figures share, and what several of them draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import cycle
from pathlib import Path, PurePath
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as Drawing

from robustmia.files.atomic import atomic_path
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.labels import spaced

GREY = "0.45"
RED = "#c1272d"
PAPER = "#fefefe"
"""The face of hollow markers: white, and in the report the colour of the page."""
NO_DATE: dict[str, dict[str, None]] = {
    ".pdf": {"CreationDate": None},
    ".png": {"Software": None},
    ".svg": {"Date": None},
}
MARKERS = "osD^vPX*<>"
DASHES = [(), (4, 1.5), (1, 1), (3, 1, 1, 1), (5, 1, 1, 1, 1, 1), (2, 2), (6, 2)]


def style(figure: Figure) -> AbstractContextManager:
    """Font and line sizes, as a context."""
    size = figure.font_size
    return sns.plotting_context(
        "paper",
        rc=dict.fromkeys(["font.size", "axes.labelsize", "axes.titlesize"], size)
        | dict.fromkeys(["xtick.labelsize", "ytick.labelsize", "legend.fontsize", "legend.title_fontsize"], size - 1.0)
        | {"lines.linewidth": 1.2, "lines.markersize": 4.0},
    )


def save(drawing: Drawing, paths: Sequence[str | Path]) -> None:
    """Write one figure in the formats of the paths' endings, the same bytes for the same figure."""
    for path in paths:
        form = PurePath(path).suffix
        with atomic_path(path) as place, matplotlib.rc_context({"svg.hashsalt": "robustmia"}):
            drawing.savefig(
                place, dpi=300, bbox_inches="tight", pad_inches=0.02, metadata=NO_DATE[form], transparent=form == ".svg"
            )
    plt.close(drawing)


def palette(figure: Figure, count: int) -> list[tuple[float, float, float]]:
    """So many colours."""
    return sns.color_palette(figure.palette, count)


def colors_of(names: Sequence[str], figure: Figure) -> dict[str, tuple[float, float, float]]:
    """A colour for each name."""
    return dict(zip(names, palette(figure, len(names)), strict=True))


def draw_to(output: Any, draw: Callable[..., Drawing], *args: Any) -> None:
    """Draw into the files `pdf`, `svg` and `png` of a job's output, in the style of figures that have no settings."""
    with style(Figure()):
        save(draw(*args), [output.pdf, output.svg, output.png])


def grid(
    rows: int, columns: int, figure: Figure, sharex: bool = False, sharey: bool = False
) -> tuple[Drawing, np.ndarray]:
    """Axes in rows and columns, [rows, columns]; with `sharey` those of a row have one scale, with `sharex` those of a column."""
    return plt.subplots(
        rows,
        columns,
        figsize=(figure.width, figure.height),
        squeeze=False,
        layout="constrained",
        sharex="col" if sharex else False,
        sharey="row" if sharey else False,
    )


def runs_on_y(axis: Axes, runs: Sequence[str], xlabel: str) -> None:
    """The names of runs down the vertical axis."""
    axis.set(yticks=range(len(runs)), yticklabels=[spaced(run) for run in runs], xlabel=xlabel)
    axis.set_ylim(len(runs) - 0.5, -0.5)


def show_image(axis: Axes, pixels: np.ndarray) -> None:
    """An image [C, H, W] with pixels in [0, 1], without ticks and frame."""
    grey = pixels.shape[0] == 1
    axis.imshow(
        pixels[0] if grey else pixels.transpose(1, 2, 0).clip(0, 1),
        cmap="gray" if grey else None,
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def shortened(name: str) -> str:
    """A class name that fits below a small image."""
    return plain(name if len(name) <= 9 else f"{name[:8]}…")


def plain(text: str) -> str:
    """Text as matplotlib shows it as it is: it would take what is between two dollar signs for a formula."""
    return text.replace("$", r"\$")


def ending(name: str) -> str:
    """The end of a file's name, which tells files apart, without its suffix, as it fits above a small image."""
    stem = str(PurePath(name).with_suffix(""))
    return plain(stem if len(stem) <= 10 else f"…{stem[-9:]}")


def rotate_run_names(axis: Axes) -> None:
    """Names of runs below a heat map, at an angle."""
    axis.tick_params(axis="x", rotation=40)
    plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
    axis.tick_params(length=0)


# ---------------------------------------------------------------- histograms of members and non-members


def histogram_of_both_sides(
    axis: Axes, counts: pd.Series, figure: Figure, edges_of: Callable[[pd.Index, pd.Index], np.ndarray]
) -> np.ndarray:
    """Members filled, non-members as a line, each as fractions of its records; `counts` by membership and bin. Returns the edges."""
    for side, color, filled in zip(("member", "nonmember"), palette(figure, 2), (True, False), strict=True):
        part = counts.loc[side]
        edges = edges_of(part.index.get_level_values(0), part.index.get_level_values(1))
        axis.stairs(
            (part / part.sum()).to_numpy(),
            edges,
            fill=filled,
            color=to_rgba(color, 0.45) if filled else color,
            label=side.replace("non", "non-") + "s",
        )
    return edges


def label_histograms(drawing: Drawing, axes: np.ndarray, runs: Sequence[str], figure: Figure) -> None:
    """Names of the runs on the left, the legend above."""
    for axis, run in zip(axes[:, 0], runs, strict=True):
        axis.set_ylabel(run.replace("_", "\n"))
    drawing.supylabel("fraction of the records", fontsize=figure.font_size)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    sns.despine(drawing)


def bin_edges(low: pd.Index, high: pd.Index) -> np.ndarray:
    """Bin edges from both ends of each bin."""
    return np.append(low.to_numpy(float), high[-1])


def log_bin_edges(low: pd.Index, high: pd.Index) -> np.ndarray:
    """Bin edges on a logarithmic axis: the two open bins get the width of their neighbours."""
    edges = bin_edges(low, high)
    ratio = edges[2] / edges[1]
    edges[0], edges[-1] = edges[1] / ratio, edges[-2] * ratio
    return edges


def dashes() -> cycle:
    """Line styles, over and over."""
    return cycle(DASHES)


def markers() -> cycle:
    """Marker shapes, over and over."""
    return cycle(MARKERS)
