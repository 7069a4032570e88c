"""What a workflow shows, from events as Snakemake 9.27 sends them."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.logging import ColorizingTextHandler, DefaultFormatter
from snakemake.logging import logger as snakemake_logger
from snakemake_interface_logger_plugins.common import LogEvent

from robustmia.workflow.failures import Failures
from robustmia.workflow.terminal import Terminal, attach_terminal

TABLE = "Job stats:\njob      count\n-----  -------\ntrain        2\ntotal        2\n"


class Screen(io.StringIO):
    """What was written, and whether it passes for a terminal."""

    def __init__(self, is_tty: bool):
        super().__init__()
        self.is_tty = is_tty

    def isatty(self) -> bool:
        return self.is_tty


class Run:
    """Events of one workflow."""

    def __init__(self, is_tty: bool = False, **settings: bool):
        self.screen, self.failures = Screen(is_tty), Failures()
        stream = ColorizingTextHandler(nocolor=True, stream=self.screen, formatter=DefaultFormatter())
        self.terminal = Terminal(stream, self.failures, **{"dryrun": False, "reasons": False} | settings)
        self.logger = logging.Logger("snakemake.logging")
        self.logger.addHandler(self.terminal)
        self.logger.addHandler(self.failures)

    @property
    def lines(self) -> list[str]:
        return [line for line in self.screen.getvalue().splitlines() if line]

    def start(self) -> None:
        self.event(LogEvent.WORKFLOW_STARTED, msg="SNAKEMAKE 9.27")
        self.event(LogEvent.RUN_INFO, msg=TABLE, stats={"train": 2, "total": 2})
        self.screen.seek(0)
        self.screen.truncate()

    def event(self, event: LogEvent, msg: str | None = None, level: int = logging.INFO, **fields: Any) -> None:
        self.logger.log(level, msg, extra={"event": event, **fields})

    def job(
        self,
        number: int,
        *values: str,
        rule: str = "train",
        reason: str = "Missing output files: x",
        log: Sequence[str] = (),
    ) -> None:
        wildcards = dict(zip(("dataset", "run", "seed"), values, strict=False))
        fields = {"jobid": number, "rule_name": rule, "rule_msg": None, "wildcards": wildcards, "reason": reason}
        fields["log"] = list(log)
        self.event(LogEvent.JOB_INFO, f" Rule: {rule}, Jobid: {number}", **fields)
        self.event(LogEvent.SHELLCMD, "Shell command: None", shellcmd=None, indent=False)
        self.event(LogEvent.JOB_STARTED, jobs=[number])

    def finished(self, *numbers: int) -> None:
        for number in numbers:
            self.event(LogEvent.JOB_FINISHED, f"Finished jobid: {number} (Rule: train)", job_id=number)

    def progress(self, done: int, total: int) -> None:
        self.event(LogEvent.PROGRESS, done=done, total=total)

    def failed(self, number: int, log: list[str]) -> None:
        fields = {"rule_name": "train", "rule_msg": None, "jobid": number, "log": log, "aux": {}, "indent": False}
        self.event(LogEvent.JOB_ERROR, f"Error in rule train, jobid: {number}", logging.ERROR, **fields)


def test_the_table_of_jobs_is_shown_once():
    run = Run()
    run.event(LogEvent.WORKFLOW_STARTED, msg="SNAKEMAKE 9.27")
    for _ in range(2):  # as a dry run does
        run.event(LogEvent.RUN_INFO, msg=TABLE, stats={"train": 2, "total": 2})
    assert run.lines == TABLE.splitlines()


def test_each_job_that_ends_is_a_line():
    run = Run()
    run.start()
    run.job(3, "digits", "pgd", "0")
    run.job(4, "digits", "natural", "0")
    assert run.lines == []
    run.finished(4)
    run.progress(1, 2)
    run.finished(3)
    run.progress(2, 2)
    assert [re.sub(r"\d+ s$", "N s", line) for line in run.lines] == [
        "[1/2] train digits natural 0: N s",
        "[2/2] train digits pgd 0: N s",
    ]


@pytest.mark.parametrize("is_tty", [False, True])
def test_warnings_of_a_job_are_shown_once_after_it(tmp_path, is_tty):
    warned = "2026-01-01 00:00:00,000 WARNING 1 file left out\n2026-01-01 00:00:00,000 INFO well\n"
    run = Run(is_tty)
    run.start()
    for number in (1, 2):
        (tmp_path / f"{number}.log").write_text(2 * warned)
        run.job(number, "digits", "pgd", str(number), log=[str(tmp_path / f"{number}.log")])
        run.finished(number)
        run.progress(number, 2)
    assert run.screen.getvalue().count("1 file left out") == 1
    assert "train digits pgd 1: 1 file left out" in run.screen.getvalue()


def test_the_jobs_of_a_group_are_a_line_each():
    run = Run()
    run.start()
    for number in (1, 2, 3):
        run.job(number, "digits", "pgd", str(number))
    run.finished(1, 2, 3)
    run.progress(7, 9)
    assert [line.partition(":")[0] for line in run.lines] == [
        f"[{done}/9] train digits pgd {seed}" for done, seed in ((5, 1), (6, 2), (7, 3))
    ]


def test_a_job_that_fails_is_a_line_with_the_cause_in_its_log(tmp_path):
    (tmp_path / "a.log").write_text("2026-01-01 00:00:00,000 ERROR x.npz: damaged\x1b[2J\n    | Traceback\n")
    run = Run()
    run.start()
    for number in (1, 2):
        run.job(number, "digits", "pgd", str(number))
    run.failed(1, [str(tmp_path / "a.log")])
    run.failed(2, [])
    assert len(run.lines) == 2
    assert all(line.startswith("failed after ") for line in run.lines)
    assert "train digits pgd 1: " in run.lines[0]
    assert run.lines[0].endswith(r"x.npz: damaged\x1b[2J")
    assert "train digits pgd 2: " in run.lines[1]
    run.finished(3)  # one that was never announced
    run.progress(1, 2)
    assert run.lines[2].startswith("[1/2] ")


def test_the_jobs_of_a_group_that_fails_are_a_line_each():
    run = Run()
    run.start()
    run.job(1, "digits", "pgd", "0")
    run.event(LogEvent.GROUP_ERROR, "Error in group a", logging.ERROR, groupid="a", aux_logs=[], job_error_info=[])
    run.failed(1, [])
    assert len(run.lines) == 1
    assert "train digits pgd 0" in run.lines[0]


def test_a_job_that_is_tried_again_is_counted_once():
    run = Run()
    run.start()
    run.job(1, "digits", "pgd", "0")
    run.failed(1, [])
    run.job(1, "digits", "pgd", "0")
    run.finished(1)
    run.progress(1, 2)
    assert [line.split()[0] for line in run.lines] == ["failed", "[1/2]"]


def test_a_name_forges_no_line():
    run = Run(dryrun=True, reasons=True)
    run.start()
    run.job(1, "digits\n[2/2] all is well", "\x1b[2J", "0")
    assert len(run.lines) == 1
    assert "\x1b" not in run.lines[0]


@pytest.mark.parametrize("reasons", [False, True])
def test_a_dry_run_shows_the_reasons_only_if_asked(reasons):
    run = Run(dryrun=True, reasons=reasons)
    run.start()
    run.job(1, "digits", "pgd", "0", reason="Code has changed")
    run.job(2, rule="all", reason="Input files updated by another job: x")
    run.progress(0, 2)
    shown = ["train digits pgd 0: Code has changed", "all: Input files updated by another job: x"]
    assert run.lines == (shown if reasons else [])


def test_messages_of_snakemake_are_left_to_its_log_but_for_some():
    run = Run()
    run.logger.info("Config file config.yaml is extended by additional config specified via the command line.")
    run.logger.info("Assuming unrestricted shared filesystem usage.")
    assert [line.split()[0] for line in run.lines] == ["Config"]  # before the start, but for what is always said
    run.start()
    left = (
        "Building DAG of jobs...",
        "Select jobs to execute...",
        "Using shell: /usr/bin/bash",
        "Removing output files",
    )
    for text in left:
        run.logger.info(text)
    run.event(LogEvent.RESOURCES_INFO, "Provided cores: 2", cores=2)
    assert run.lines == []
    shown = ("Nothing to be done (all requested files are present).", "Complete log(s): x", "Trying to restart job 1.")
    for text in shown:
        run.logger.info(text)
    run.logger.warning("A warning")
    run.logger.error("robustmia: 1 job failed")
    run.logger.error("Exiting because a job execution failed. Look below for error messages")
    assert run.lines == [*shown, "A warning", "robustmia: 1 job failed"]


def test_on_a_terminal_there_is_one_bar_that_names_what_is_running(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    run = Run(is_tty=True)
    run.event(LogEvent.WORKFLOW_STARTED, msg="SNAKEMAKE 9.27")
    run.event(LogEvent.RUN_INFO, msg=TABLE, stats={"train": 2, "total": 2})
    run.job(1, "digits", "pgd", "0")
    run.job(2, "digits", "ibp", "0")
    assert run.screen.getvalue().endswith("train digits pgd 0, train digits ibp 0")
    run.finished(1)
    run.progress(1, 2)
    assert "1/2" in run.screen.getvalue().rpartition("\r")[2]
    assert run.screen.getvalue().endswith("train digits ibp 0")
    run.failed(2, [])
    text = run.screen.getvalue()
    assert "failed after" in text
    assert "[1/2]" not in text
    run.terminal.close()
    assert run.terminal.bar.n == 1


@pytest.mark.parametrize("changes", [{"TERM": "dumb"}, {"dryrun": True}])
def test_there_is_no_bar_where_it_would_be_no_use(monkeypatch, changes):
    monkeypatch.setenv("TERM", changes.get("TERM", "xterm"))
    run = Run(is_tty=True, dryrun="dryrun" in changes)
    run.event(LogEvent.RUN_INFO, msg=TABLE, stats={"train": 2, "total": 2})
    assert run.terminal.bar is None


@pytest.fixture
def own_display() -> Iterator[ColorizingTextHandler]:
    """Snakemake's own handler; its logger is as before afterwards."""
    before = list(snakemake_logger.handlers)
    stream = ColorizingTextHandler(nocolor=True, stream=Screen(False), formatter=DefaultFormatter())
    stream.name = "DefaultStreamHandler"
    snakemake_logger.handlers = [stream]
    yield stream
    snakemake_logger.handlers = before


ASKED = {"quiet": None, "printshellcmds": False, "debug_dag": False, "verbose": False, "dryrun": False}


@pytest.mark.parametrize(
    ("asked", "is_ours"),
    [
        ({}, True),
        ({"dryrun": True}, True),
        ({"dryrun": True, "verbose": True}, True),
        ({"verbose": True}, False),
        ({"printshellcmds": True}, False),
        ({"debug_dag": True}, False),
        ({"quiet": {"rules"}}, False),
    ],
)
def test_snakemakes_own_display_is_there_for_those_who_ask_for_it(own_display, asked, is_ours):
    attach_terminal(SimpleNamespace(output_settings=SimpleNamespace(**ASKED | asked)), Failures())
    (handler,) = snakemake_logger.handlers
    assert isinstance(handler, Terminal) is is_ours
    assert is_ours or handler is own_display
    assert not is_ours or (handler.dryrun, handler.reasons) == (bool(asked), "verbose" in asked)
