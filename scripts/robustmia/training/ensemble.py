"""Several models trained at once, as one ensemble (see `models/ensemble.py`).

The loss of a method is a mean over images, so the gradient of an ensemble's is each model's own, divided by their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from robustmia.models.engine import same_precision
from robustmia.models.ensemble import Ensemble
from robustmia.training.batches import JoinedBatches, MemberBatches
from robustmia.training.checkpoint import Checkpoint, Position
from robustmia.training.loop import Trainer


def ensemble_trainer(trainers: Sequence[Trainer], name: str) -> Trainer:
    """Trainings of one spec but for the seed and the members, step by step together; each ends as it would have alone.

    Each goes on from its own checkpoint, and writes it, so that they may go on in other company, or alone.

    Args:
        trainers: as many trainings, with equal numbers of members, of a method that is `batchable`.
        name: of all of them, for messages.
    """
    first = trainers[0]
    model = Ensemble([trainer.model for trainer in trainers]).to(first.device)
    same_precision(model, first.model)
    batches = JoinedBatches([cast(MemberBatches, trainer.batches) for trainer in trainers])
    checkpoints = JointCheckpoint([cast(Checkpoint, trainer.checkpoint) for trainer in trainers])
    return Trainer(model, first.method, first.settings, batches, checkpoints, name)


class JointCheckpoint:
    """The states of models that are trained at once, in the checkpoint of each."""

    def __init__(self, parts: Sequence[Checkpoint]):
        self.parts = parts

    def save(self, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write the state of each model; losses and counts are those of all of them."""
        assert isinstance(model, Ensemble)
        state, device = optimizer.state_dict(), model.weights[0].device
        for number, part in enumerate(self.parts):
            own = replace(position, generators=position.generators[number : number + 1])
            part.write(own, model.state_of(number), _of_one(state, number), device)

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> Position:
        """Load the last state that all models have; returns where they were, or the start."""
        assert isinstance(model, Ensemble)
        found = [{_place(state): state for state in part.states(device)} for part in self.parts]
        common = set.intersection(*map(set, found))
        if not common:
            return Position()
        states = [of_model[max(common)] for of_model in found]
        model.load_states([state["model"] for state in states])
        optimizer.load_state_dict(_of_all([state["optimizer"] for state in states]))
        generators = [own for state in states for own in state["position"]["generators"]]
        return replace(Position(**states[0]["position"]), generators=generators)

    def discard(self) -> None:
        """Remove the files of all."""
        for part in self.parts:
            part.discard()


def _place(state: dict) -> tuple[int, int]:
    return state["position"]["epoch"], state["position"]["steps"]


def _is_stacked(key: str, value: object) -> bool:
    """Whether a part of an optimiser's state is of each model by itself: all but the number of its steps."""
    return isinstance(value, Tensor) and key != "step"


def _of_one(state: dict, number: int) -> dict:
    """The state dict of the optimiser of one model."""
    own = {
        weight: {key: value[number].clone() if _is_stacked(key, value) else value for key, value in parts.items()}
        for weight, parts in state["state"].items()
    }
    return {"state": own, "param_groups": state["param_groups"]}


def _of_all(states: Sequence[dict]) -> dict:
    """That of the optimiser of all models."""
    joined = {
        weight: {
            key: torch.stack([state["state"][weight][key] for state in states]) if _is_stacked(key, value) else value
            for key, value in parts.items()
        }
        for weight, parts in states[0]["state"].items()
    }
    return {"state": joined, "param_groups": states[0]["param_groups"]}
