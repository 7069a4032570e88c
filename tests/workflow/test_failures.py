"""The summary of jobs that failed, from events as Snakemake 9.27 sends them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.iocontainers import Wildcards
from snakemake.logging import logger as snakemake_logger
from snakemake_interface_logger_plugins.common import LogEvent

from robustmia.workflow.failures import Failures


@dataclass(eq=False)
class Job:
    """What is asked of one of Snakemake's jobs."""

    jobid: int
    log: list[str]
    wildcards: Wildcards = field(
        default_factory=lambda: Wildcards(fromdict={"dataset": "digits", "run": "pgd", "seed": "0"})
    )
    rule: Any = field(default_factory=lambda: SimpleNamespace(name="train"))

    def is_group(self) -> bool:
        return False


@dataclass(eq=False)
class Group:
    groupid: str
    jobs: list[Job]

    def is_group(self) -> bool:
        return True


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The messages that reach Snakemake's logger."""
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    snakemake_logger.addHandler(handler)
    yield messages
    snakemake_logger.removeHandler(handler)


def as_configured(dataset: str, run: str) -> None:
    """No job is of a study."""


def log(folder: Path, *errors: str, name: str = "a.log") -> str:
    lines = ["2026-01-01 00:00:00,000 INFO train digits pgd 0 starts"]
    lines += [f"2026-01-01 00:00:00,000 ERROR {error}\n    | 1 2 ERROR no message" for error in errors]
    (folder / name).write_text("\n".join(lines) + "\n")
    return str(folder / name)


def send(failures: Failures, event: LogEvent, level: int = logging.ERROR, **fields: Any) -> None:
    logger = logging.Logger("snakemake.logging")
    logger.addHandler(failures)
    logger.log(level, "Error in rule train", extra={"event": event, **fields})


def job_error(failures: Failures, number: int, message: str | None = None, logs: tuple[str, ...] = ()) -> None:
    send(failures, LogEvent.JOB_ERROR, jobid=number, rule_name="train", rule_msg=message, log=list(logs), aux={})


def test_nothing_is_said_where_nothing_failed(failures, said):
    job_error(failures, 1)  # tried again, and done
    failures.summarise([], as_configured)
    assert said == []


def test_each_job_is_named_with_its_cause_and_its_log(failures, said, tmp_path):
    first = Job(1, [log(tmp_path, "a first try", "x.npz: damaged")])
    second = Job(2, [log(tmp_path, "no memory", name="b.log")], Wildcards(fromdict={"dataset": "digits"}))
    second.rule = SimpleNamespace(name="fetch")
    for job in (first, second):
        job_error(failures, job.jobid, logs=tuple(job.log))
    failures.summarise([first, second], as_configured)
    (message,) = said
    lines = message.splitlines()
    assert lines[0] == "robustmia: 2 jobs failed"
    assert lines[1:3] == ["  train digits pgd 0: x.npz: damaged", f"    log: {tmp_path / 'a.log'}"]
    assert lines[3:5] == ["  fetch digits: no memory", f"    log: {tmp_path / 'b.log'}"]
    assert len(lines) == 6
    assert "datasets.digits.runs.pgd" in lines[5]  # what to set to null


def test_a_job_without_a_run_has_no_advice(failures, said, tmp_path):
    job = Job(1, [log(tmp_path, "no memory")], Wildcards(fromdict={"dataset": "digits"}))
    failures.summarise([job], as_configured)
    assert len(said[0].splitlines()) == 3


def test_a_job_of_a_study_is_named_with_its_point(failures, said, tmp_path):
    wildcards = Wildcards(fromdict={"dataset": "digits", "run": "pgd@1e8fb791", "seed": "0"})
    job = Job(1, [log(tmp_path, "no memory")], wildcards)
    failures.summarise([job], lambda dataset, run: "study radius, method.epsilon = 9" if "@" in run else None)
    lines = said[0].splitlines()
    assert lines[1] == "  train digits pgd@1e8fb791 0 (study radius, method.epsilon = 9): no memory"
    assert "to null" not in said[0]
    assert "out of the study" in lines[-1]


@pytest.mark.parametrize("age", [None, 3600])
def test_a_log_of_an_earlier_run_says_nothing_of_this_one(failures, said, tmp_path, age):
    path = str(tmp_path / "a.log")
    if age is not None:
        log(tmp_path, "an old error")
        os.utime(path, (time.time() - age,) * 2)
    failures.summarise([Job(1, [path])], as_configured)
    assert "an old error" not in said[0]
    assert said[0].splitlines()[1].startswith("  train digits pgd 0: ")
    assert path in said[0]
    assert failures.last_error([path]) is None
    assert failures.last_error([]) is None


def test_what_the_cluster_says_is_said_and_its_log_is_named(failures, said, tmp_path):
    message = "SLURM-job '7' failed, SLURM status is: 'OUT_OF_MEMORY'. "
    job = Job(1, [log(tmp_path)])
    job_error(failures, 1, message, (*job.log, "slurm/7.log"))
    failures.summarise([job], as_configured)
    lines = said[0].splitlines()
    assert "OUT_OF_MEMORY" in lines[1]
    assert lines[2:4] == [f"    log: {tmp_path / 'a.log'}", "    log: slurm/7.log"]


@pytest.mark.parametrize(("status", "shown"), [("FAILED", False), ("TIMEOUT", True)])
def test_that_a_job_failed_is_not_said_twice(failures, said, tmp_path, status, shown):
    job = Job(1, [log(tmp_path, "no memory")])
    job_error(failures, 1, f"SLURM-job '7' failed, SLURM status is: '{status}'. ")
    failures.summarise([job], as_configured)
    line = said[0].splitlines()[1]
    assert (status in line) is shown
    assert line.endswith("no memory")


def test_of_a_group_the_jobs_with_an_error_are_named(failures, said, tmp_path):
    logs = [log(tmp_path, name="a.log"), log(tmp_path, "no memory", name="b.log")]
    seeds = [Wildcards(fromdict={"dataset": "digits", "run": "pgd", "seed": seed}) for seed in "01"]
    group = Group("g", [Job(number, [path], seed) for number, path, seed in zip((1, 2), logs, seeds, strict=True)])
    failures.messages["g"] = "SLURM-job '7' failed, SLURM status is: 'TIMEOUT'. "  # which Snakemake drops
    send(failures, LogEvent.GROUP_ERROR, groupid="g", aux_logs=["slurm/7.log"], job_error_info=[])
    failures.summarise([group], as_configured)
    lines = said[0].splitlines()
    assert lines[0] == "robustmia: 1 job failed"
    assert lines[1].startswith("  train digits pgd 1: ")
    assert "TIMEOUT" in lines[1]
    assert lines[1].endswith("no memory")
    assert lines[2:4] == [f"    log: {tmp_path / 'b.log'}", "    log: slurm/7.log"]
    assert not any("pgd 0" in line for line in lines)


def test_of_a_group_that_left_no_message_every_job_is_named(failures, said, tmp_path):
    seeds = [Wildcards(fromdict={"dataset": "digits", "run": "pgd", "seed": seed}) for seed in "01"]
    failures.summarise([Group("g", [Job(number, [], seed) for number, seed in enumerate(seeds)])], as_configured)
    named = [line.partition(":")[0] for line in said[0].splitlines() if line.startswith("  train")]
    assert named == ["  train digits pgd 0", "  train digits pgd 1"]


def test_nothing_forges_a_line(failures, said, tmp_path):
    wildcards = Wildcards(fromdict={"dataset": "a\nb", "figure": "\x1b[2J"})
    (tmp_path / "a.log").write_bytes(b"2026-01-01 00:00:00,000 ERROR \x1b[2J\xff\n")
    failures.summarise([Job(1, [str(tmp_path / "a.log")], wildcards)], as_configured)
    assert "\x1b" not in said[0]
    assert len(said[0].splitlines()) == 3


def test_events_of_jobs_that_do_not_fail_are_not_kept(failures):
    send(failures, LogEvent.JOB_INFO, logging.INFO, jobid=1, rule_name="train", wildcards={}, reason="x")
    send(failures, LogEvent.JOB_FINISHED, logging.INFO, job_id=1)
    logging.Logger("snakemake.logging").error("no event")
    assert failures.messages == failures.cluster_logs == {}
