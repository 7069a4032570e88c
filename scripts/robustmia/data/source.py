"""What a data set module provides: settings, a look before any job starts, and the records.

Data set modules import heavy libraries inside their functions only, so that the Snakefile can read their settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from robustmia.settings import Settings

if TYPE_CHECKING:
    from robustmia.data.records import Records


class Source(Settings):
    """Where a data set comes from. A subclass declares its settings as fields, `name` among them."""

    name: str

    def check(self, data_dir: Path) -> None:
        """Raise `UserError` if a file that only the user can provide is missing. Called before any job starts."""

    def load(self, data_dir: Path) -> Records:
        """Read the data set, or download it into `data_dir` first.

        Raises:
            UserError: a file is missing, damaged or cannot be downloaded.
        """
        raise TypeError(f"{type(self).__name__} does not define load()")
