"""Outputs of a job: written into private folders, and put into their places once they are whole and on the disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole_outputs(output: Any) -> Iterator[None]:
    """Lead what is written to a job's outputs to private folders beside them; move all of it when the block ends.

    After an error nothing is moved. Folders that a killed process left are removed first, so nobody else may make these
    outputs at the same time.

    Args:
        output: Snakemake's list of named outputs, files or folders; changed in place, and back at the end.
    """
    places = list(output)
    mark = f".unfinished-{hashlib.sha256(chr(0).join(places).encode()).hexdigest()[:12]}-"
    parents = {Path(place).parent for place in places}
    for parent in parents:
        for left in parent.glob(f"{mark}*"):
            shutil.rmtree(left)
    folders = {parent: Path(tempfile.mkdtemp(prefix=mark, dir=parent)) for parent in parents}
    written = {place: str(folders[Path(place).parent] / Path(place).name) for place in places}
    try:
        _redirect(output, written)
        yield
        ready = [place for place in places if os.path.lexists(written[place])]
        for place in ready:
            _sync(Path(written[place]))
        for place in ready:
            if os.path.isdir(place):
                shutil.rmtree(place)
            os.replace(written[place], place)
    finally:
        _redirect(output, {there: place for place, there in written.items()})
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)


def _redirect(output: Any, paths: dict[str, str]) -> None:
    for name, path in output.items():
        setattr(output, name, paths[path])
    output[:] = [paths[path] for path in output]


def _sync(path: Path) -> None:
    """Wait until a file, or every file of a folder, is on the disk: else a power cut could leave an empty file in place."""
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
