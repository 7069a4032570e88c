"""Shadow models asked about every record, each attacked by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from robustmia.data.halves import draw_half
from robustmia.data.records import Records
from robustmia.logits import ShadowLogits
from robustmia.shadow_names import shadow_spec, weight_prefix
from robustmia.signals.base import Signal
from robustmia.signals.target import Target


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
        UserError: the weights cannot be read, or are damaged.
    """
    answers, inside = [], []
    for model in spec["models"]:
        split = draw_half(records.labels, model)
        target = Target.load(shadow_spec(spec, model), weights, records, split, device, weight_prefix(model))
        seen = target.logits(signal)
        both = np.concatenate([seen.members, seen.nonmembers])
        rows = np.concatenate([split.members, split.nonmembers])
        answers.append(both[np.argsort(rows)])
        inside.append(np.isin(np.arange(len(rows)), split.members))
    return ShadowLogits(np.array(spec["models"]), np.array(inside), np.array(answers))
