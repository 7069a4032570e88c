"""The signals of shadow models, for every record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.files.signals import ShadowSignals
from robustmia.shadow.naming import shadow_spec, weight_prefix
from robustmia.shadow.split import shadow_splits
from robustmia.signals.base import Signal
from robustmia.signals.target_model import TargetModel


def shadow_signals(
    spec: dict, weights: str | Path, records: Records, device: torch.device, signals: dict[str, Signal]
) -> ShadowSignals:
    """Signals of all records by the shadow models that a spec names; perturbations are computed against each by itself.

    Args:
        spec: `architecture`, and what `shadow_splits` takes.
        weights: the file of their weights, as `train_shadows` names them.
        records: all records of the data set.
        device: where everything happens.
        signals: by name.

    Raises:
        UserError: the weights cannot be read, or are damaged.
    """
    logits: dict[str, list[np.ndarray]] = {name: [] for name in signals}
    in_mask = []
    for model, split in shadow_splits(spec, records).items():
        all_others = np.setdiff1d(np.arange(len(records.labels)), split.members)
        asked = Split(split.members, all_others, np.zeros(0, np.int64))
        shadow = TargetModel.load(shadow_spec(spec, model), weights, records, asked, device, weight_prefix(model))
        rows = np.concatenate([asked.members, asked.nonmembers])
        in_mask.append(np.isin(np.arange(len(rows)), split.members))
        for name, signal in signals.items():
            sides = shadow.logits(signal)
            logits[name].append(np.concatenate([sides.members, sides.nonmembers])[np.argsort(rows)])
    return ShadowSignals({name: np.array(parts) for name, parts in logits.items()}, np.array(in_mask))
