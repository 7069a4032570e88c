"""Logs of jobs: a line a message, and lines that say how far a job is."""

from __future__ import annotations

import logging
import re
import time
import warnings
from pathlib import Path

import pytest

from robustmia.progress import report_progress
from robustmia.workflow import logs
from robustmia.workflow.logs import TO_STDERR, job_log

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO ")


def messages(path: Path) -> list[str]:
    """What the lines of a log say; each has to have a time and be an INFO."""
    lines = path.read_text().splitlines()
    assert all(STAMP.match(line) for line in lines)
    return [STAMP.sub("", line) for line in lines]


def work(steps: int, seconds: float = 0.0, task: str = "training", asked: list[int] | None = None) -> None:
    """A loop that reports after each of its steps."""
    for step in range(1, steps + 1):
        time.sleep(seconds)
        report_progress(task, step, steps, "epochs", lambda step=step: asked.append(step) or f"loss {step}")


def test_the_end_of_each_task_is_written_and_no_more_of_a_short_one(tmp_path):
    asked: list[int] = []
    with job_log(tmp_path / "log"):
        work(5, asked=asked)
        report_progress("benign", 3, 10, "images")
        report_progress("benign", 10, 10, "images")
    first, second = messages(tmp_path / "log")
    assert first.startswith("training: 5 of 5 epochs")
    assert first.endswith("loss 5")
    assert second.startswith("benign: 10 of 10 images")
    assert asked == [5]  # values that a device is waited for, only where they are written


def test_a_long_task_says_at_every_interval_how_far_it_is_how_fast_and_how_long_it_will_take(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "INTERVAL", 0.6)
    started = time.monotonic()
    with job_log(tmp_path / "log"):
        work(200, 0.01, asked=[])
    lines = messages(tmp_path / "log")
    seconds = time.monotonic() - started
    assert int(seconds / 0.6) <= len(lines) <= seconds / 0.4 + 1  # a line with details after two thirds of an interval
    status = r"training: \d+ of 200 epochs, [\d.]+ epochs/s, \d+:\d\d:\d\d left"
    assert all(re.fullmatch(rf"({status}; loss \d+|still running; {status})", line) for line in lines)
    assert lines[-1].startswith("training: 200 of 200 epochs")
    assert lines[-1].endswith(" 0:00:00 left; loss 200")


def test_what_was_done_before_a_restart_is_not_in_the_rate(tmp_path):
    with job_log(tmp_path / "log"):
        report_progress("training", 900, 1000, "epochs")
        time.sleep(0.2)
        report_progress("training", 901, 1000, "epochs")
        report_progress("training", 1000, 1000, "epochs")
    (line,) = messages(tmp_path / "log")
    rate = float(re.search(r"([\d.]+) epochs/s", line).group(1))
    assert rate < 510  # of 100 epochs, not of 1000


def test_a_job_that_reports_nothing_still_shows_that_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "INTERVAL", 0.2)
    with job_log(tmp_path / "log"):
        time.sleep(0.7)
        report_progress("training", 1, 9, "epochs")
        time.sleep(0.7)
    lines = messages(tmp_path / "log")
    assert all(line.startswith("still running; ") for line in lines if not line.startswith("training"))
    assert len(lines) >= 4
    assert "training" not in lines[0]
    assert "training: 1 of 9 epochs" in lines[-1]


def test_nothing_is_written_after_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "INTERVAL", 0.1)
    with job_log(tmp_path / "log"):
        pass
    before = (tmp_path / "log").read_text()
    report_progress("training", 9, 9, "epochs")
    logging.getLogger("robustmia").warning("too late")
    time.sleep(0.3)
    assert (tmp_path / "log").read_text() == before


def test_progress_without_a_log_costs_nothing():
    report_progress("training", 9, 9, "epochs", lambda: pytest.fail("asked for"))


def test_no_name_forges_a_line(tmp_path):
    forged = "cat\n2026-01-01 00:00:00,000 ERROR all is lost\x1b[2J"
    with job_log(tmp_path / "log"):
        logging.getLogger("robustmia").info("class %s", forged)
        report_progress(forged, 9, 9, "epochs", lambda: forged)
        try:
            raise KeyError(f"a\u2028{forged}")
        except KeyError:
            logging.getLogger("robustmia").info("caught %s", forged, exc_info=True)
    text = (tmp_path / "log").read_text()
    assert "\x1b" not in text
    lines = text.split("\n")[:-1]
    assert len([line for line in lines if STAMP.match(line)]) == 3
    assert all(STAMP.match(line) or line.startswith("    | ") for line in text.splitlines())


def test_a_new_log_takes_the_place_of_the_old_one_and_is_on_the_terminal_only_if_that_is_asked_for(
    tmp_path, monkeypatch, capsys
):
    for asked in ("", "1"):
        monkeypatch.setenv(TO_STDERR, asked)
        with job_log(tmp_path / "log"):
            logging.getLogger("robustmia").info("run %s", asked)
        assert messages(tmp_path / "log") == [f"run {asked}"]
        assert capsys.readouterr().err == ((tmp_path / "log").read_text() if asked else "")


@pytest.mark.filterwarnings("default")
def test_a_warning_of_a_library_is_in_the_log_alone_and_no_more_than_information(tmp_path, capsys):
    with job_log(tmp_path / "log"):
        warnings.warn("did not converge\nsee the manual", RuntimeWarning, stacklevel=1)
    assert messages(tmp_path / "log") == ["RuntimeWarning: did not converge"]
    assert " INFO " in (tmp_path / "log").read_text()
    assert capsys.readouterr().err == ""
