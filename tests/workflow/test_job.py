"""What surrounds a job: its log, its errors, its lock, and the record of how its result came about."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from snakemake.iocontainers import InputFiles, OutputFiles

from helpers import ROOT
from robustmia.errors import DamagedError, UserError
from robustmia.workflow.job import job


@pytest.fixture
def training(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """What Snakemake would give a script; the job's handler of SIGTERM goes afterwards."""
    handler = signal.getsignal(signal.SIGTERM)
    (tmp_path / "split.npz").write_text("rows")
    yield SimpleNamespace(
        rule="train",
        wildcards=["digits", "pgd", "0"],
        params=SimpleNamespace(spec={"seed": 7, "method": {"class": "a:B"}}, code="0123abcd"),
        input=InputFiles(fromdict={"split": str(tmp_path / "split.npz")}),
        output=OutputFiles(fromdict={"spec": str(tmp_path / "spec.json")}),
        resources={},
        log=[tmp_path / "log.txt"],
    )
    signal.signal(signal.SIGTERM, handler)


def fails(training: SimpleNamespace, error: BaseException, capfd: pytest.CaptureFixture[str]) -> str:
    """Run a job that raises an error, which has to end it with status 1 and nothing on the terminal; returns its log."""
    with pytest.raises(SystemExit) as caught, job(training):
        raise error
    assert caught.value.code == 1
    assert capfd.readouterr() == ("", "")
    return training.log[0].read_text()


def errors(log: str) -> list[str]:
    """The errors in a log."""
    return [line.split(" ERROR ", 1)[1] for line in log.splitlines() if " ERROR " in line]


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


def test_a_job_that_fails_leaves_no_spec_and_its_traceback_in_the_log(training, capfd):
    log = fails(training, KeyError("x"), capfd)
    assert not Path(training.output.spec).exists()
    assert len(errors(log)) == 1
    assert re.fullmatch(r"KeyError: 'x' \(test_job.py, line \d+\)", errors(log)[0])
    assert "Traceback" in log


@pytest.mark.parametrize("mistake", [lambda: np.stack([np.zeros(1), np.zeros(2)]), lambda: json.loads("{")])
def test_the_place_of_an_error_is_not_in_a_library(training, mistake):
    with pytest.raises(SystemExit), job(training):
        mistake()
    assert "(test_job.py, line " in errors(training.log[0].read_text())[0]


def test_a_mistake_of_the_user_is_one_line_in_the_log(training, capfd):
    log = fails(training, UserError("theirs.npz is wrong"), capfd)
    assert errors(log) == ["theirs.npz is wrong"]
    assert "Traceback" not in log
    assert not Path(training.output.spec).exists()


def test_an_interrupted_job_is_one_line_in_the_log(training, capfd):
    log = fails(training, KeyboardInterrupt(), capfd)
    assert len(errors(log)) == 1
    assert "Traceback" not in log


def test_what_looks_like_a_message_in_a_log_is_one(training, capfd):
    """A class of a data set has a name that ends a line and begins another one."""
    forged = "cat\n2026-01-01 00:00:00,000 INFO train digits pgd 0 took 1.0 s\x1b[2J"
    training.wildcards = ["digits", forged, "0"]
    logger = logging.getLogger("robustmia")
    with pytest.raises(SystemExit) as caught, job(training):
        raise logger.info("class %s", forged) or KeyError(forged)
    assert caught.value.code == 1
    assert capfd.readouterr() == ("", "")
    log = training.log[0].read_text()
    assert "\x1b" not in log
    lines = log.splitlines()
    assert [line.split()[2] for line in lines if not line.startswith("    | ")] == ["INFO", "INFO", "ERROR"]
    assert "took 1.0 s" in lines[1]


def test_a_damaged_input_is_moved_away_so_that_it_is_made_again(training, tmp_path, capfd):
    split, aside = tmp_path / "split.npz", tmp_path / "split.npz.damaged"
    (error,) = errors(fails(training, DamagedError(split, "cut off"), capfd))
    assert error.startswith(f"{split}: ")
    assert "cut off" in error
    assert str(aside) in error
    assert not split.exists()
    assert aside.read_text() == "rows"


def test_a_damaged_file_in_a_folder_takes_the_folder_with_it(training, tmp_path, capfd):
    for _ in range(2):  # the second time, one is there already
        (tmp_path / "signals").mkdir()
        training.input = InputFiles(fromdict={"signals": str(tmp_path / "signals")})
        fails(training, DamagedError(tmp_path / "signals" / "benign.npz", "cut off"), capfd)
        assert not (tmp_path / "signals").exists()
        assert (tmp_path / "signals.damaged").is_dir()


def test_files_of_others_stay_where_they_are(training, tmp_path, capfd):
    theirs = tmp_path / "theirs.npz"
    theirs.write_text("not ours")
    for error in (DamagedError(theirs, "cut off"), UserError(f"{theirs} is wrong")):
        assert str(theirs) in errors(fails(training, error, capfd))[0]
        assert theirs.read_text() == "not ours"


def test_inputs_from_the_future_are_dated_now(training, tmp_path):
    future = time.time() + 3600
    (tmp_path / "signals").mkdir()
    (tmp_path / "signals" / ".snakemake_timestamp").touch()  # what Snakemake goes by, of a folder
    dated = [tmp_path / "split.npz", tmp_path / "signals" / ".snakemake_timestamp"]
    for path in dated:
        os.utime(path, (future, future))
    training.input = InputFiles(toclone=[str(tmp_path / "split.npz"), str(tmp_path / "signals")])
    with job(training):
        pass
    assert all(path.stat().st_mtime <= time.time() for path in dated)
    log = training.log[0].read_text()
    assert log.count(" WARNING ") == 2
    assert "split.npz" in log


def test_a_job_that_asks_for_a_gpu_has_one_and_others_have_none(training, tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-a)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    lock = FileLock(tmp_path / f"robustmia-gpus-{os.getuid()}" / "GPU-a.lock")
    with job(training):
        assert "CUDA_VISIBLE_DEVICES" not in os.environ
        assert not Path(lock.lock_file).exists()
    training.resources = {"gpu": 1}
    with job(training):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a"


JOB = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from snakemake.iocontainers import InputFiles, OutputFiles
from robustmia.files.atomic import atomic_path
from robustmia.workflow.job import job
folder = Path(sys.argv[1])
output = OutputFiles(fromdict={"table": str(folder / "table.csv")})
given = SimpleNamespace(
    rule="collect", wildcards=[], input=InputFiles(), output=output, resources={}, log=[folder / "log.txt"]
)
with job(given), atomic_path(given.output.table) as place:
    place.write_text("half")
    print("in it", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def started_job(folder: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(folder), str(seconds)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
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
    assert said == ""
    (error,) = errors((tmp_path / "log.txt").read_text())
    assert "SIGTERM" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == [".log.txt.lock", "log.txt"]


def test_a_job_waits_for_another_process_that_makes_the_same_files(tmp_path):
    (tmp_path / "log.txt").touch()
    held = FileLock(tmp_path / ".log.txt.lock")
    held.acquire()
    (tmp_path / "log.txt").unlink()  # as Snakemake does before each job
    waiting = started_job(tmp_path, 0)
    assert waiting.stderr.readline().startswith("robustmia: collect: ")
    assert not (tmp_path / "table.csv").exists()
    assert not (tmp_path / "log.txt").exists()
    held.release()
    waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    assert (tmp_path / "table.csv").read_text() == "half"


def test_the_lock_of_a_job_dies_with_it_however_it_ends(tmp_path):
    killed = started_job(tmp_path, 60)
    assert killed.stdout.readline() == "in it\n"
    killed.kill()
    killed.communicate(timeout=30)
    again = started_job(tmp_path, 0)
    _, said = again.communicate(timeout=30)
    assert (again.returncode, said) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".log.txt.lock", "log.txt", "table.csv"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 7 TiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    ],
)
def test_want_of_memory_is_a_line_that_says_what_to_lower(training, capfd, error):
    (line,) = errors(fails(training, error, capfd))
    assert line.startswith("not enough memory (")
    assert "batch_size" in line


def test_want_of_memory_without_a_model_names_what_tables_need_less_with(training, capfd, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    (line,) = errors(fails(training, MemoryError("Unable to allocate 7 TiB"), capfd))
    assert "shadow_models" in line
    assert "batch_size" not in line


def test_a_job_looks_for_garbage_rarely_and_not_at_its_end(training):
    before, gc_threshold = gc.get_freeze_count(), gc.get_threshold()
    try:
        with job(training):
            assert gc.get_threshold()[0] >= 100_000
        assert gc.get_freeze_count() > before
    finally:
        gc.set_threshold(*gc_threshold)
        gc.unfreeze()
