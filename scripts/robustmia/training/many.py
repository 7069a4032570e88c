"""Several models of one kind, trained with the one training loop: one after the other, or together where that is possible."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
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

    def trainer(model: int) -> Trainer:
        state = checkpoint.with_name(f"{checkpoint.stem}-{model}.pt")
        return Trainer.of_spec(specs[model], records, splits[model], state, device, f"{name}{model}")

    models = list(specs)
    first, others = trainer(models[0]), map(trainer, models[1:])  # each is made when the one before is done
    if together and first.can_join and len(models) > 1:
        return _trained_together(dict(zip(models, [first, *others], strict=True)), f"{name}{models[0]}-{models[-1]}")
    trained = {}
    for model, training in zip(models, chain([first], others), strict=True):
        network, history = training.run()
        trained[model] = Trained(network.state_dict(), history, training.checkpoint)
    return trained


def _trained_together(trainers: dict[int, Trainer], name: str) -> dict[int, Trained]:
    ensemble, history = ensemble_trainer(list(trainers.values()), name).run()
    assert isinstance(ensemble, Ensemble)
    return {
        model: Trained(ensemble.state_of(number), history, training.checkpoint)
        for number, (model, training) in enumerate(trainers.items())
    }
