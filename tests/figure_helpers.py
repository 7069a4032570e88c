"""Looks and tables that tests of figures share."""

from __future__ import annotations

from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from robustmia.config.registry import FIGURES
from robustmia.data.records import Records
from robustmia.reporting.figures.base import Figure

FIRST, SECOND, THIRD = ((*color, 1.0) for color in sns.color_palette("colorblind")[:3])
MANY = tuple(f"run{number}" for number in range(12))


def named(figure: str, **settings: object) -> Figure:
    """A figure of the registry, with its own settings but for these."""
    return resolve_name(FIGURES[figure])(**settings)


def labelled_lines(drawing: Drawing) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_xydata()) for axis in drawing.axes for line in axis.lines}


def legend_of(drawing: Drawing) -> dict[str, Any]:
    """What is in the legend of a figure, or of a panel that holds it, by label."""
    legends = [*drawing.legends, *(legend for axis in drawing.axes if (legend := axis.get_legend()))]
    return {
        text.get_text(): handle for text, handle in zip(legends[0].get_texts(), legends[0].legend_handles, strict=True)
    }


def conclusions_of(**accuracies: float) -> pd.DataFrame:
    """The strongest attack's accuracy by run, with an interval from 0.01 below to 0.02 above."""
    table = pd.DataFrame({"run": list(accuracies), "accuracy": list(accuracies.values())})
    return table.assign(accuracy_low=table.accuracy - 0.01, accuracy_high=table.accuracy + 0.02)


def records_of(class_names: Sequence[str], images: np.ndarray | None = None) -> Records:
    images = np.zeros((len(class_names), 1, 2, 2), np.uint8) if images is None else images
    return Records(images, np.arange(len(images)) % len(class_names), tuple(class_names))
