"""Shadow models: trained as the target was."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from robustmia.data.records import Records
from robustmia.shadow.naming import shadow_spec, weight_prefix
from robustmia.shadow.split import shadow_splits
from robustmia.training.loop import StateKeeper
from robustmia.training.many import train_many


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
    specs = {model: shadow_spec(spec, model) for model in spec["models"]}
    splits = shadow_splits(spec, records)
    trained = train_many(specs, splits, records, checkpoint, device, name, spec["train_batched"])
    weights = {
        f"{weight_prefix(model)}{key}": value for model, one in trained.items() for key, value in one.weights.items()
    }
    histories = [one.history.assign(model=model) for model, one in trained.items()]
    return weights, pd.concat(histories, ignore_index=True), [one.checkpoint for one in trained.values()]
