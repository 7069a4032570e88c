"""What it gains that freed memory is kept (`keep_freed_memory`): `python benchmarks/memory.py`, about five minutes.

Training steps of `configs/paper/yale_small.yaml` on random images, at full radius and weights. How the C library gets memory is a setting of a whole
process, so each time is that of a process of its own, by turns. `up to 32 MiB` is what this project did before: one such block is freed first,
after which glibc keeps blocks of that size.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name
from time import perf_counter

import numpy as np
import pandas as pd
import torch
import yaml
from measure import keep

from robustmia.config.reading import read_config
from robustmia.config.registry import METHODS
from robustmia.methods.base import Progress
from robustmia.models.device import generator_for, keep_freed_memory
from robustmia.models.networks.base import build_network

ROOT = Path(__file__).parent.parent
IMAGE, CLASSES = (1, 48, 42), 38
RUNS = ("natural", "pgd", "ibp", "duality")
VARIANTS = ("up to 32 MiB", "all")
ROUNDS = 5


def time_steps(run: str, variant: str) -> dict[str, float]:
    """Seconds of a step, the median of eight, and the most memory that the process had, in MiB."""
    if variant == "all":
        keep_freed_memory()
    torch.set_num_threads(1)
    torch.empty(2**25 - 2**16, dtype=torch.uint8)
    raw = yaml.safe_load((ROOT / "configs" / "paper" / "yale_small.yaml").read_text())
    settings = read_config({"datasets": {"yale_small": raw["datasets"]["yale_small"]}}).datasets["yale_small"]
    chosen = settings.runs[run].method
    method = resolve_name(METHODS[chosen.name])(**chosen.model_dump())
    generator = generator_for(torch.device("cpu"), 0, "benchmark")
    images = torch.rand((50, *IMAGE), generator=generator)
    labels = torch.randint(CLASSES, (50,), generator=generator)
    model = settings.engine.place(build_network(settings.architecture, IMAGE, CLASSES, seed=0), images.device, IMAGE)
    seconds = []
    for _ in range(10):
        started = perf_counter()
        model.zero_grad(set_to_none=True)
        method.loss(model, images, labels, Progress(10_000.0, 10_001), generator).loss.backward()
        seconds.append(perf_counter() - started)
    return {
        "seconds": float(np.median(seconds[2:])),
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """A row for each method and variant."""
    rows = []
    for run in RUNS:
        found: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
        for _ in range(ROUNDS):
            for variant in VARIANTS:
                done = subprocess.run(
                    [sys.executable, __file__, run, variant], capture_output=True, text=True, check=True
                )
                found[variant].append(json.loads(done.stdout))
        base = np.array([one["seconds"] for one in found[VARIANTS[0]]])
        for variant, results in found.items():
            seconds = np.array([one["seconds"] for one in results])
            low, ratio, high = np.quantile(base / seconds, [0.25, 0.5, 0.75])
            most = max(one["MiB"] for one in results)
            rows.append([run, variant, np.median(seconds), ratio, low, high, most])
    keep("memory", pd.DataFrame(rows, columns=["step of", "kept", "seconds", "ratio", "low", "high", "MiB"]))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(time_steps(*sys.argv[1:])))
    else:
        main()
