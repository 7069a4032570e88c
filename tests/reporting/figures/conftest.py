"""What tests of figures share: `draw`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.figure import Figure as Drawing

from figure_helpers import named
from robustmia.data.records import Records
from robustmia.files.signals import Examples, save_signals
from robustmia.files.tables import write_table
from robustmia.reporting.figures.data import FigureData
from robustmia.reporting.figures.style import style


@pytest.fixture
def draw(tmp_path: Path) -> Iterator[Callable[..., Drawing]]:
    """Draws a figure of the registry from files, as the script does; matplotlib keeps figures open, and warns of too many."""

    def drawn(
        name: str,
        runs: Sequence[str],
        table: pd.DataFrame | None = None,
        conclusions: pd.DataFrame | None = None,
        records: Records | None = None,
        examples: dict[str, Examples] | None = None,
        **settings: object,
    ) -> Drawing:
        paths = {name: str(tmp_path / name) for name in ("table.csv", "conclusions.csv", "records.npz")}
        if table is not None:
            write_table(table, paths["table.csv"])
        if conclusions is not None:
            write_table(conclusions, paths["conclusions.csv"])
        if records is not None:
            records.save(paths["records.npz"])
        for run, example in (examples or {}).items():
            save_signals(tmp_path / f"{run}.npz", {}, example)
        shown = [str(tmp_path / f"{run}.npz") for run in examples or ()]
        figure = named(name, **settings)
        with style(figure):
            return figure.draw(
                FigureData(runs, paths["table.csv"], paths["records.npz"], shown, paths["conclusions.csv"])
            )

    yield drawn
    plt.close("all")
