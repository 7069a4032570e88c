"""What is said of jobs that failed: a line at once, and at the end a summary of all of them with causes and logs."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from robustmia.errors import escape_control_characters
from robustmia.workflow.job import job_name


class Failures(logging.Handler):
    """Remembers what Snakemake says of jobs that fail."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.started = time.time()
        self.messages: dict[Any, str] = {}
        self.cluster_logs: dict[Any, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message and the logs of a failed job, or group of jobs."""
        if getattr(record, "event", None) in (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR):
            fields = vars(record)
            for number in [fields[key] for key in ("jobid", "groupid") if key in fields]:
                self.messages[number] = str(fields.get("rule_msg") or self.messages.get(number, ""))
                self.cluster_logs[number] = [str(path) for path in fields.get("log") or fields.get("aux_logs") or []]

    def summarise(self, failed: Collection[Any], place: Callable[[str, str], str | None]) -> None:
        """For each job that failed for good: the rule and its wildcards, the cause in a line, and the log.

        Args:
            failed: Snakemake's jobs, or groups of jobs.
            place: the study and point that a data set and run, as wildcards, are of; None for those of the configuration itself.
        """
        if not failed:
            return
        lines = [line for job in failed for line in self._lines(job, place)]
        targets = {(wildcards.dataset, wildcards.run) for job in failed for wildcards in _wildcards(job)}
        runs = sorted(f"datasets.{dataset}.runs.{run}" for dataset, run in targets if place(dataset, run) is None)
        advice = [f"  for tables without a failed run: set {' and '.join(runs)} to null"] if runs else []
        if len(runs) < len(targets):
            advice += [
                "  for a study without a failed run or point: leave it out of the study's `runs`, or of its points"
            ]
        count = f"{len(failed)} job{'s' if len(failed) > 1 else ''} failed"
        logger.error("\n".join([f"robustmia: {count}", *lines, *advice]))

    def _lines(self, job: Any, place: Callable[[str, str], str | None]) -> list[str]:
        number = job.groupid if job.is_group() else job.jobid
        message, cluster_logs = self.messages.get(number, ""), self.cluster_logs.get(number, [])
        members = list(job.jobs) if job.is_group() else [job]
        errors = {member: self.last_error(member.log) for member in members}
        lines = []
        for member in [one for one in members if errors[one]] or members:
            of_study = [f" ({found})" for w in _wildcards(member) if (found := place(w.dataset, w.run))]
            name = "".join([job_name(member.rule.name, list(member.wildcards)), *of_study])
            lines.append(f"  {name}: {_cause(message, errors[member])}")
            paths = dict.fromkeys([*map(str, member.log), *cluster_logs])
            lines += [f"    log: {escape_control_characters(path)}" for path in paths]
        return lines

    def last_error(self, logs: Collection[str]) -> str | None:
        """The last error in a job's own log, which comes first, if it was written in this run."""
        found = self.messages_in(logs, "ERROR")
        return found[-1] if found else None

    def messages_in(self, logs: Collection[str], level: str) -> list[str]:
        """The messages of a level in a job's own log, which comes first, if it was written in this run."""
        log = next((Path(path) for path in logs), None)
        if log is None or not log.exists() or log.stat().st_mtime < self.started - 1:
            return []
        text = log.read_text(encoding="utf-8", errors="replace")
        return re.findall(rf"^\S+ \S+ {level} (.*)$", text, re.MULTILINE)


def _wildcards(job: Any) -> list[Any]:
    members = list(job.jobs) if job.is_group() else [job]
    return [member.wildcards for member in members if {"dataset", "run"} <= set(member.wildcards.keys())]


def _cause(message: str, error: str | None) -> str:
    status = re.search(r"SLURM status is: '(\w+)'", message)
    words = [f"SLURM says {status.group(1)}"] if status and (status.group(1) != "FAILED" or not error) else []
    words += [escape_control_characters(error)] if error else []
    return ": ".join(words) or "it was killed, or could not start, and left no message"
