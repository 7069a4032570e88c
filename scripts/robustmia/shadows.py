"""Shadow models: trained as the target was, with the one training loop."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from robustmia.data.halves import draw_half
from robustmia.data.records import Records
from robustmia.shadow_names import shadow_spec, weight_prefix
from robustmia.stacks import Stack, StackedTrainer, can_be_stacked
from robustmia.training import Checkpoint, Trainer


def train_shadows(
    spec: dict, records: Records, checkpoint: Path, device: torch.device, name: str
) -> tuple[dict[str, Tensor], pd.DataFrame, list[Checkpoint]]:
    """Train the shadow models that a spec names, one after the other or in stacks; each goes on from its checkpoint.

    Args:
        spec: as `Trainer` takes it, without a seed, and with the numbers of the `models`, and whether they may be `stacked`.
        records: all records of the data set.
        checkpoint: what the checkpoints' names begin with.
        device: where everything happens.
        name: what progress bars call these trainings.

    Returns:
        Weights by name, the model's number in front; the histories one below the other, with a column `model` (of a stack, each
        has the means over all of it); the checkpoints, to be discarded once everything is written.

    Raises:
        UserError: a loss is not finite, or SIGTERM or SIGINT asked for the end.
    """
    weights: dict[str, Tensor] = {}
    histories, checkpoints = [], []
    trainers = {
        model: Trainer(
            shadow_spec(spec, model),
            records,
            draw_half(records.labels, model),
            checkpoint.with_name(f"{checkpoint.stem}-{model}.pt"),
            device,
            f"{name}{model}",
        )
        for model in spec["models"]
    }
    for models in _together(trainers, spec["stacked"]):
        training = trainers[models[0]]
        if len(models) > 1:
            key = hashlib.sha256(str(models).encode()).hexdigest()[:12]  # all their numbers may be too long for a name
            path = checkpoint.with_name(f"{checkpoint.stem}-stack{key}.pt")
            training = StackedTrainer([trainers[model] for model in models], path, f"{name}{models[0]}-{models[-1]}")
        network, history = training.run()
        if isinstance(network, Stack):
            network.put_back([trainers[model].model for model in models])
        for model in models:
            state = trainers[model].model.eval().state_dict()
            weights |= {f"{weight_prefix(model)}{key}": value for key, value in state.items()}
            histories.append(history.assign(model=model))
        checkpoints.append(training.checkpoint)
    return weights, pd.concat(histories, ignore_index=True), checkpoints


def _together(trainers: dict[int, Trainer], stacked: bool) -> list[list[int]]:
    """Models that are trained at once: with stacks, all whose numbers of members are equal."""
    if not stacked or not all(map(can_be_stacked, trainers.values())):
        return [[model] for model in trainers]
    sizes: dict[int, list[int]] = {}
    for model, trainer in trainers.items():
        sizes.setdefault(len(trainer.labels), []).append(model)
    return list(sizes.values())
