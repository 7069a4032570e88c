"""Models that are trained again without one record each, or with all of them, and their answers to the records in question."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.models.device import derive_seed
from robustmia.models.engine import Engine
from robustmia.models.networks.base import build_network
from robustmia.settings import instantiate
from robustmia.signals.base import Signal
from robustmia.signals.target_model import TargetModel
from robustmia.training.loop import StateKeeper
from robustmia.training.many import train_many


def retrain(
    spec: dict, records: Records, split: Split, chosen: np.ndarray, checkpoint: Path, device: torch.device, name: str
) -> tuple[dict[str, np.ndarray], list[StateKeeper]]:
    """Train models again, each with another seed, and compute signals of the chosen records.

    Args:
        spec: the target's, as `Trainer.of_spec` takes it; the numbers of the `models`; `leaves_out`, whether model k is trained without
            the k-th of the chosen records, or with all members; `signals`, the settings of some signals by name; `train_batched`.
        records: all records of the data set.
        split: of the target.
        chosen: rows of some members, [n].
        checkpoint: what the checkpoints' names begin with.
        device: where everything happens.
        name: of these models, for messages.

    Returns:
        For each signal logits, float32 [models, n, K]; and the checkpoints, to be discarded once all is written.

    Raises:
        UserError: a loss is not finite, or SIGTERM or SIGINT asked for the end.
    """
    purpose = "without" if spec["leaves_out"] else "again"
    specs = {model: spec | {"seed": derive_seed(spec["seed"], purpose, model)} for model in spec["models"]}
    splits = {model: _without(split, chosen[model]) if spec["leaves_out"] else split for model in spec["models"]}
    trained = train_many(specs, splits, records, checkpoint, device, name, spec["train_batched"])
    signals: dict[str, Signal] = {name: instantiate(settings) for name, settings in spec["signals"].items()}
    logits: dict[str, list[np.ndarray]] = {name: [] for name in signals}
    asked = Split(chosen, chosen[:1], split.shadow_pool)  # of whom the first are wanted
    for model, one in trained.items():
        network = build_network(
            instantiate(spec["architecture"]), records.image_shape, len(records.class_names), seed=0
        )
        network.load_state_dict(one.weights)
        target = TargetModel(network, records, asked, device, specs[model]["seed"], engine=Engine(**spec["engine"]))
        for signal, settings in signals.items():
            logits[signal].append(target.logits(settings).members)
    return {name: np.array(of_models) for name, of_models in logits.items()}, [
        one.checkpoint for one in trained.values()
    ]


def _without(split: Split, row: int) -> Split:
    """A split in which one of the members is none."""
    return Split(split.members[split.members != row], np.append(split.nonmembers, row), split.shadow_pool)
