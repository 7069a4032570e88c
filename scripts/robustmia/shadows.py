"""Shadow models: trained as the target was, with the one training loop, and asked about every record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustmia.data.halves import draw_half
from robustmia.data.records import Records
from robustmia.device import derive_seed
from robustmia.logits import ShadowLogits
from robustmia.signals.base import Signal
from robustmia.signals.target import Target
from robustmia.stacks import Stack, StackedTrainer, can_be_stacked
from robustmia.training import Checkpoint, Trainer


def _of_model(spec: dict, model: int) -> dict:
    """The spec of one shadow model: a seed of its own, which no target model has."""
    return spec | {"seed": derive_seed(model, "shadow")}


def _prefix(model: int) -> str:
    return f"{model}."


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
        UserError: a loss is not finite, or a checkpoint is damaged.
    """
    weights: dict[str, Tensor] = {}
    histories, checkpoints = [], []
    trainers = {
        model: Trainer(
            _of_model(spec, model),
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
            path = checkpoint.with_name(f"{checkpoint.stem}-{'_'.join(map(str, models))}.pt")
            training = StackedTrainer([trainers[model] for model in models], path, f"{name}{models[0]}-{models[-1]}")
        network, history = training.run()
        if isinstance(network, Stack):
            network.put_back([trainers[model].model for model in models])
        for model in models:
            state = trainers[model].model.eval().state_dict()
            weights |= {f"{_prefix(model)}{key}": value for key, value in state.items()}
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


def shadow_logits(
    spec: dict, weights: str | Path, records: Records, device: torch.device, signal: Signal
) -> ShadowLogits:
    """A signal of all records by the shadow models that a spec names, each attacked by itself.

    Args:
        spec: `architecture` and the numbers of the `models`.
        weights: the file of their weights, as `train_shadows` names them.
        records: all records of the data set.
        device: where everything happens.

    Raises:
        UserError: the weights cannot be read or do not fit the network.
    """
    answers, inside = [], []
    for model in spec["models"]:
        split = draw_half(records.labels, model)
        target = Target.load(_of_model(spec, model), weights, records, split, device, _prefix(model))
        seen = target.logits(signal)
        both = np.concatenate([seen.members, seen.nonmembers])
        rows = np.concatenate([split.members, split.nonmembers])
        answers.append(both[np.argsort(rows)])
        inside.append(np.isin(np.arange(len(rows)), split.members))
    return ShadowLogits(np.array(spec["models"]), np.array(inside), np.array(answers))
