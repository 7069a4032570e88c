"""Killed workflows and jobs, and two workflows at once: one more command finishes, and every table is that of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import time

import psutil
import yaml

from fault_helpers import GIVEN, assert_nothing_is_left, few, finish, jobs_of, tables, when

KILLS = 10


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
