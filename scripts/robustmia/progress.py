"""How far a long loop is. The loop only reports; who listens decides how often to write it down (`workflow/logs.py`)."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)


def report_progress(task: str, done: int, total: int, unit: str, details: Callable[[], str] = str) -> None:
    """Report that `done` of `total` units of a task are done; it costs next to nothing where nobody listens.

    Args:
        task: what is being done, such as `training` or the name of a signal.
        unit: what is counted, in the plural.
        details: called only when the report is written down, for values that a device has to be waited for.
    """
    if logger.isEnabledFor(logging.INFO):
        logger.info("%s", task, extra={"progress": (task, done, total, unit, details)})
