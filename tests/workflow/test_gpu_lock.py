"""GPUs of one machine shared out among jobs, on made-up lists of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from helpers import ROOT
from robustmia.errors import UserError
from robustmia.models.device import pick_device
from robustmia.workflow import gpu_lock
from robustmia.workflow.gpu_lock import VISIBLE, one_gpu, visible_gpus

HOLD = """
import os, time
from robustmia.workflow.gpu_lock import one_gpu
with one_gpu():
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    time.sleep(60)
"""
Driver = Callable[..., None]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks of this test alone, and an environment that is put back afterwards."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(gpu_lock, "PAUSE", 0.05)
    monkeypatch.setenv(VISIBLE, "")  # so that the variable is put back
    monkeypatch.delenv(VISIBLE)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A made-up nvidia-smi that lists GPUs by these names, or does what a script says."""

    def install(*names: str, script: str | None = None) -> None:
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir()
        lines = [
            f"echo 'GPU {i}: NVIDIA H100 (UUID: {name})'; echo '  MIG 1g Device 0'" for i, name in enumerate(names)
        ]
        program.write_text("\n".join(["#!/bin/sh", *([script] if script else lines)]) + "\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return install


def holder(*names: str) -> subprocess.Popen[str]:
    """A process that holds one of these GPUs, or of all that the driver lists, and says which."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")} | ({VISIBLE: ",".join(names)} if names else {})
    return subprocess.Popen([sys.executable, "-c", HOLD], env=environment, stdout=subprocess.PIPE, text=True)


def end(*running: subprocess.Popen[str]) -> None:
    for process in running:
        process.kill()
        process.communicate()


def test_each_job_has_a_gpu_of_its_own(driver):
    driver("GPU-a", "GPU-b", "GPU-c")
    running = [holder() for _ in range(3)]
    assert sorted(process.stdout.readline().strip() for process in running) == ["GPU-a", "GPU-b", "GPU-c"]
    end(*running)


def test_a_job_more_than_gpus_waits_until_one_is_given_back_by_whatever_end(driver):
    driver("GPU-a", "GPU-b")
    first, second = holder(), holder()
    taken = [process.stdout.readline().strip() for process in (first, second)]
    assert sorted(taken) == ["GPU-a", "GPU-b"]
    third = holder()
    with pytest.raises(subprocess.TimeoutExpired):
        third.wait(timeout=1.5)
    first.kill()  # it has no chance to clean up
    assert third.stdout.readline().strip() == taken[0]
    end(first, second, third)


def test_a_gpu_is_given_back_when_the_block_ends_and_after_an_error(driver, tmp_path):
    driver("GPU-a")
    lock = FileLock(tmp_path / f"robustmia-gpus-{os.getuid()}" / "GPU-a.lock")
    with one_gpu():
        assert os.environ[VISIBLE] == "GPU-a"
    with lock.acquire(timeout=0):
        pass

    def fail() -> None:
        with one_gpu():
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    with lock.acquire(timeout=0):
        pass


def test_a_job_is_shown_the_gpu_that_it_holds_alone(driver):
    driver("GPU-a", "GPU-b")
    other = holder()
    assert other.stdout.readline().strip() == "GPU-a"
    with one_gpu():
        assert os.environ[VISIBLE] == "GPU-b"
    end(other)


def test_jobs_that_see_other_gpus_do_not_wait_for_each_other(driver):
    """As in a cluster that shows each job its own: numbers would be the same, names are not."""
    driver("GPU-a", "GPU-b")
    running = [holder("GPU-a"), holder("1")]
    assert [process.stdout.readline().strip() for process in running] == ["GPU-a", "GPU-b"]
    end(*running)


def test_a_number_and_a_name_of_one_gpu_are_one_lock(driver):
    driver("GPU-a", "GPU-b")
    first = holder("0")
    assert first.stdout.readline().strip() == "GPU-a"
    second = holder("GPU-a")
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=1.5)
    end(first)
    assert second.stdout.readline().strip() == "GPU-a"
    end(second)


def test_locks_are_private(driver, tmp_path):
    driver("GPU-a")
    folder = tmp_path / f"robustmia-gpus-{os.getuid()}"

    def refuses() -> None:
        with pytest.raises(UserError) as caught, one_gpu():
            pytest.fail("a GPU was taken")
        assert str(folder) in str(caught.value)

    with one_gpu():
        assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    refuses()
    (tmp_path / "elsewhere").mkdir()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere")
    refuses()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_a_gpu_it_is_the_cpu_silently(driver, monkeypatch, capfd, recwarn):
    driver(script="exit 1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with one_gpu():
        assert VISIBLE not in os.environ
        assert pick_device() == torch.device("cpu")
    assert capfd.readouterr() == ("", "")
    assert not recwarn


def test_with_a_gpu_the_device_is_the_one_that_is_shown(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device() == torch.device("cuda")


def test_gpus_are_those_that_the_driver_lists_or_that_are_shown(driver, monkeypatch):
    driver("GPU-a", "GPU-b")
    assert visible_gpus() == ["GPU-a", "GPU-b"]
    for shown, names in (
        ("0", ["GPU-a"]),
        ("1, 0", ["GPU-b", "GPU-a"]),
        ("GPU-b,GPU-a", ["GPU-b", "GPU-a"]),
        ("MIG-x", ["MIG-x"]),  # a part of a GPU, which the driver lists otherwise
        ("", []),
        ("-1", []),
    ):
        monkeypatch.setenv(VISIBLE, shown)
        assert visible_gpus() == names


@pytest.mark.parametrize(
    "script", ["echo 'GPU 0: NVIDIA H100 (UUID: GPU-a)'; exit 9", "echo 'GPU 0: half a line'", ":"]
)
def test_a_driver_that_fails_lists_none(driver, script):
    driver(script=script)
    assert visible_gpus() == []


def test_a_machine_without_a_driver_has_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []


def test_a_workflow_starts_no_more_gpu_jobs_than_there_are_gpus(driver, workflow):
    driver("GPU-a", "GPU-b")
    done = workflow.run("--cores", "8", "results/smoke/data/digits/dataset.npz", "--configfile", "configs/smoke.yaml")
    assert done.returncode == 0, done.stdout
    (log,) = (workflow.folder / ".snakemake" / "log").iterdir()
    assert re.search("Provided resources: gpu=.*2", log.read_text()), log.read_text()
