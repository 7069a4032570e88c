"""Workflows of few jobs into which faults are injected, and what has to hold afterwards."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml

from helpers import Workflow

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


def assert_nothing_is_left(workflow: Workflow) -> None:
    """No half-written file, whatever it is called."""
    left = [
        path for path in (workflow.folder / "results").rglob(".*") if path.suffix != ".lock" and path.name != ".lock"
    ]
    assert not left
    assert not list((workflow.folder / "results").glob("*/checkpoints/*"))


def jobs_of(main: psutil.Process) -> list[psutil.Process]:
    """The processes of scripts that a workflow is running."""
    try:
        children = main.children(recursive=True)
        return [child for child in children if ".snakemake/scripts" in " ".join(child.cmdline()[1:2])]
    except psutil.NoSuchProcess:
        return []


def when(condition: Callable[[], object], running: subprocess.Popen) -> None:
    """Wait until something is so while a workflow runs."""
    deadline = time.monotonic() + 120
    while not condition():
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
