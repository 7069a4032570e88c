"""A job ends when the workflow that started it is gone: nobody would take its results, and the next workflow makes them again."""

from __future__ import annotations

import os
import select
import signal
import threading
from pathlib import Path

VARIABLE = "ROBUSTMIA_WORKFLOW"
BOOT = Path("/proc/sys/kernel/random/boot_id")


def _here() -> str | None:
    """This machine since its start, and this space of process numbers; None where processes cannot be watched."""
    if not hasattr(os, "pidfd_open") or not BOOT.exists():
        return None
    return f"{BOOT.read_text().strip()}/{os.readlink('/proc/self/ns/pid')}"


def announce() -> None:
    """Let the jobs that this process starts know whose they are."""
    os.environ[VARIABLE] = f"{_here()}/{os.getpid()}"


def follow() -> None:
    """End this process by SIGTERM once the workflow that announced itself is gone.

    Nothing happens on another machine, since its processes cannot be watched: there the cluster stops jobs.
    """
    place, _, number = os.environ.get(VARIABLE, "").rpartition("/")
    if not place or place != _here():
        return
    try:
        workflow = os.pidfd_open(int(number))
    except ProcessLookupError:  # gone already
        os.kill(os.getpid(), signal.SIGTERM)
        return
    except OSError:  # a kernel or a container that does not let processes be watched
        return
    threading.Thread(target=_end_with, args=(workflow,), daemon=True).start()


def _end_with(process: int) -> None:
    select.select([process], [], [])  # readable once it has ended
    os.kill(os.getpid(), signal.SIGTERM)
