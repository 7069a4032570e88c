"""Time and memory that Snakemake takes to plan 5,000 jobs, and the files that a finished run leaves: `make bench`."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter

import yaml

SEEDS = 227  # of the default configuration make a little more than 5,000 jobs


def plan() -> None:
    """A dry run of the default configuration with many seeds."""
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / "many.yaml"
        overlay.write_text(yaml.safe_dump({"seeds": list(range(SEEDS)), "results_dir": folder}))
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "8", "--configfile", str(overlay)]
        started = perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = perf_counter() - started
    jobs = re.findall(r"(?m)^total +(\d+)", done.stdout)[0]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"a dry run of {jobs} jobs: {seconds:.1f} s, {peak:.0f} MiB at most")


def count(results: Path) -> None:
    """Files of a finished run by folder, for each target model."""
    targets = len(list(results.glob("models/*/*/*/model.safetensors")))
    files = Counter(path.relative_to(results).parts[0] for path in results.rglob("*") if path.is_file())
    noted = sum(path.is_file() for path in (results.parent / ".snakemake" / "metadata").rglob("*"))
    size = sum(path.stat().st_size for path in results.rglob("*") if path.is_file()) / 2**20
    model = max(path.stat().st_size for path in results.rglob("model.safetensors")) / 1024
    print(f"{results}: {targets} targets, {sum(files.values())} files of {size:.1f} MiB, {noted} notes of Snakemake's")
    print(f"  by folder: {dict(files.most_common())}; a model: {model:.0f} KiB")


if __name__ == "__main__":
    plan()
    if Path("results/models").is_dir():
        count(Path("results"))
