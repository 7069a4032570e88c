"""Several models of one kind, trained with the one training loop: one after the other, or together where that is possible."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.models.ensemble import Ensemble
from robustmia.training.ensemble import ensemble_trainer
from robustmia.training.loop import StateKeeper, Trainer


@dataclass(frozen=True)
class Trained:
    """One of the models."""

    weights: dict[str, Tensor]
    history: pd.DataFrame
    """Of models trained at once the means over all of them."""
    checkpoint: StateKeeper
    """To be discarded once everything is written."""


def train_many(
    specs: dict[int, dict],
    splits: dict[int, Split],
    records: Records,
    checkpoint: Path,
    device: torch.device,
    name: str,
    together: bool,
) -> dict[int, Trained]:
    """Train models that differ in their seeds and members; each goes on from its checkpoint.

    Args:
        specs: by the model's number, as `Trainer.of_spec` takes them, alike but for the seed.
        splits: by the same numbers, with equal numbers of members.
        records: of the data set.
        checkpoint: what the checkpoints' names begin with.
        device: where everything happens.
        name: of these models, for messages.
        together: train them at once if they can be a part of an ensemble.

    Raises:
        UserError: a loss is not finite, or SIGTERM or SIGINT asked for the end.
    """
    trainers = {
        model: Trainer.of_spec(
            spec,
            records,
            splits[model],
            checkpoint.with_name(f"{checkpoint.stem}-{model}.pt"),
            device,
            f"{name}{model}",
        )
        for model, spec in specs.items()
    }
    numbers, trained = list(specs), {}
    for models in [numbers] if together and trainers[numbers[0]].can_join else [[model] for model in numbers]:
        training = trainers[models[0]]
        if len(models) > 1:
            training = ensemble_trainer([trainers[model] for model in models], f"{name}{models[0]}-{models[-1]}")
        network, history = training.run()
        for number, model in enumerate(models):
            weights = network.state_of(number) if isinstance(network, Ensemble) else network.state_dict()
            trained[model] = Trained(weights, history, trainers[model].checkpoint)
    return trained
