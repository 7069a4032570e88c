"""Tables as CSV files: the one place that reads and writes them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from robustmia.errors import DamagedError, UserError, in_one_line

OWN_VERIFIER = ("verified_own", "I_V_own")
"""Signal and strategy of the verified bounds under a model's own verifier: the long tables have them beside those under the
tightest; the paper's layout and the figures do not."""


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV that the pipeline wrote; a damaged one is a `DamagedError`. Names of runs are never read as missing values."""
    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise DamagedError(path, in_one_line(error)) from error


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """One CSV without an index; numbers in the shortest form that reads back the same."""
    table.to_csv(path, index=False, lineterminator="\n")
