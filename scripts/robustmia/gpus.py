"""The GPUs of one machine, shared out among its jobs: one job has one GPU, for as long as it runs."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from robustmia.errors import UserError
from robustmia.locks import lock

PAUSE = 0.5  # seconds between two looks while all are taken

_held: dict[str, IO[str]] = {}
"""The GPU of this process, and the lock on it, which dies with the process."""


def count_gpus() -> int:
    """How many GPUs jobs of this machine can share: those that CUDA_VISIBLE_DEVICES names, or all that the driver lists."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return len([name for name in named.split(",") if name.strip() not in ("", "-1")])
    try:
        listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):  # no driver, or one that hangs
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0


def hold_one(gpus: Sequence[str]) -> str:
    """A GPU that no other process of this user's jobs has; waits until there is one. Asked again, it is the same.

    Args:
        gpus: what tells the GPUs of this machine apart, such as their UUIDs.

    Raises:
        UserError: the folder of the locks is not this user's alone.
    """
    for name in _held:
        if name in gpus:
            return name
    folder = _folder()
    while True:
        for name in gpus:
            held = lock(folder / f"{name}.lock")
            if held is not None:
                _held[name] = held
                return name
        time.sleep(PAUSE)


def is_any_held() -> bool:
    """Whether this process has a GPU."""
    return bool(_held)


def _folder() -> Path:
    """One for all jobs of a user on this machine, which nobody else may write to."""
    folder = Path(tempfile.gettempdir()) / f"robustmia-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UserError(f"{folder}: not a folder of yours alone; remove it")
    return folder
