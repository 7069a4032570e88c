"""Finished runs: each is made once for all workers of a test session, and each worker has a copy to itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from filelock import FileLock

from helpers import ROOT, SHADOW_RUNS, SMALL, SMOKE, STUDIES, Workflow, at, checkpoint, theirs
from robustmia.config.registry import METHODS, SIGNALS

# Written into every Python process of these runs: which of our modules it ended up with, by the rule's script.
TRACE = """
import atexit, os, sys
def write():
    names = sorted(name for name in sys.modules if name.startswith("robustmia"))
    script = os.path.basename(sys.argv[0])
    if names and script.startswith("tmp"):
        with open(os.path.join(os.environ["TRACE"], script), "w") as file:
            file.write(os.linesep.join(names))
atexit.register(write)
"""

Prepare = Callable[[Path], tuple[str, ...]]
"""Writes what a run needs into the workflow's folder, and returns the arguments of the run."""


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of this session have in common."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def trace(shared_folder: Path) -> Path:
    """Where the jobs of finished runs say what they imported."""
    folder = shared_folder / "trace"
    with FileLock(shared_folder / "trace.lock"):
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(TRACE)
    return folder


@pytest.fixture(scope="session")
def finished_run(
    tmp_path_factory: pytest.TempPathFactory, shared_folder: Path, trace: Path
) -> Callable[[str, Prepare], Workflow]:
    """A copy of a finished run, which the first worker that asks for it makes while the others wait."""

    def copy_of(name: str, prepare: Prepare) -> Workflow:
        folder = shared_folder / name
        with FileLock(shared_folder / f"{name}.lock"):
            if not (folder / "printed").exists():
                shutil.rmtree(folder, ignore_errors=True)
                workflow = Workflow.copy(folder)
                done = workflow.run(*prepare(folder), PYTHONPATH=str(trace), TRACE=str(trace))
                assert done.returncode == 0, done.stdout
                (folder / "printed").write_text(done.stdout)
        mine = tmp_path_factory.mktemp(name) / "workflow"
        shutil.copytree(folder, mine)
        return Workflow(mine)

    return copy_of


@pytest.fixture(scope="session")
def smoke(finished_run: Callable[[str, Prepare], Workflow]) -> Workflow:
    """The smoke configuration, and Snakemake's own report of it."""
    return finished_run("smoke", lambda _: ("all", "provenance", *SMOKE))


@pytest.fixture(scope="session")
def shadow(finished_run: Callable[[str, Prepare], Workflow]) -> Workflow:
    """The same with shadow models, of some of the runs and two seeds."""

    def prepare(folder: Path) -> tuple[str, ...]:
        settings = {"seeds": [0, 1], "shadow_models": 6}
        settings |= at("datasets.digits.runs", dict.fromkeys(set(METHODS) - set(SHADOW_RUNS)))
        (folder / "shadow.yaml").write_text(yaml.safe_dump(settings))
        return *SMOKE, "shadow.yaml"

    return finished_run("shadow", prepare)


@pytest.fixture(scope="session")
def studied(finished_run: Callable[[str, Prepare], Workflow]) -> Workflow:
    """The studies of `studies.yaml`, with the report."""

    def prepare(folder: Path) -> tuple[str, ...]:
        shutil.copy2(ROOT / "tests" / "whole" / STUDIES[-1], folder)
        return STUDIES[0], "report", *STUDIES[1:]

    return finished_run("studied", prepare)


@pytest.fixture(scope="session")
def audited(finished_run: Callable[[str, Prepare], Workflow]) -> Workflow:
    """Two audits."""

    def prepare(folder: Path) -> tuple[str, ...]:
        checkpoint(folder)
        np.savez(folder / "p.npz", **theirs())
        settings = {"model": SMALL, "weights": "weights.safetensors", "dataset": "digits", "split": "split.npz"}
        settings |= {"threat_model": {"epsilon": 0.05}, "signals": {name: {} for name in SIGNALS}}
        settings["signals"] |= {"adversarial": {"steps": 2}, "targeted": {"steps": 2}}
        audits = {"their_predictions": {"predictions": "p.npz"}, "their_checkpoint": settings}
        (folder / "a.yaml").write_text(yaml.safe_dump({"audits": audits}))
        return "audit", "--configfile", "a.yaml"

    return finished_run("audited", prepare)
