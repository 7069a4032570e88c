"""The log of a job: one line a message, and at least every 30 seconds one that says how far it is."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from robustmia.errors import escape_control_characters, first_line

INTERVAL = 30.0  # seconds between two lines on progress, at most
TO_STDERR = "ROBUSTMIA_LOG_TO_STDERR"
"""An environment variable: where it is set, a job writes to the terminal, too."""


@contextmanager
def job_log(path: Path) -> Iterator[None]:
    """Send all messages of this process to a new log, and the progress that its loops report."""
    with path.open("w", encoding="utf-8") as file:
        streams: list[TextIO] = [file, sys.stderr] if os.environ.get(TO_STDERR) else [file]
        handlers = [logging.StreamHandler(stream) for stream in streams]
        for handler in handlers:
            handler.setFormatter(OneLineFormatter("%(asctime)s %(levelname)s %(message)s"))
        logging.basicConfig(handlers=handlers, level=logging.INFO, force=True)
        progress, reports = ProgressHandler(), logging.getLogger("robustmia.progress")
        reports.addHandler(progress)
        reports.propagate = False
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _log_warning
                yield
        finally:
            reports.removeHandler(progress)
            progress.close()
            logging.basicConfig(handlers=[], level=logging.WARNING, force=True)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Log a library's warning as information: the warnings in a log are those that a user has to read."""
    logging.getLogger("robustmia.job").info("%s: %s", category.__name__, first_line(Warning(message)))


class OneLineFormatter(logging.Formatter):
    """One line a message, tracebacks indented, and no control characters, so that nothing but a message looks like one."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = escape_control_characters(record.getMessage())
        record.asctime = self.formatTime(record)
        lines = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        return "\n".join([self.formatMessage(record), *(f"    | {escape_control_characters(line)}" for line in lines)])


class ProgressHandler(logging.Handler):
    """Writes how far the job is, with rate and remaining time, at the end of each task and at least every 30 seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.logger = logging.getLogger("robustmia.job")
        self.task, self.status = "", "no progress reported yet"
        self.started = self.written = time.monotonic()
        self.first = 0
        self.closed = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Note a report of `report_progress`, and write it down if it is time."""
        task, done, total, unit, details = vars(record)["progress"]
        now = time.monotonic()
        if task != self.task:
            self.task, self.started, self.first = task, now, done
        rate = (done - self.first) / (now - self.started) if done > self.first and now > self.started else None
        self.status = f"{task}: {done} of {total} {unit}" + (
            f", {_number(rate)} {unit}/s, {_duration((total - done) / rate)} left" if rate else ""
        )
        if done >= total or now - self.written >= 4 * INTERVAL / 6:
            words = details()
            self._write(self.status + (f"; {words}" if words else ""))

    def _beat(self) -> None:
        """A line when nothing has been reported for a while, such as within a long step; looked at six times in an interval."""
        while not self.closed.wait(INTERVAL / 6):
            if time.monotonic() - self.written >= 5 * INTERVAL / 6:
                self._write(f"still running; {self.status}")

    def _write(self, line: str) -> None:
        self.written = time.monotonic()
        self.logger.info("%s", line)

    def close(self) -> None:
        """Stop writing."""
        self.closed.set()
        super().close()


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
