"""Arrays as `.npz` files: the one place that reads and writes those of the pipeline. Nothing is unpickled."""

from __future__ import annotations

import errno
from collections.abc import Collection
from pathlib import Path

import numpy as np

from robustmia.errors import DamagedError, UserError, first_line
from robustmia.files.atomic import atomic_path

NAMES = "array_names"
"""One more array, of the names of the others: the checksums of a zip do not cover the list of its members."""


def save_arrays(path: str | Path, arrays: dict[str, np.ndarray], compressed: bool = True) -> None:
    """Write one file; each array has the checksum that a zip gives its members."""
    save = np.savez_compressed if compressed else np.savez
    with atomic_path(path) as place:
        save(place, allow_pickle=False, **{**arrays, NAMES: np.array(list(arrays))})


def load_arrays(path: str | Path, wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read what `save_arrays` wrote.

    Args:
        path: the file.
        wanted: the arrays that are read; None: all of them.

    Raises:
        DamagedError: the content is not what was written.
        UserError: the file cannot be read at all.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if wanted is None or name in (NAMES, *wanted)}
    except MemoryError:  # says nothing of the file
        raise
    except Exception as error:  # numpy, zipfile and zlib have a dozen kinds for a damaged file; all mean the same here
        # but for those of the disk itself; a damaged zip may send the reader to a place before the start of the file
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
        raise DamagedError(path, first_line(error)) from error
    names = arrays.pop(NAMES, None)
    if names is None or [name for name in names if wanted is None or name in wanted] != list(arrays):
        raise DamagedError(path, "arrays are missing")
    return arrays
