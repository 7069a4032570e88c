"""Shadow models: trained as the target was, with the one training loop."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from robustmia.data.records import Records
from robustmia.models.ensemble import Ensemble
from robustmia.shadow.naming import shadow_spec, weight_prefix
from robustmia.shadow.split import shadow_splits
from robustmia.training.ensemble import ensemble_trainer
from robustmia.training.loop import StateKeeper, Trainer


def train_shadows(
    spec: dict, records: Records, checkpoint: Path, device: torch.device, name: str
) -> tuple[dict[str, Tensor], pd.DataFrame, list[StateKeeper]]:
    """Train the shadow models that a spec names, one after the other or together; each goes on from its checkpoint.

    Args:
        spec: the target's, as `Trainer.of_spec` takes it; what `shadow_splits` takes; and `train_batched`, whether several are
            trained at once.
        records: all records of the data set.
        checkpoint: what the checkpoints' names begin with.
        device: where everything happens.
        name: of these models, for messages.

    Returns:
        Weights by name, the model's number in front; the histories one below the other, with a column `model` (models trained at
        once have the means over all of them); the checkpoints, to be discarded once everything is written.

    Raises:
        UserError: a loss is not finite, or SIGTERM or SIGINT asked for the end.
    """
    weights: dict[str, Tensor] = {}
    histories = []
    trainers = {
        model: Trainer.of_spec(
            shadow_spec(spec, model),
            records,
            split,
            checkpoint.with_name(f"{checkpoint.stem}-{model}.pt"),
            device,
            f"{name}{model}",
        )
        for model, split in shadow_splits(spec, records).items()
    }
    together = spec["train_batched"] and trainers[spec["models"][0]].method.batchable
    for models in [spec["models"]] if together else [[model] for model in spec["models"]]:
        training = trainers[models[0]]
        if len(models) > 1:
            training = ensemble_trainer([trainers[model] for model in models], f"{name}{models[0]}-{models[-1]}")
        network, history = training.run()
        for number, model in enumerate(models):
            state = network.state_of(number) if isinstance(network, Ensemble) else network.state_dict()
            weights |= {f"{weight_prefix(model)}{key}": value for key, value in state.items()}
            histories.append(history.assign(model=model))
    checkpoints = [trainer.checkpoint for trainer in trainers.values()]
    return weights, pd.concat(histories, ignore_index=True), checkpoints
