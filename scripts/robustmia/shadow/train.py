"""Shadow models: trained as the target was, with the one training loop."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from robustmia.data.records import Records
from robustmia.models.ensemble import Ensemble
from robustmia.shadow.naming import shadow_spec, weight_prefix
from robustmia.shadow.split import shadow_splits
from robustmia.training.checkpoint import Checkpoint
from robustmia.training.ensemble import ensemble_trainer
from robustmia.training.loop import Trainer


def train_shadows(
    spec: dict, records: Records, checkpoint: Path, device: torch.device, name: str
) -> tuple[dict[str, Tensor], pd.DataFrame, list[Checkpoint]]:
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
    histories, checkpoints = [], []
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
            key = hashlib.sha256(str(models).encode()).hexdigest()[:12]  # all their numbers may be too long for a name
            path = checkpoint.with_name(f"{checkpoint.stem}-ensemble{key}.pt")
            training = ensemble_trainer(list(trainers.values()), path, f"{name}{models[0]}-{models[-1]}")
        network, history = training.run()
        if isinstance(network, Ensemble):
            network.copy_to([trainers[model].model for model in models])
        for model in models:
            state = trainers[model].model.eval().state_dict()
            weights |= {f"{weight_prefix(model)}{key}": value for key, value in state.items()}
            histories.append(history.assign(model=model))
        checkpoints.append(training.checkpoint)
    return weights, pd.concat(histories, ignore_index=True), checkpoints
