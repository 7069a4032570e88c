"""The lock on a folder of results: one workflow at a time fills it. In place of Snakemake's own lock, it ends with its holder."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from robustmia.errors import escape_control_characters


def hold_results(lock: FileLock) -> None:
    """Keep other workflows from filling the same folder of results, until this process ends, however it does.

    Ends this process with a line if another workflow holds the folder, or if nothing can be written into it.

    Args:
        lock: on a file in the folder, whose content names the holder; it is given back when nobody refers to it any more.
    """
    file = Path(lock.lock_file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        file.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
    except Timeout:
        holder = escape_control_characters(file.read_text(encoding="utf-8")) or "not known which"
        sys.exit(
            f"robustmia: another workflow ({holder}) is making results in {file.parent}; wait until it ends, or set results_dir "
            "to another folder"
        )
    except OSError as error:
        sys.exit(
            f"robustmia: results_dir: {file.parent} cannot be written ({error.strerror}); free it or name another folder"
        )
