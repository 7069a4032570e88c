"""Locks on files that die with their holder, however it ends: the operating system keeps them."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path
from typing import IO

UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a network file system without locks answers."""


class LocksUnsupportedError(Exception):
    """The file system has no locks."""


def lock(path: Path, *, wait: bool = False) -> IO[str] | None:
    """Lock a file, which is made where it is missing; its content is left alone.

    Args:
        path: the file; only what locks it too is kept out.
        wait: until nobody else has it.

    Returns:
        The open file, whose closing, or the end of this process, gives the lock back; None if somebody else has it.

    Raises:
        LocksUnsupportedError: the file system has no locks.
        OSError: the file cannot be opened.
    """
    file = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        file.close()
        if error.errno in UNSUPPORTED:
            raise LocksUnsupportedError(f"{path}: this file system has no locks") from error
        if isinstance(error, BlockingIOError):
            return None
        raise
    return file
