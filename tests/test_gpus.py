"""GPUs of one machine shared out among jobs, on made-up lists of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from conftest import ROOT
from robustmia import gpus
from robustmia.device import pick_device
from robustmia.errors import UserError
from robustmia.gpus import count_gpus, hold_one

HOLD = """
import sys, time
from robustmia.gpus import count_gpus, hold_one
print(hold_one(sys.argv[1:]), flush=True)
time.sleep(60)
"""


def give_back() -> None:
    for held in gpus._held.values():
        held.close()
    gpus._held.clear()


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(gpus, "_held", {})
    monkeypatch.setattr(gpus, "PAUSE", 0.05)
    yield
    give_back()


def holder(*names: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    return subprocess.Popen([sys.executable, "-c", HOLD, *names], env=environment, stdout=subprocess.PIPE, text=True)


def end(*running: subprocess.Popen[str]) -> None:
    for process in running:
        process.kill()
        process.communicate()


def test_each_job_has_a_gpu_of_its_own():
    running = [holder("GPU-a", "GPU-b", "GPU-c") for _ in range(3)]
    assert sorted(process.stdout.readline().strip() for process in running) == ["GPU-a", "GPU-b", "GPU-c"]
    end(*running)


def test_a_job_more_than_gpus_waits_until_one_is_given_back_by_whatever_end():
    first, second = holder("GPU-a", "GPU-b"), holder("GPU-a", "GPU-b")
    taken = [process.stdout.readline().strip() for process in (first, second)]
    third = holder("GPU-a", "GPU-b")
    with pytest.raises(subprocess.TimeoutExpired):
        third.wait(timeout=1.5)
    first.kill()  # it has no chance to clean up
    assert third.stdout.readline().strip() == taken[0]
    end(first, second, third)


def test_the_same_process_keeps_its_gpu():
    assert hold_one(["GPU-a", "GPU-b"]) == "GPU-a"
    assert hold_one(["GPU-b", "GPU-a"]) == "GPU-a"


def test_jobs_that_see_other_gpus_do_not_wait_for_each_other():
    """As in a cluster that shows each job its own: numbers would be the same, names are not."""
    other = holder("GPU-a")
    assert other.stdout.readline().strip() == "GPU-a"
    assert hold_one(["GPU-b"]) == "GPU-b"
    end(other)


def test_locks_are_private(tmp_path):
    hold_one(["GPU-a"])
    folder = tmp_path / f"robustmia-gpus-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    give_back()
    folder.chmod(0o777)
    with pytest.raises(UserError, match="not a folder of yours alone"):
        hold_one(["GPU-a"])
    (tmp_path / "elsewhere").mkdir()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="not a folder of yours alone"):
        hold_one(["GPU-a"])


def test_without_a_gpu_it_is_the_cpu_silently(monkeypatch, capsys, recwarn):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert pick_device() == torch.device("cpu")
    assert capsys.readouterr() == ("", "")
    assert not recwarn


def test_the_device_is_the_gpu_that_is_held(monkeypatch):
    other = holder("GPU-a")
    other.stdout.readline()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid="GPU-ab"[:4] + "ab"[number])
    )
    assert pick_device() == torch.device("cuda", 1)
    assert pick_device() == torch.device("cuda", 1)
    end(other)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A made-up nvidia-smi."""

    def install(script: str) -> None:
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return install


TWO = "echo 'GPU 0: NVIDIA H100 (UUID: GPU-a)'; echo 'GPU 1: NVIDIA H100 (UUID: GPU-b)'; echo '  MIG 1g Device 0'"


def test_gpus_are_counted_as_the_driver_lists_them(driver, monkeypatch):
    driver(TWO)
    assert count_gpus() == 2
    for named, count in (("0", 1), ("GPU-a,GPU-b,GPU-c", 3), ("", 0), ("-1", 0)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        assert count_gpus() == count


def test_a_driver_that_fails_counts_none(driver):
    driver("echo 'GPU 0: half a line'; exit 9")
    assert count_gpus() == 0


def test_a_workflow_starts_no_more_gpu_jobs_than_there_are_gpus(driver, workflow):
    driver(TWO)
    done = workflow.run("--cores", "8", "results/smoke/data/digits/dataset.npz", "--configfile", "configs/smoke.yaml")
    assert re.search("Provided resources: gpu=.*2", done.stdout), done.stdout
