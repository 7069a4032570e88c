"""Tables as CSV files: the one place that reads and writes them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from robustmia.errors import DamagedError, UserError, first_line
from robustmia.files.atomic import atomic_path

NAMES = ("dataset", "run", "run_a", "run_b", "target", "shadow", "study", "point", "name")
"""Columns of names that users choose, which may look like numbers or missing values."""


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV that the pipeline wrote, with names as text; a damaged one is a `DamagedError`."""
    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(NAMES, str))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise DamagedError(path, first_line(error)) from error


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """One CSV without an index; numbers in the shortest form that reads back the same."""
    with atomic_path(path) as place:
        table.to_csv(place, index=False, lineterminator="\n")
