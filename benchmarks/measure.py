"""Ratios of times that hold on a noisy machine: variants take turns in one process, round after round."""

from __future__ import annotations

import platform
from collections.abc import Callable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch

from robustmia.workflow.recorded import machine

FOLDER = Path("results/benchmarks")


def compare(
    case: str, variants: dict[str, Callable[[], object]], rounds: int, baseline: str | None = None
) -> pd.DataFrame:
    """Times of several ways to do the same, each called once before and then once in every round.

    Args:
        case: what is done.
        variants: by name.
        rounds: how often each is timed.
        baseline: the variant that the others are compared with; None: the first.

    Returns:
        A row for each variant: its median seconds, and how many times as fast as the baseline it is: median, and quartiles over the rounds.
    """
    seconds = {name: np.empty(rounds) for name in variants}
    for call in variants.values():
        call()
    for turn in range(rounds):
        for name, call in variants.items():
            started = perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name][turn] = perf_counter() - started
    base = seconds[baseline or next(iter(variants))]
    rows = []
    for name, own in seconds.items():
        low, ratio, high = np.quantile(base / own, [0.25, 0.5, 0.75])
        rows.append(
            {"case": case, "variant": name, "seconds": np.median(own), "ratio": ratio, "low": low, "high": high}
        )
    return pd.DataFrame(rows)


def keep(name: str, table: pd.DataFrame) -> None:
    """Print a table, and write it as CSV with the machine and the versions that it is of."""
    print(f"\n{name}, on {machine()}, {torch.get_num_threads()} thread\n")
    print(table.to_markdown(index=False, floatfmt=".3g"), flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    table.assign(**conditions()).to_csv(FOLDER / f"{name}.csv", index=False)


def conditions() -> dict[str, str]:
    """What a time depends on beside the code."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else machine()
    return {"device": device, "date": date.today().isoformat(), "python": platform.python_version(), **_versions()}


def _versions() -> dict[str, str]:
    found = {}
    for library in ("torch", "torchattacks", "foolbox", "adversarial-robustness-toolbox"):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
