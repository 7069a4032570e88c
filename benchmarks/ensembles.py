"""Time of training several models at once against one after the other: `make bench`. One thread, as in the pipeline."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from robustmia.config.registry import METHODS, NETWORKS, OPTIMIZERS
from robustmia.data.digits import Digits
from robustmia.shadow.split import shadow_split
from robustmia.training.ensemble import ensemble_trainer
from robustmia.training.loop import Trainer

METHOD_SETTINGS = {
    "natural": {},
    "pgd": {"epsilon": 0.1, "steps": 7},
    "trades": {"epsilon": 0.1, "steps": 7},
}
SGD = {"name": "sgd", "learning_rate": 0.05}
ROUNDS = 3


def measure(method: str, width: int, models: int) -> None:
    """Print one row of the table: an epoch of digits, medians over rounds taken in turn."""
    records = Digits(name="digits").load(Path())
    spec = {
        "architecture": {"class": NETWORKS["small_cnn"], "settings": {"name": "small_cnn", "width": width}},
        "method": {"class": METHODS[method], "settings": {"name": method, **METHOD_SETTINGS[method]}},
        "training": {"epochs": 1, "batch_size": 64, "optimizer": {"class": OPTIMIZERS["sgd"], "settings": SGD}},
    }
    alone, batched = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            trainers = [
                Trainer.of_spec(
                    spec | {"seed": model},
                    records,
                    shadow_split(records.labels, len(records.labels) // 2, 0, model),
                    Path(folder) / f"{model}.pt",
                    torch.device("cpu"),
                    f"model {model}",
                )
                for model in range(models)
            ]
            ensemble = ensemble_trainer(trainers, Path(folder) / "ensemble.pt", "ensemble")
            batched.append(_seconds(ensemble.run))
            alone.append(sum(_seconds(trainer.run) for trainer in trainers))
    print(
        f"| {method} | {width} | {models} | {median(alone):.2f} | {median(batched):.2f} | {median(alone) / median(batched):.2f} |"
    )


def _seconds(call) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def main() -> None:
    """Print a Markdown table."""
    torch.set_num_threads(1)
    print("\nAn epoch of digits, batches of 64, on the CPU:\n")
    print("| method | width | models | s one after the other | s at once | times as fast |\n|---|---|---|---|---|---|")
    for width in (4, 16):
        for method in METHOD_SETTINGS:
            for models in (4, 8):
                measure(method, width, models)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    main()
