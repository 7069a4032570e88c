"""Several models trained at once, as one ensemble (see `models/ensemble.py`).

The loss of a method is a mean over images, so the gradient of an ensemble's is each model's own, divided by their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from robustmia.models.engine import same_precision
from robustmia.models.ensemble import Ensemble
from robustmia.training.batches import JoinedBatches, MemberBatches
from robustmia.training.loop import Trainer


def ensemble_trainer(trainers: Sequence[Trainer], checkpoint: Path, name: str) -> Trainer:
    """Trainings of one spec but for the seed and the members, step by step together; each ends as it would have alone.

    Args:
        trainers: as many trainings, with equal numbers of members, of a method that is `batchable`.
        checkpoint: the file that keeps the state of all of them.
        name: of all of them, for messages.
    """
    first = trainers[0]
    model = Ensemble([trainer.model for trainer in trainers]).to(first.device)
    same_precision(model, first.model)
    batches = JoinedBatches([cast(MemberBatches, trainer.batches) for trainer in trainers])
    return Trainer(model, first.method, first.settings, batches, checkpoint, name)
