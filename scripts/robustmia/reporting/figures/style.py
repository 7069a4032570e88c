"""The look that all figures share, and what several of them draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import cycle, product
from pathlib import Path, PurePath
from textwrap import fill
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

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
DISTANCES = np.arange(5, 26, 5)  # of names from their points, in points
MARKERS = "osD^vPX*<>"


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


def kind_colors(figure: Figure) -> dict[str, tuple[float, float, float]]:
    """The colours of clean, adversarial and verified, the same in all figures."""
    return dict(zip(("clean", "adversarial", "verified"), palette(figure, 3), strict=True))


def colors_of(names: Sequence[str], figure: Figure) -> dict[str, tuple[float, float, float]]:
    """A colour for each name."""
    return dict(zip(names, palette(figure, len(names)), strict=True))


def markers() -> cycle:
    """Marker shapes, over and over."""
    return cycle(MARKERS)


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
    axis.set(yticks=range(len(runs)), yticklabels=[wrapped(run, 24) for run in runs], xlabel=xlabel)
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


def shortened(name: str, length: int) -> str:
    """A class name of so many characters at most."""
    return plain(name if len(name) <= length else f"{name[: length - 1]}…")


def plain(text: str) -> str:
    """Text as matplotlib shows it as it is: it would take what is between two dollar signs for a formula."""
    return text.replace("$", r"\$")


def ending(name: str) -> str:
    """The end of a file's name, which tells files apart, without its suffix, as it fits above a small image."""
    stem = str(PurePath(name).with_suffix(""))
    return plain(stem if len(stem) <= 10 else f"…{stem[-9:]}")


def on_map(value: float) -> str:
    """The colour of text on a cell of a diverging map, whose values lie in [-1, 1]: it is to be read on dark cells and on light ones."""
    return "white" if abs(value) > 0.6 else "0.15"


def rotate_run_names(axis: Axes) -> None:
    """Names of runs below a heat map, at an angle."""
    axis.tick_params(axis="x", rotation=40)
    plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
    axis.tick_params(length=0)


# ---------------------------------------------------------------- panels


def fit_height(drawing: Drawing, rows: int, least: float, most: float, rest: float) -> None:
    """Make a figure of rows lower or higher, so that a row has between `least` and `most` inches, beside `rest` for what is around them."""
    drawing.set_figheight(min(max(drawing.get_figheight(), rest + rows * least), rest + rows * most))


def panels(runs: Sequence[str], figure: Figure) -> tuple[Drawing, list[Axes], Axes | None]:
    """A panel for each run, with its name, in two columns; and the free place at the end, if there is one, for the legend."""
    columns = min(2, len(runs))
    rows = -(-len(runs) // columns)
    drawing, axes = grid(rows, columns, figure, sharex=True, sharey=True)
    fit_height(drawing, rows, least=0.95, most=2.2, rest=0.8)
    shown, free = list(axes.flat)[: len(runs)], list(axes.flat)[len(runs) :]
    for axis, run in zip(shown, runs, strict=True):
        axis.set_title(wrapped(run, 24), loc="left")
        axis.tick_params(labelbottom=True)
    for axis in free:
        axis.set_axis_off()
    return drawing, shown, free[0] if free else None


def legend_of_panels(drawing: Drawing, handles: Sequence[Artist], free: Axes | None) -> None:
    """The legend in the free place, or above the panels."""
    if free is None:
        drawing.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
    else:
        free.legend(handles=handles, loc="center", frameon=False, handlelength=1.8)


def name_rows(axes: np.ndarray, runs: Sequence[str], headings: Sequence[str]) -> None:
    """The name of each run above its row, and headings of the columns a line higher."""
    for axis, heading in zip(axes[0], headings, strict=True):
        axis.set_title(f"{heading}\n")
    for axis, run in zip(axes[:, 0], runs, strict=True):
        name = axis.annotate(spaced(run), (0, 1), (0, 3), xycoords="axes fraction", textcoords="offset points")
        name.set_in_layout(False)  # which would make the column as wide as the name
    axes[0, 0].figure.set_layout_engine("constrained", h_pad=0.85 * name.get_fontsize() / 72)


def log_ticks(axis: Axes, low: float, high: float, count: int) -> None:
    """A logarithmic horizontal axis with about so many ticks, all at powers of ten."""
    first, last = np.log10([low, high])
    step = max(1, int(np.ceil((last - first) / count)))
    exponents = np.arange(-40, 41) * step
    axis.set(xscale="log", xlim=(low, high))
    axis.set_xticks(10.0 ** exponents[(first - 0.01 <= exponents) & (exponents <= last + 0.01)])
    axis.minorticks_off()


# ---------------------------------------------------------------- distributions of members and non-members


def draw_both_sides(axis: Axes, counts: pd.Series, color: Any) -> None:
    """Cumulative distributions of members (solid) and non-members (dashed), in percent; the area between them is shaded.

    Args:
        counts: of records, by membership and by the lower and the upper end of each bin.
    """
    edges, members = cumulative(counts.loc["member"])
    _, nonmembers = cumulative(counts.loc["nonmember"])
    axis.fill_between(edges, members, nonmembers, color=color, alpha=0.25, linewidth=0)
    axis.plot(edges, members, color=color, label="members")
    axis.plot(edges, nonmembers, color=color, linestyle="--", label="non-members")


def cumulative(counts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The edges between bins, and the percent of records below each.

    The two outermost bins hold everything beyond, so that their other ends are no edges: a curve begins above 0 and ends below 100 %
    where there are records in them.
    """
    edges = counts.index.get_level_values(0).to_numpy(float)[1:]
    return edges, 100 * counts.to_numpy()[:-1].cumsum() / counts.sum()


def rising_part(axes: Sequence[Axes]) -> tuple[float, float]:
    """The part of the horizontal axis where curves rise: outside of it all of them are at 0 %, or all at 100 %."""
    lines = [line for axis in axes for line in axis.lines if str(line.get_label()).endswith("members")]
    curves = np.array([line.get_xydata() for line in lines])
    edges, levels = curves[0, :, 0], curves[:, :, 1]
    first = min(np.flatnonzero((levels > 0).any(axis=0)), default=len(edges) - 1)
    last = max(np.flatnonzero((levels < 100).any(axis=0)), default=0)
    return edges[max(first - 1, 0)], edges[min(last + 1, len(edges) - 1)]


def both_sides_handles() -> list[Artist]:
    """What the lines of `draw_both_sides` are, for a legend."""
    return [
        Line2D([], [], color=GREY, label="members"),
        Line2D([], [], color=GREY, linestyle="--", label="non-members"),
    ]


# ---------------------------------------------------------------- points with names


def chance_line(axis: Axes) -> None:
    """A horizontal line at 50 %, with its name at the right."""
    axis.axhline(50, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    axis.text(1.01, 50, "chance", color=GREY, transform=axis.get_yaxis_transform(), va="center")


def name_points(axis: Axes, names: dict[str, Any], points: np.ndarray, drawn: np.ndarray) -> None:
    """Write a name beside each point, moved up or down where it would lie on another name or on what is drawn.

    Args:
        axis: whose limits do not change after this.
        names: of the points, with the colours of the lines that lead to names which are not next to their points.
        points: float64 [n, 2], data coordinates.
        drawn: float64 [m, 2, 2], ends of lines in data coordinates that names should not cover.
    """
    drawing = axis.figure
    drawing.canvas.draw()  # which settles where points are
    pixels, place_of = drawing.dpi / 72, axis.transData.transform
    covered = np.concatenate([_along(*place_of(ends)) for ends in drawn])
    taken = [Bbox([place, place]).padded(4.5 * pixels) for place in place_of(points)]
    taken += [text.get_window_extent() for text in axis.texts]
    for number in np.argsort(-points[:, 1], kind="stable"):
        name, color = list(names.items())[number]
        text = axis.annotate(wrapped(name, 22), points[number], (0, 0), textcoords="offset points", va="center")
        text.set_in_layout(False)
        box = text.get_window_extent()
        asides = [*(DISTANCES * pixels), *(-DISTANCES * pixels - box.width)]
        places = product(asides, np.arange(-120, 121, 3) * pixels)
        aside, shift = min(places, key=lambda place: _cost(box, place, taken, covered, axis))
        taken.append(box.translated(aside, shift))
        text.xyann = aside / pixels, shift / pixels
        nearest = max(aside, min(0, aside + box.width))
        if max(abs(shift), abs(nearest)) > 8 * pixels:
            line = {"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0}
            end = nearest / pixels, shift / pixels
            axis.annotate("", points[number], end, textcoords="offset points", arrowprops=line)


def _along(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Points along a line, float64 [n, 2] in pixels, two pixels apart."""
    return np.linspace(start, end, 1 + int(np.hypot(*(end - start)) / 2))


def _cost(box: Bbox, place: tuple[float, float], taken: Sequence[Bbox], covered: np.ndarray, axis: Axes) -> float:
    """How bad it is to move a name there: onto points and other names, out of the axes, onto what is drawn, or far away."""
    moved, (aside, shift) = box.translated(*place), place
    room = Bbox([axis.bbox.p0, (axis.figure.bbox.x1, axis.bbox.y1)])
    is_outside = room.count_contains(moved.corners()) < 4
    on_lines, far = moved.padded(1).count_contains(covered), min(abs(aside), abs(aside + box.width)) + abs(shift)
    return 1000 * moved.count_overlaps(taken) + 100 * is_outside + on_lines + 0.3 * far


def wrapped(name: str, length: int) -> str:
    """A name of the configuration as words, in lines of so many characters."""
    return fill(spaced(name), length)
