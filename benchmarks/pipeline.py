"""The whole pipeline, this commit against an earlier one: `python benchmarks/pipeline.py COMMIT [ROUNDS]`.

Each commit is cloned beside the other, runs in turn on this machine with the same environment, and its processor time is compared: of the default
configuration with three seeds, with eight shadow models and one seed, and of eight models of each method, which the earlier commit trains in eight
jobs and this one in one. All take about an hour a round on two cores.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from measure import keep

ROOT = Path(__file__).parent.parent
METHODS = ("natural", "pgd", "distributional", "trades", "duality", "abstract_interpretation", "ibp")
IN_ONE_JOB = {"datasets": {"digits": {"resources": {"shadow_models_per_job": 8}}}}


def cloned(commit: str, folder: Path) -> Path:
    """A clone of this repository at a commit."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    subprocess.run(["git", "-C", folder, "checkout", "--quiet", commit], check=True)
    return folder


@dataclass(frozen=True)
class Case:
    """What is run, from nothing: a configuration laid over the default one, and files to make, under `results_dir`; none: all."""

    configuration: dict = field(default_factory=dict)
    files: tuple[str, ...] = ()


def cases() -> dict[str, tuple[Case, Case]]:
    """By name, before and now."""
    whole = {
        "make run, three seeds": Case({"seeds": [0, 1, 2]}),
        "one seed with eight shadow models": Case({"seeds": [0], "shadow_models": 8}),
    }
    found = {name: (case, case) for name, case in whole.items()}
    for method in METHODS:
        seeds = list(range(8))
        eight = Case({"seeds": seeds}, tuple(f"models/digits/{method}/seed{seed}/model.safetensors" for seed in seeds))
        shadow = {"seeds": [0], "shadow_models": 8, **IN_ONE_JOB}
        found[f"eight models by {method}"] = (
            eight,
            Case(shadow, (f"shadow/digits/{method}/seed0/batch0/models.safetensors",)),
        )
    return found


def processor_seconds(clone: Path, case: Case) -> float:
    """User and system time of a run from nothing, with all its jobs."""
    results = tempfile.mkdtemp(dir=clone)
    overlay = Path(results, "overlay.yaml")
    overlay.write_text(yaml.safe_dump(case.configuration | {"results_dir": results}))
    files = [f"{results}/{name}" for name in case.files]
    command = [
        sys.executable,
        "-m",
        "snakemake",
        *files,
        "--cores",
        str(os.cpu_count() or 1),
        "--configfile",
        str(overlay),
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=clone, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(commit: str, rounds: int = 1) -> None:
    """Print and keep a table."""
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        clones = {name: cloned(name, Path(folder) / name) for name in (commit, "HEAD")}
        for name, both in cases().items():
            turns = [
                [processor_seconds(*pair) for pair in zip(clones.values(), both, strict=True)] for _ in range(rounds)
            ]
            seconds = np.array(turns)
            low, ratio, high = np.quantile(seconds[:, :1] / seconds, [0.25, 0.5, 0.75], axis=0)
            for number, variant in enumerate(clones):
                row = {"case": name, "variant": variant, "seconds": float(np.median(seconds[:, number]))}
                rows.append(row | {"ratio": ratio[number], "low": low[number], "high": high[number]})
            print(rows[-2:], file=sys.stderr)
    keep("pipeline", pd.DataFrame(rows))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
