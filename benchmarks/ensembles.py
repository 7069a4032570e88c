"""Time of training eight models of a method at once against one after the other: `make bench`. One core, as in the pipeline.

An epoch of digits by every method of `config.yaml`, at full radius and weights, each with a batch of 64 images for each model.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
import yaml
from measure import compare, keep

from robustmia.config.reading import read_config
from robustmia.data.digits import Digits
from robustmia.data.records import Records
from robustmia.models.device import pick_device
from robustmia.shadow.split import shadow_split
from robustmia.training.ensemble import ensemble_trainer
from robustmia.training.loop import Trainer
from robustmia.workflow.paths import Paths
from robustmia.workflow.specs import Specs
from robustmia.workflow.targets import Targets

ROOT = Path(__file__).parent.parent
MODELS, ROUNDS = 8, 3


def spec_of(specs: Specs, run: str, width: int) -> dict:
    """Of one epoch, in which everything holds in full."""
    spec = specs.train("digits", run, "0")
    spec["training"] |= {"epochs": 1, "monitor": None}
    spec["architecture"]["settings"] |= {"width": width}
    settings = spec["method"]["settings"]
    settings |= {key: {} for key in ("epsilon_schedule",) if key in settings}
    settings |= {key: 0.0 for key in ("clean_epochs",) if key in settings}
    return spec


def trainers(spec: dict, records: Records, folder: str) -> list[Trainer]:
    """Of eight models."""
    half, paths = len(records.labels) // 2, [Path(folder) / f"{model}.pt" for model in range(MODELS)]
    return [
        Trainer.of_spec(
            spec | {"seed": model},
            records,
            shadow_split(records.labels, half, 0, model),
            path,
            torch.device("cpu"),
            f"{model}",
        )
        for model, path in enumerate(paths)
    ]


def each(spec: dict, records: Records) -> Callable[[], None]:
    """One after the other."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            for trainer in trainers(spec, records, folder):
                trainer.run()

    return run


def at_once(spec: dict, records: Records) -> Callable[[], None]:
    """All together."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            ensemble_trainer(trainers(spec, records, folder), "all").run()

    return run


def main() -> None:
    """Print and keep a table."""
    pick_device(threads=1)
    config = read_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    targets, records = Targets(config, Paths("results")), Digits(name="digits").load(Path())
    specs, tables = Specs(targets), []
    for width in (4, 16):
        for run in targets.runs("digits"):
            spec = spec_of(specs, run, width)
            if not config.datasets["digits"].runs[run].method.batchable:
                continue
            variants = {"one after the other": each(spec, records), "at once": at_once(spec, records)}
            tables.append(compare(f"{run}, width {width}", variants, ROUNDS))
            print(tables[-1].to_string(), file=sys.stderr)
    keep("ensembles", pd.concat(tables))


if __name__ == "__main__":
    main()
