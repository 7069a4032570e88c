"""What a workflow shows: a line for each job that ends, or on a terminal one bar that names what is running.

It takes the place of Snakemake's own messages, which are still in `.snakemake/log/`, unless they are asked for with `--quiet`,
`--printshellcmds` or `--verbose`. A dry run shows the table of jobs; with `--verbose` the reason for each job, too.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent
from tqdm import tqdm

from robustmia.errors import escape_control_characters
from robustmia.workflow.failures import Failures
from robustmia.workflow.job import job_name

SHOWN = (
    "Complete log",
    "Elapsed time",
    "Nothing to be done",
    "Trying to restart",
    "Terminating",
    "Will exit",
    "robustmia:",
)
HIDDEN = ("CalledProcessError in file", "At least one job did not complete", "Exiting because a job execution failed")


def attach_terminal(workflow: Any, failures: Failures) -> None:
    """Show the progress of a workflow in place of Snakemake's own display, unless that is asked for."""
    asked = workflow.output_settings
    own = asked.quiet is not None or asked.printshellcmds or asked.debug_dag or (asked.verbose and not asked.dryrun)
    stream = next((handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"), None)
    if stream is not None and not own:
        logger.removeHandler(stream)
        logger.addHandler(Terminal(stream, failures, asked.dryrun, asked.verbose))


class Terminal(logging.Handler):
    """Turns Snakemake's events into lines.

    Args:
        stream: Snakemake's own handler, which writes to the terminal.
        failures: for the causes of failures.
        dryrun: whether nothing is run.
        reasons: whether a dry run shows why each job would run.
    """

    def __init__(self, stream: Any, failures: Failures, dryrun: bool, reasons: bool):
        super().__init__()
        self.stream, self.failures, self.dryrun, self.reasons = stream, failures, dryrun, reasons
        self.running: dict[int, tuple[str, float, list[str]]] = {}
        self.ended: list[tuple[str, float, list[str]]] = []
        self.warnings: set[str] = set()
        self.started = self.table_shown = False
        self.bar: tqdm | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Show an event, or leave it to the log file."""
        event, fields = getattr(record, "event", None), vars(record)
        match event:
            case LogEvent.WORKFLOW_STARTED:
                self.started = True
            case LogEvent.RUN_INFO:
                self._show_table(record)
            case LogEvent.JOB_INFO:
                name = job_name(fields["rule_name"], fields["wildcards"])
                self.running[fields["jobid"]] = (name, time.monotonic(), fields.get("log") or [])
                if self.dryrun and self.reasons:
                    self._write(f"{name}: {fields['reason']}")
            case LogEvent.JOB_FINISHED:
                self.ended.append(self.running.pop(fields["job_id"], ("a job", time.monotonic(), [])))
            case LogEvent.PROGRESS if not self.dryrun:
                self._show_progress(fields["done"], fields["total"])
            case LogEvent.JOB_ERROR:
                self._show_failure(fields)
            case LogEvent.GROUP_ERROR:
                pass  # followed by an event for each of its jobs
            case _:
                self._show_message(record, event)
        if self.bar is not None:
            self.bar.set_description_str(", ".join(name for name, *_ in self.running.values()))

    def _show_table(self, record: logging.LogRecord) -> None:
        if self.table_shown:  # a dry run sends it twice
            return
        self.table_shown = True
        self.stream.handle(record)
        if self.stream.is_tty and not self.dryrun and os.environ.get("TERM") != "dumb":
            total = vars(record)["stats"]["total"]
            self.bar = tqdm(
                total=total,
                file=self.stream.stream,
                dynamic_ncols=True,
                bar_format="{n_fmt}/{total_fmt} {bar:20} {elapsed} {desc}",
            )

    def _show_progress(self, done: int, total: int) -> None:
        """After the jobs that ended: one, or all those of a group."""
        for number, (name, since, logs) in enumerate(self.ended, done - len(self.ended) + 1):
            if self.bar is None:
                self._write(f"[{number}/{total}] {name}: {time.monotonic() - since:.0f} s")
            self._show_warnings(name, logs)
        if self.bar is not None:
            self.bar.n, self.bar.total = done, total
        self.ended.clear()

    def _show_warnings(self, name: str, logs: list[str]) -> None:
        """Each once, however many jobs give it."""
        for warning in dict.fromkeys(self.failures.messages_in(logs, "WARNING")):
            if warning not in self.warnings:
                self.warnings.add(warning)
                self._write(f"{name}: {escape_control_characters(warning)}", logging.WARNING)

    def _show_failure(self, fields: dict[str, Any]) -> None:
        name, since, _ = self.running.pop(fields["jobid"], (fields["rule_name"], time.monotonic(), []))
        cause = self.failures.last_error(fields["log"] or []) or "no message"
        lasted = f"{time.monotonic() - since:.0f} s"
        self._write(f"failed after {lasted}: {name}: {escape_control_characters(cause)}", logging.ERROR)

    def _show_message(self, record: logging.LogRecord, event: LogEvent | None) -> None:
        text = str(record.msg)
        if any(words in text for words in HIDDEN):
            return
        before_start = not self.started and record.levelno == logging.INFO and not text.startswith("Assuming")
        if record.levelno > logging.INFO or (event is None and text.startswith(SHOWN)) or before_start:
            self._pass_on(record)

    def _write(self, text: str, level: int = logging.INFO) -> None:
        self._pass_on(logging.LogRecord(logger.name, level, "", 0, text, (), None))

    def _pass_on(self, record: logging.LogRecord) -> None:
        with tqdm.external_write_mode(self.stream.stream):
            self.stream.handle(record)

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()
        super().close()
