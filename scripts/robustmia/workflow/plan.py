"""What a configuration will take, before anything runs: `python -m robustmia.workflow.plan FILE ...`, or `make plan CONFIG=FILE`.

A few steps of each training and each signal are timed on this machine, on records of the data set, and multiplied. What takes seconds for each target
model, inference, tables and figures, is not counted, nor are evaluations between epochs and searches for distances to the boundary.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
import torch
import yaml
from snakemake.utils import update_config

from robustmia.config.files import check_files
from robustmia.config.reading import read_config
from robustmia.config.schema import Config
from robustmia.config.studies import read_points
from robustmia.data.records import Records
from robustmia.data.split import Split, draw_split
from robustmia.errors import UserError
from robustmia.methods.base import Progress
from robustmia.models.device import pick_device
from robustmia.signals.target_model import TargetModel
from robustmia.studies.settings import Sensitivity
from robustmia.training.loop import Trainer
from robustmia.workflow.code_digest import digest
from robustmia.workflow.paths import Paths
from robustmia.workflow.recorded import machine
from robustmia.workflow.source_files import check_sources
from robustmia.workflow.variants import Variant, Variants

DEFAULTS = Path(__file__).parents[3] / "config.yaml"
STEPS = 3  # of a training that are timed
RECORDS = 16  # that each signal is timed on


@dataclass(frozen=True)
class Cost:
    """What one target model takes."""

    training: float
    """Seconds."""
    signals: float
    """Seconds for every member and non-member."""
    weights: int
    """Bytes."""
    answers: int
    """Bytes of signals."""
    all_records: float
    """How many times the members and non-members all records of the data set are, which shadow models are asked about."""


def measure(variant: Variant, records: Records, split: Split, device: torch.device) -> Cost:
    """Time a few steps and a few records, and multiply.

    Args:
        variant: a run, as configured or at a point of a study.
        records: of its data set.
        split: of one seed.
        device: that jobs would use.
    """
    settings = variant.settings
    trainer = Trainer.of_spec(variant.train() | {"seed": 0}, records, split, Path("never-written"), device, variant.run)
    weights = sum(value.numel() * value.element_size() for value in trainer.model.state_dict().values())
    batch, late = next(iter(trainer.batches.epoch(0, 0, ()))), Progress(1e6, 10**6 + 1)
    trainer.model.train()
    trainer.step(batch, late)
    of_step, _ = timed(partial(trainer.step, batch, late), device, STEPS)
    some = Split(split.members[: RECORDS // 2], split.nonmembers[: RECORDS // 2], split.shadow_pool)
    target = TargetModel(trainer.model, records, some, device, 0, variant.method.verifier, settings.engine)
    evaluated = len(split.members) + len(split.nonmembers)
    factor = evaluated / (len(some.members) + len(some.nonmembers))
    of_signals, answers = 0.0, 0
    for signal in settings.signals.values():
        seconds, found = timed(partial(target.logits, signal), device, 1)
        of_signals += factor * seconds
        answers += int(factor * sum(array.nbytes for array in vars(found).values()))
    of_training = variant.training.last_epoch * trainer.batches.steps * of_step
    return Cost(of_training, of_signals, weights, answers, len(records.labels) / evaluated)


def timed(function: Callable[[], Any], device: torch.device, times: int) -> tuple[float, Any]:
    """Seconds of one call, the mean of so many, and what the last one gave."""
    started, found = perf_counter(), None
    for _ in range(times):
        found = function()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (perf_counter() - started) / times, found


def plan_table(config: Config, variants: Variants, device: torch.device) -> tuple[pd.DataFrame, float, float]:
    """A row for each run and each of its variants in studies that needs models of its own, the hours of all of them, and GiB on disk."""
    records: dict[str, Records] = {}
    again = trained_again(config, variants)
    seen: set[tuple[Any, ...]] = set()
    rows, hours, space = [], 0.0, 0.0
    for variant in [*variants.runs.values(), *chain(*chain(*variants.of_studies.values()))]:
        counts = new_results(variants, variant, seen) | {"again": again.get(variant, 0)}
        if not any(counts.values()):
            continue
        names = variants.names("infer", variant)
        name = f"{names['dataset']}/{names['run']}"
        key = digest(variant.fetch())
        if key not in records:
            records[key] = variant.settings.source.load(config.data_dir)
        split = draw_split(records[key], variant.settings.split, variant.seeds[0])
        cost = measure(variant, records[key], split, device)
        print(f"  timed {name}", file=sys.stderr, flush=True)
        models = counts["train"] + counts["shadow_train"]
        asked = counts["signals"] + cost.all_records * counts["shadow_signals"]
        seconds = (models + counts["again"]) * cost.training + asked * cost.signals
        hours += seconds / 3600
        space += (models * cost.weights + asked * cost.answers) / 2**30
        rows.append(
            {
                "run": name,
                "models": counts["train"],
                "shadow models": counts["shadow_train"],
                "trained again": counts["again"],
                "training (s each)": f"{cost.training:,.0f}",
                "signals (s each)": f"{cost.signals:,.0f}",
                "minutes": f"{seconds / 60:,.1f}",
            }
        )
    return pd.DataFrame(rows), hours, space


def new_results(variants: Variants, variant: Variant, seen: set[tuple[Any, ...]]) -> dict[str, int]:
    """How many results of each stage a variant has, over all seeds, that are not seen yet; then they are."""
    found = {}
    for stage in ("train", "signals", "shadow_train", "shadow_signals"):
        names = tuple(variants.names(stage, variant).values())
        new = {(stage, names, seed) for seed in variant.seeds} - seen
        seen |= new
        found[stage] = len(new) * (variant.shadow_models if "shadow" in stage else 1)
    return found


def trained_again(config: Config, variants: Variants) -> dict[Variant, int]:
    """How many models studies of sensitivity train of each of their runs, with and without single records."""
    return {
        variant: sum(study.counts) + study.retrainings
        for name, study in config.studies.items()
        if isinstance(study, Sensitivity)
        for variant in variants.of_studies[name][0]
    }


def plan(files: Sequence[str]) -> str:
    """The plan of `config.yaml` with files laid over it.

    Raises:
        UserError: the configuration is not valid, or files of a data set are missing.
    """
    check_files(files)
    raw = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    for file in files:
        overlay = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
        if not isinstance(overlay, dict):
            raise UserError(f"config: {file}: no keys and values; write `key: value` in each line")
        update_config(raw, overlay)
    config = read_config(raw)
    variants, device = Variants(config, read_points(raw, config)), pick_device(threads=1)
    check_sources(variants, Paths(str(config.results_dir)), config.data_dir)
    table, hours, space = plan_table(config, variants, device)
    kind = "GPU" if device.type == "cuda" else "core"
    said = (
        f"About {_time(hours, kind)} from nothing ({torch.cuda.get_device_name() if kind == 'GPU' else machine()}), and {space:.1f} GiB for models and signals. Divide the hours by the jobs that run at once. "
        "Trainings are timed at full radius and weights, and shadow models one by one, which is rather too much. Not counted are evaluations between epochs, inference, tables, figures, audits, and searches for distances to the boundary."
    )
    return f"{table.to_markdown(index=False)}\n\n{said}"


def _time(hours: float, kind: str) -> str:
    return f"{hours:.1f} {kind} hours" if hours >= 1 else f"{60 * hours:.1f} {kind} minutes"


if __name__ == "__main__":
    try:
        print(plan(sys.argv[1:]))
    except UserError as error:
        sys.exit("\n".join(f"robustmia: {line}" for line in str(error).splitlines()))
