"""Faults injected into running workflows: after each, one more command finishes, and every table is that of an undisturbed run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import yaml

from helpers import Workflow
from robustmia.files.arrays import save_arrays
from robustmia.files.tables import write_table
from robustmia.files.weights import save_weights
from robustmia.training.checkpoint import Checkpoint, Position

KILLS = 10
RUNS = ("natural", "pgd")
SETTINGS = {
    "seeds": [0],
    "datasets": {
        "digits": {
            "training": {"epochs": 40, "monitor": {"every": 1}},  # long enough to be hit
            "signals": {"targeted": None, "verified": None},
            "runs": dict.fromkeys(("distributional", "trades", "duality", "abstract_interpretation", "ibp")),
        }
    },
}
OVERLAYS = ("--configfile", "configs/smoke.yaml", "few.yaml")
GIVEN = ("tables", *OVERLAYS)


def prepare(folder: Path) -> tuple[str, ...]:
    (folder / "few.yaml").write_text(yaml.safe_dump(SETTINGS))
    return GIVEN


def few(folder: Path) -> Workflow:
    """A workflow of few jobs, not run yet."""
    workflow = Workflow.copy(folder / "workflow")
    prepare(workflow.folder)
    return workflow


def tables(workflow: Workflow, results: str = "smoke") -> dict[str, bytes]:
    folder = workflow.folder / "results" / results
    paths = [*(folder / "tables").rglob("*.*"), *folder.rglob("history.csv"), *folder.rglob("model.safetensors")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def finish(workflow: Workflow, *arguments: str) -> str:
    """One more command, which has to finish."""
    done = workflow.run(*(arguments or GIVEN))
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def whole(finished_run) -> Workflow:
    """A run without faults."""
    return finished_run("whole", prepare)


@pytest.fixture(scope="session")
def undisturbed(whole: Workflow) -> dict[str, bytes]:
    """Its tables, histories and models."""
    return tables(whole)


@pytest.fixture
def finished(tmp_path: Path, whole: Workflow) -> Workflow:
    """A copy of it."""
    shutil.copytree(whole.folder, tmp_path / "workflow")
    return Workflow(tmp_path / "workflow")


def assert_nothing_is_left(workflow: Workflow) -> None:
    """No half-written file, whatever it is called."""
    left = [
        path for path in (workflow.folder / "results").rglob(".*") if path.suffix != ".lock" and path.name != ".lock"
    ]
    assert not left
    assert not list((workflow.folder / "results").glob("*/checkpoints/*"))


# ---------------------------------------------------------------- kills


def jobs_of(main: psutil.Process) -> list[psutil.Process]:
    """The processes of scripts that a workflow is running."""
    try:
        children = main.children(recursive=True)
        return [child for child in children if ".snakemake/scripts" in " ".join(child.cmdline()[1:2])]
    except psutil.NoSuchProcess:
        return []


def kill_something(main: psutil.Process, dice: random.Random) -> str | None:
    """SIGKILL for the workflow, for one of its jobs, or for all at once, as a power cut does; says for which, if any was there."""
    jobs = jobs_of(main)
    what = dice.choice(["the workflow", "a job", "all"])
    victims = {"the workflow": [main], "a job": jobs and [dice.choice(jobs)], "all": [main, *jobs]}[what]
    alive = [victim for victim in victims if victim.is_running() and victim.status() != psutil.STATUS_ZOMBIE]
    for victim in alive:
        victim.kill()
    return f"{what} ({len(jobs)} running)" if alive else None


def test_kills_at_random_moments_lose_nothing(tmp_path, undisturbed):
    workflow, dice = few(tmp_path), random.Random()
    rounds, killed = 0, []
    while len(killed) < KILLS:
        given = (*GIVEN, "--config", f"results_dir=results/round{rounds}")
        running = workflow.start(*given)
        time.sleep(dice.uniform(0.3, 6.0))
        what = kill_something(psutil.Process(running.pid), dice) if running.poll() is None else None
        said, _ = running.communicate(timeout=300)
        if what:
            killed.append(what)
        elif running.returncode == 0:  # finished before anything could be killed: on with a fresh one
            assert tables(workflow, f"round{rounds}") == undisturbed
            rounds += 1
        else:
            raise AssertionError(said)
    finish(workflow, *given)
    print(f"{len(killed)} kills in {rounds + 1} rounds: {', '.join(killed)}")
    for number in range(rounds + 1):
        assert tables(workflow, f"round{number}") == undisturbed, killed
    assert_nothing_is_left(workflow)


def when(condition: Callable[[], object], running: subprocess.Popen) -> None:
    """Wait until something is so while a workflow runs."""
    deadline = time.monotonic() + 120
    while not condition():
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_sigterm_keeps_a_trainings_state_at_once(tmp_path, undisturbed):
    workflow = few(tmp_path)
    checkpoints = workflow.folder / "results" / "smoke" / "checkpoints"
    running = workflow.start(*GIVEN)
    when(lambda: list(checkpoints.glob("*.pt")), running)
    trainings = [job for job in jobs_of(psutil.Process(running.pid)) if job.cmdline()[1].endswith("train.py")]
    for training in trainings:
        training.terminate()
    said, _ = running.communicate(timeout=120)
    assert running.returncode
    assert "stopped by SIGTERM after epoch" in said
    assert list(checkpoints.glob("*.pt"))
    finish(workflow)
    logs = "".join(path.read_text() for path in (workflow.folder / "results/smoke/logs/train").rglob("*.log"))
    assert "resuming after epoch" in logs
    assert tables(workflow) == undisturbed
    assert_nothing_is_left(workflow)


def test_two_workflows_at_once_do_not_touch_each_other(tmp_path, undisturbed):
    workflow = few(tmp_path)
    both = [workflow.start(*GIVEN), workflow.start(*GIVEN)]
    said = [running.communicate(timeout=300)[0] for running in both]
    codes = [running.returncode for running in both]
    assert sorted(map(bool, codes)) == [False, True], said
    refused = said[codes.index(0) - 1]
    assert "another workflow (process" in refused
    assert "results/smoke" in refused
    assert "Traceback" not in refused
    assert tables(workflow) == undisturbed
    assert "Nothing to be done" in finish(workflow)


# ---------------------------------------------------------------- disks


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


# ---------------------------------------------------------------- damage


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


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


# ---------------------------------------------------------------- what failed, and what did not


def test_failures_are_summed_up_with_how_to_get_tables_without_them(tmp_path, undisturbed):
    workflow = few(tmp_path)
    failing = {"runs": {"pgd": {"training": {"optimizer": {"learning_rate": 1e30}}}}}
    (workflow.folder / "failing.yaml").write_text(yaml.safe_dump({"datasets": {"digits": failing}}))
    done = workflow.run("--keep-going", *GIVEN, "failing.yaml")
    assert done.returncode
    assert "Traceback" not in done.stdout
    summary = done.stdout[done.stdout.index("robustmia: 1 job failed") :]
    assert "  train digits pgd 0: digits/pgd/seed0: the loss became nan in epoch 1, batch 2 of 2" in summary
    assert "    log: results/smoke/logs/train/digits/pgd/seed0.log" in summary
    assert "set datasets.digits.runs.pgd to null" in summary
    (workflow.folder / "without.yaml").write_text(yaml.safe_dump({"datasets": {"digits": {"runs": {"pgd": None}}}}))
    assert "| natural " in finish_and_read(workflow, *GIVEN, "without.yaml")
    finish(workflow)
    assert tables(workflow).items() >= undisturbed.items()


def finish_and_read(workflow: Workflow, *arguments: str) -> str:
    finish(workflow, *arguments)
    return (workflow.folder / "results" / "smoke" / "tables" / "digits" / "paper.md").read_text()


def test_tables_from_before_a_change_that_fails_do_not_pass_as_up_to_date(finished, undisturbed):
    failing = {"runs": {"pgd": {"training": {"optimizer": {"learning_rate": 1e30}}}}}
    (finished.folder / "failing.yaml").write_text(yaml.safe_dump({"datasets": {"digits": failing}}))
    for _ in range(2):
        done = finished.run(*GIVEN, "failing.yaml")
        assert done.returncode
        assert "the loss became nan" in done.stdout
    finish(finished)
    assert tables(finished) == undisturbed


def test_tables_from_before_a_training_that_failed_by_itself_do_not_pass_as_up_to_date(finished, undisturbed):
    """A model is asked for alone and fails; then the tables are, with settings that do not fail."""
    path = finished.folder / "overlay.yaml"
    for learning_rate, target, fails in ((1e30, "train_all", True), (0.01, "tables", False)):
        changed = {"runs": {"pgd": {"training": {"optimizer": {"learning_rate": learning_rate}}}}}
        path.write_text(yaml.safe_dump({"datasets": {"digits": changed}}))
        done = finished.run(target, *OVERLAYS, "overlay.yaml")
        assert bool(done.returncode) == fails, done.stdout
    now, table = tables(finished), "tables/membership_inference.csv"
    assert now[table] != undisturbed[table]


def test_a_job_that_was_killed_is_named(tmp_path):
    workflow = few(tmp_path)
    running = workflow.start("train_all", *GIVEN)
    when(lambda: jobs_of(psutil.Process(running.pid)), running)
    for job in jobs_of(psutil.Process(running.pid)):
        os.kill(job.pid, signal.SIGKILL)
    said, _ = running.communicate(timeout=120)
    summary = said[said.index("robustmia: 1 job failed") :]
    assert "  fetch digits: it was killed, or could not start, and left no message" in summary


def test_a_workflow_waits_for_jobs_that_outlive_a_killed_one(tmp_path, undisturbed):
    workflow = few(tmp_path)
    checkpoints = workflow.folder / "results" / "smoke" / "checkpoints"
    killed = workflow.start(*GIVEN)
    when(lambda: list(checkpoints.glob("*.pt")), killed)
    survivors = jobs_of(psutil.Process(killed.pid))
    psutil.Process(killed.pid).kill()
    assert survivors
    finish(workflow)
    killed.communicate(timeout=60)
    assert not any(job.is_running() and job.status() != psutil.STATUS_ZOMBIE for job in survivors)
    assert tables(workflow) == undisturbed


def test_a_failure_after_a_kill_does_not_leave_old_tables_as_up_to_date(finished, undisturbed):
    """The workflow and its jobs are killed while a model is trained again with other settings."""
    other = {"runs": {"pgd": {"method": {"random_start": False}}}}
    (finished.folder / "other.yaml").write_text(yaml.safe_dump({"datasets": {"digits": other}}))
    running = finished.start(*GIVEN, "other.yaml")
    checkpoints = finished.folder / "results" / "smoke" / "checkpoints"
    when(lambda: list(checkpoints.glob("*.pt")), running)
    for process in (psutil.Process(running.pid), *jobs_of(psutil.Process(running.pid))):
        process.kill()
    running.communicate(timeout=60)
    said = finish(finished, *GIVEN, "other.yaml")
    assert "train digits pgd 0" in said
    assert (
        tables(finished)["models/digits/pgd/seed0/model.safetensors"]
        != undisturbed["models/digits/pgd/seed0/model.safetensors"]
    )
    finish(finished)
    assert tables(finished) == undisturbed
