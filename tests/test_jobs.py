"""What surrounds a job: the record of how its result came about."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from snakemake.iocontainers import InputFiles, OutputFiles

from conftest import ROOT
from robustmia import lifeline
from robustmia.errors import DamagedError, UserError
from robustmia.jobs import job
from robustmia.locks import lock


@pytest.fixture
def training(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """What Snakemake would give a script; the log that a job opens is closed afterwards, and its handler of SIGTERM goes."""
    handler = signal.getsignal(signal.SIGTERM)
    (tmp_path / "split.npz").write_text("rows")
    yield SimpleNamespace(
        rule="train",
        wildcards=["digits", "pgd", "0"],
        params=SimpleNamespace(spec={"seed": 7, "method": {"class": "a:B"}}, code="0123abcd"),
        input=InputFiles(fromdict={"split": str(tmp_path / "split.npz")}),
        output=OutputFiles(fromdict={"spec": str(tmp_path / "spec.json")}),
        log=[tmp_path / "log.txt"],
    )
    signal.signal(signal.SIGTERM, handler)
    logging.basicConfig(handlers=[], force=True)


def test_spec_json_says_of_what_code_settings_and_versions_a_result_is(training):
    with job(training):
        pass
    written = json.loads(Path(training.output.spec).read_text())
    assert written["spec"] == {"seed": 7, "method": {"class": "a:B"}}
    assert written["code"] == "0123abcd"
    assert written["versions"]["numpy"] == np.__version__
    assert 0 <= written["seconds"] < 60
    assert set(written) == {"spec", "code", "git_revision", "versions", "device", "seconds"}
    assert "train digits pgd 0 took" in training.log[0].read_text()


def test_a_job_that_fails_leaves_no_spec(training):
    message = r"robustmia: train digits pgd 0: KeyError: 'x' \(traceback in .*log\.txt\)"
    with pytest.raises(SystemExit, match=message), job(training):
        raise KeyError("x")
    assert not Path(training.output.spec).exists()
    assert "Traceback" in training.log[0].read_text()


def test_what_looks_like_a_message_in_a_log_is_one(training):
    """A class of a data set has a name that ends a line and begins another one."""
    forged = "cat\n2026-01-01 00:00:00,000 INFO train digits pgd 0 took 1.0 s\x1b[2J"
    logger = logging.getLogger("robustmia")
    with pytest.raises(SystemExit) as caught, job(training):
        raise logger.info("class %s", forged) or KeyError(forged)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    lines = training.log[0].read_text().splitlines()
    assert [line.split()[2] for line in lines if not line.startswith("    | ")] == ["INFO", "INFO", "ERROR"]
    assert "took 1.0 s" in lines[1]


def test_a_damaged_input_is_moved_away_so_that_it_is_made_again(training, tmp_path):
    split = tmp_path / "split.npz"
    with (
        pytest.raises(
            SystemExit, match=r"split\.npz: damaged \(cut off\); moved to .*split\.npz\.damaged; the same command"
        ),
        job(training),
    ):
        raise DamagedError(split, "cut off")
    assert not split.exists()
    assert (tmp_path / "split.npz.damaged").read_text() == "rows"


def test_a_damaged_file_in_a_folder_takes_the_folder_with_it(training, tmp_path):
    (tmp_path / "signals").mkdir()
    training.input = InputFiles(fromdict={"signals": str(tmp_path / "signals")})
    with pytest.raises(SystemExit, match="damaged"), job(training):
        raise DamagedError(tmp_path / "signals" / "benign.npz", "cut off")
    assert not (tmp_path / "signals").exists()
    assert (tmp_path / "signals.damaged").is_dir()


def test_files_of_others_stay_where_they_are(training, tmp_path):
    theirs = tmp_path / "theirs.npz"
    theirs.write_text("not ours")
    with pytest.raises(SystemExit, match="delete it"), job(training):
        raise DamagedError(theirs, "cut off")
    assert theirs.exists()
    with pytest.raises(SystemExit, match="is wrong"), job(training):
        raise UserError("theirs.npz is wrong")
    assert theirs.exists()


def test_inputs_from_the_future_are_dated_now(training, tmp_path):
    future = time.time() + 3600
    os.utime(tmp_path / "split.npz", (future, future))
    with job(training):
        pass
    assert (tmp_path / "split.npz").stat().st_mtime <= time.time()
    assert "is dated in the future" in training.log[0].read_text()


JOB = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from snakemake.iocontainers import InputFiles, OutputFiles
from robustmia import jobs
folder = Path(sys.argv[1])
output = OutputFiles(fromdict={"table": str(folder / "table.csv")})
given = SimpleNamespace(rule="collect", wildcards=[], input=InputFiles(), output=output, log=[folder / "log.txt"])
with jobs.job(given):
    Path(given.output.table).write_text("half")
    print("in it", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def started_job(folder: Path, seconds: float, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(folder), str(seconds)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sigterm_ends_a_job_with_a_line_and_nothing_half_written(tmp_path):
    running = started_job(tmp_path, 60)
    assert running.stdout.readline() == "in it\n"
    running.terminate()
    _, said = running.communicate(timeout=30)
    assert running.returncode == 1
    assert said == "robustmia: collect: stopped by SIGTERM\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".log.txt.lock", "log.txt"]


def test_a_job_waits_for_another_process_that_makes_the_same_files(tmp_path):
    (tmp_path / "log.txt").touch()
    held = lock(tmp_path / ".log.txt.lock")
    (tmp_path / "log.txt").unlink()  # as Snakemake does before each job
    waiting = started_job(tmp_path, 0)
    assert "another process is still making these files; waiting for it" in waiting.stderr.readline()
    assert not (tmp_path / "table.csv").exists()
    held.close()
    waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    assert (tmp_path / "table.csv").read_text() == "half"


WORKFLOW = """
import subprocess, sys
from robustmia import lifeline
lifeline.announce()
subprocess.run(["bash", "-c", 'set -e; "$0" -c "$1" "$2" 60; true', sys.executable, sys.argv[1], sys.argv[2]])
"""


def test_a_job_ends_when_its_workflow_is_killed(tmp_path):
    """Through a shell in between, as Snakemake starts scripts, which outlives the workflow."""
    workflow = subprocess.Popen(
        [sys.executable, "-c", WORKFLOW, JOB, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert workflow.stdout.readline() == "in it\n"
    assert lock(tmp_path / ".log.txt.lock") is None
    workflow.kill()
    _, said = workflow.communicate(timeout=30)  # its pipes close when the job has ended too
    assert "collect: stopped by SIGTERM" in said
    with lock(tmp_path / ".log.txt.lock"):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".log.txt.lock", "log.txt"]


def test_a_job_of_another_machine_does_not_watch_processes_here(tmp_path):
    running = started_job(tmp_path, 1, **{lifeline.VARIABLE: f"elsewhere/{2**22 - 1}"})
    running.communicate(timeout=30)
    assert running.returncode == 0
