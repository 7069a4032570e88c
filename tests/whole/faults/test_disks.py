"""Full and read-only disks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fault_helpers import GIVEN, assert_nothing_is_left, few, finish, tables
from helpers import Workflow
from robustmia.files.arrays import save_arrays
from robustmia.files.tables import write_table
from robustmia.files.weights import save_weights
from robustmia.training.checkpoint import Checkpoint, Position


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of its own, which can be made small or read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.getuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")

    def mount(options: str) -> Path:
        subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
        return folder

    yield mount
    subprocess.run(["umount", folder], check=True)


WRITERS: dict[str, Callable[[Path], None]] = {
    "model": lambda path: save_weights({"weight": torch.rand(200_000)}, path),
    "signal": lambda path: save_arrays(path, {"members": np.random.default_rng(0).random(200_000)}),
    "table": lambda path: write_table(pd.DataFrame({"accuracy": np.random.default_rng(0).random(100_000)}), path),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_leaves_no_half_of_a(disk, kind):
    place = disk("size=500k") / "output.npz"
    with pytest.raises(Exception, match="No space left on device"):
        WRITERS[kind](place)
    assert not list(place.parent.iterdir())
    disk("size=10m")
    WRITERS[kind](place)
    assert [path.name for path in place.parent.iterdir()] == ["output.npz"]


def test_a_full_disk_leaves_the_checkpoint_before(disk):
    model = torch.nn.Linear(100, 400)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    checkpoint = Checkpoint(disk("size=450k") / "c.pt")
    checkpoint.save(Position(1), model, optimizer)
    checkpoint.save(Position(2), model, optimizer)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoint.save(Position(3), model, optimizer)
    assert checkpoint.restore(model, optimizer, torch.device("cpu")).epoch == 2


def used(workflow: Workflow) -> int:
    """Bytes on the disk."""
    return 512 * sum(path.lstat().st_blocks for path in workflow.folder.rglob("*"))


@pytest.mark.parametrize("part", [0.15, 0.4, 0.65])
def test_a_disk_that_fills_up_stops_a_workflow_and_no_more(disk, whole, undisturbed, part):
    """Everything is on it: results, checkpoints, and what Snakemake notes down."""
    workflow = few(disk("size=100m"))
    before = used(workflow)
    disk(f"size={before + int(part * (used(whole) - before))}")
    done = workflow.run(*GIVEN)
    assert done.returncode, done.stdout
    assert "No space left on device" in done.stdout
    disk("size=100m")
    finish(workflow)
    assert tables(workflow) == undisturbed
    assert_nothing_is_left(workflow)


def test_a_results_folder_that_cannot_be_written_is_named_before_any_job(disk, finished, undisturbed):
    results, place = finished.folder / "results", disk("rw") / "results"
    shutil.copytree(results, place)
    shutil.rmtree(results)
    results.symlink_to(place)
    (results / "smoke/inference/digits/pgd/seed0/robustness.csv").unlink()
    (results / "smoke/tables/robustness.csv").unlink()
    disk("ro")
    done = finished.run(*GIVEN)
    assert done.returncode
    assert "robustmia: results_dir: results/smoke" in done.stdout
    assert "Read-only file system" in done.stdout
    assert "Traceback" not in done.stdout
    assert "infer digits pgd" not in done.stdout
    disk("rw")
    finish(finished)
    assert tables(finished) == undisturbed
