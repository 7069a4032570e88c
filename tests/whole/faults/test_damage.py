"""Damaged files, and files from the future."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from fault_helpers import GIVEN, few, finish, flip_a_bit, jobs_of, tables, when


@pytest.mark.parametrize(
    "damaged",
    [
        "data/digits/split_seed0.npz",
        "models/digits/pgd/seed0/model.safetensors",
        "signals/digits/pgd/seed0/benign+adversarial.npz",
    ],
)
def test_a_damaged_result_is_refused_and_made_again(finished, undisturbed, damaged):
    path = finished.folder / "results" / "smoke" / damaged
    flip_a_bit(path)
    done = finished.run(*GIVEN)  # its time is newer, so what follows it reads it again
    assert done.returncode
    assert f"{path.name}: damaged (" in done.stdout
    finish(finished)
    assert tables(finished) == undisturbed


def test_a_damaged_checkpoint_costs_an_epoch_at_most(tmp_path, undisturbed):
    workflow = few(tmp_path)
    checkpoints = workflow.folder / "results" / "smoke" / "checkpoints"

    def with_two_states() -> list[Path]:
        """The last states of trainings that have one before it too."""
        return [path for path in checkpoints.glob("*.pt") if path.with_suffix(".before.pt").exists()]

    running = workflow.start(*GIVEN)
    processes: list[psutil.Process] = []

    def stopped_with_two_states() -> bool:
        """Stop everything, and go on with it if a training ended or was between two files at that moment."""
        if not with_two_states():
            return False
        main = psutil.Process(running.pid)
        processes[:] = [main, *jobs_of(main)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        if with_two_states():
            return True
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        return False

    when(stopped_with_two_states, running)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    running.communicate(timeout=60)
    for path in with_two_states():
        flip_a_bit(path)
    finish(workflow)
    logs = "".join(path.read_text() for path in (workflow.folder / "results/smoke/logs/train").rglob("*.log"))
    assert "damaged checkpoint (its digest is wrong), removed" in logs
    assert tables(workflow) == undisturbed


def test_times_in_the_future_settle_in_one_command(finished, undisturbed):
    """As of a node whose clock is ahead."""
    future = time.time() + 7200
    for folder in ("data", "models", "signals", "tables"):
        for path in (finished.folder / "results" / "smoke" / folder).rglob("*.*"):
            os.utime(path, (future, future))
    finish(finished)
    assert "Nothing to be done" in finish(finished)
    assert tables(finished) == undisturbed
