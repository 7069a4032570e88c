"""The signals of shadow models, for every record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from robustmia.data.records import Records
from robustmia.files.signals import ShadowLogits
from robustmia.shadow.naming import shadow_spec, weight_prefix
from robustmia.shadow.split import shadow_splits
from robustmia.signals.base import Signal
from robustmia.signals.target_model import TargetModel


def shadow_logits(
    spec: dict, weights: str | Path, records: Records, device: torch.device, signal: Signal
) -> ShadowLogits:
    """A signal of all records by the shadow models that a spec names; perturbations are computed against each by itself.

    Args:
        spec: `architecture`, and what `shadow_splits` takes.
        weights: the file of their weights, as `train_shadows` names them.
        records: all records of the data set.
        device: where everything happens.

    Raises:
        UserError: the weights cannot be read, or are damaged.
    """
    logits, in_mask = [], []
    for model, split in shadow_splits(spec, records).items():
        shadow = TargetModel.load(shadow_spec(spec, model), weights, records, split, device, weight_prefix(model))
        sides = shadow.logits(signal)
        both = np.concatenate([sides.members, sides.nonmembers])
        rows = np.concatenate([split.members, split.nonmembers])
        logits.append(both[np.argsort(rows)])
        in_mask.append(np.isin(np.arange(len(rows)), split.members))
    return ShadowLogits(np.array(spec["models"]), np.array(in_mask), np.array(logits))
