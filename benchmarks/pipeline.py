"""The whole pipeline, this commit against an earlier one: `python benchmarks/pipeline.py COMMIT [ROUNDS]`.

Each commit is cloned beside the other, runs in turn on this machine with the same environment, and its processor time is compared: of the default
configuration, and with eight shadow models and one seed. The first takes about ten minutes a round on two cores, the second twenty.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from measure import keep

ROOT = Path(__file__).parent.parent
CASES = {
    "make run, three seeds": (),
    "one seed with eight shadow models": ("--configfile", "configs/shadow.yaml", "--config", "seeds=[0]"),
}


def cloned(commit: str, folder: Path) -> Path:
    """A clone of this repository at a commit."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    subprocess.run(["git", "-C", folder, "checkout", "--quiet", commit], check=True)
    return folder


def processor_seconds(clone: Path, arguments: tuple[str, ...], results: str) -> float:
    """User and system time of a run from nothing, with all its jobs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    place = ("--config", f"results_dir={results}") if "--config" not in arguments else (f"results_dir={results}",)
    command = [sys.executable, "-m", "snakemake", "--cores", str(os.cpu_count() or 1), *arguments, *place]
    subprocess.run(command, cwd=clone, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(commit: str, rounds: int = 1) -> None:
    """Print and keep a table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        clones = {name: cloned(name, Path(folder) / name) for name in (commit, "HEAD")}
        for case, arguments in CASES.items():
            seconds = np.array(
                [
                    [processor_seconds(clone, arguments, f"results/{len(rows)}-{turn}") for clone in clones.values()]
                    for turn in range(rounds)
                ]
            )
            ratios = seconds[:, :1] / seconds
            for number, name in enumerate(clones):
                low, ratio, high = np.quantile(ratios[:, number], [0.25, 0.5, 0.75])
                row = {"case": case, "variant": name, "seconds": float(np.median(seconds[:, number]))}
                rows.append(row | {"ratio": ratio, "low": low, "high": high})
            print(rows[-2:], file=sys.stderr)
    keep("pipeline", pd.DataFrame(rows))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
