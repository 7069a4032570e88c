"""The GPUs of one machine, shared out among its jobs: one job has one GPU, for as long as it runs."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from robustmia.errors import UserError

PAUSE = 0.5  # seconds between two attempts while all are taken
VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus() -> list[str]:
    """The UUIDs of the GPUs that jobs of this machine can share: those of `CUDA_VISIBLE_DEVICES`, or all that the driver lists."""
    chosen, uuids = os.environ.get(VISIBLE), _listed_gpus()
    if chosen is None:
        return list(uuids.values())
    names = [name.strip() for name in chosen.split(",")]
    return [uuids.get(name, name) for name in names if name not in ("", "-1")]


def _listed_gpus() -> dict[str, str]:
    """The UUIDs of all GPUs that the driver lists, by number."""
    try:
        listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):  # no driver, or one that hangs or fails
        return {}
    return dict(re.findall(r"^GPU (\d+):.*\(UUID: (\S+)\)$", listed.stdout, flags=re.MULTILINE))


@contextmanager
def one_gpu() -> Iterator[None]:
    """Show this process one GPU that no other of this user's jobs has, where there are any; waits until there is one.

    Raises:
        UserError: the folder of the locks does not belong to this user alone.
    """
    gpus = visible_gpus()
    if not gpus:
        yield
        return
    folder = _folder()
    while True:
        for name in gpus:
            try:
                held = FileLock(folder / f"{name}.lock").acquire(timeout=0)
            except Timeout:
                continue
            with held:
                os.environ[VISIBLE] = name
                yield
            return
        time.sleep(PAUSE)


def _folder() -> Path:
    """One for all jobs of a user on this machine, which nobody else may write to."""
    folder = Path(tempfile.gettempdir()) / f"robustmia-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UserError(f"{folder}: other users may write to this folder; remove it")
    return folder
