"""What a configuration will take, before anything runs: `python -m robustmia.workflow.plan FILE ...`, or `make plan CONFIG=FILE`.

A few steps of each training and each signal are timed on this machine, on records of the data set, and multiplied. Inference, tables and figures, which
take seconds for each target model, are not counted.
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

from robustmia.config.reading import check_sources, read_config
from robustmia.config.schema import Config
from robustmia.config.studies import read_points
from robustmia.data.records import Records
from robustmia.data.split import Split, draw_split
from robustmia.errors import UserError
from robustmia.methods.base import Progress
from robustmia.models.device import generator_for, pick_device, to_device, to_pixels
from robustmia.models.networks.base import build_network
from robustmia.signals.target_model import TargetModel
from robustmia.workflow.code_digest import digest
from robustmia.workflow.recorded import machine
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
    settings, training = variant.settings, variant.training
    architecture = settings.runs[variant.run].architecture or settings.architecture
    model = build_network(architecture, records.image_shape, len(records.class_names), seed=0)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.state_dict().values())
    model = settings.engine.place(model, device, records.image_shape).train()
    count = min(training.batch_size, len(split.members))
    images, labels = to_device(records, split.members[:count], device)
    pixels, generator, late = to_pixels(images), generator_for(device, 0, "plan"), Progress(1e6, 10**6 + 1)

    def step() -> None:
        variant.method.loss(model, pixels, labels, late, generator).loss.backward()
        model.zero_grad(set_to_none=True)

    step()
    steps = training.epochs * -(-len(split.members) // training.batch_size)
    of_training = steps * timed(step, device, STEPS)[0]
    some = Split(split.members[: RECORDS // 2], split.nonmembers[: RECORDS // 2], split.shadow_pool)
    target = TargetModel(model, records, some, device, 0, variant.method.verifier, settings.engine)
    evaluated = len(split.members) + len(split.nonmembers)
    factor = evaluated / (len(some.members) + len(some.nonmembers))
    of_signals, answers = 0.0, 0
    for signal in settings.signals.values():
        seconds, found = timed(partial(target.logits, signal), device, 1)
        of_signals += factor * seconds
        answers += int(factor * sum(array.nbytes for array in vars(found).values()))
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
    """A row for each run and each of its variants in studies, the hours of all of them, and GiB on disk."""
    records: dict[str, Records] = {}
    rows, hours, space, seen = [], 0.0, 0.0, set()
    for variant in [*variants.runs.values(), *chain(*chain(*variants.of_studies.values()))]:
        names = variants.names("infer", variant)
        name = f"{names['dataset']}/{names['run']}"
        if name in seen:
            continue
        seen.add(name)
        key = digest(variant.fetch())
        if key not in records:
            records[key] = variant.settings.source.load(config.data_dir)
        split = draw_split(records[key], variant.settings.split, variant.seeds[0])
        cost = measure(variant, records[key], split, device)
        print(f"  timed {name}", file=sys.stderr, flush=True)
        models, shadows = len(variant.seeds), len(variant.seeds) * variant.shadow_models
        seconds = models * (cost.training + cost.signals) + shadows * (cost.training + cost.all_records * cost.signals)
        hours += seconds / 3600
        space += (
            models * (cost.weights + cost.answers) + shadows * (cost.weights + cost.all_records * cost.answers)
        ) / 2**30
        rows.append(
            {
                "run": name,
                "models": models,
                "shadow models": shadows,
                "training (s each)": f"{cost.training:,.0f}",
                "signals (s each)": f"{cost.signals:,.0f}",
                "minutes": f"{seconds / 60:,.1f}",
            }
        )
    return pd.DataFrame(rows), hours, space


def plan(files: Sequence[str]) -> str:
    """The plan of `config.yaml` with files laid over it.

    Raises:
        UserError: the configuration is not valid, or files of a data set are missing.
    """
    raw = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    for file in files:
        update_config(raw, yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {})
    config = read_config(raw)
    check_sources(config)
    device = pick_device(threads=1)
    table, hours, space = plan_table(config, Variants(config, read_points(raw, config)), device)
    kind = "GPU" if device.type == "cuda" else "core"
    said = (
        f"About {_time(hours, kind)} from nothing ({torch.cuda.get_device_name() if kind == 'GPU' else machine()}), and {space:.1f} GiB for models and signals. Divide the hours by the jobs that run at once. "
        "Trainings are timed at full radius and weights, and shadow models one by one, so that this is rather too much. Inference, tables, figures and audits are not counted."
    )
    return f"{table.to_markdown(index=False)}\n\n{said}"


def _time(hours: float, kind: str) -> str:
    return f"{hours:.1f} {kind} hours" if hours >= 1 else f"{60 * hours:.1f} {kind} minutes"


if __name__ == "__main__":
    try:
        print(plan(sys.argv[1:]))
    except UserError as error:
        sys.exit("\n".join(f"robustmia: {line}" for line in str(error).splitlines()))
