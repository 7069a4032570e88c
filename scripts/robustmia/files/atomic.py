"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it takes its place when the block ends, once it is on the disk.

    After an error the old file is still there and the temporary one is not. What a killed process left of the same file is
    removed first, so two processes must not write one file at the same time.
    """
    path = Path(path)
    for leftover in path.parent.glob(f".{path.name}-*"):
        leftover.unlink(missing_ok=True)
    place = path.with_name(f".{path.name}-{os.getpid()}{path.suffix}")
    try:
        yield place
        with place.open("rb") as written:
            os.fsync(written.fileno())
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write one text file in UTF-8."""
    with atomic_path(path) as place:
        place.write_text(text, encoding="utf-8")
