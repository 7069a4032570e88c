"""Several models trained at once: small networks leave a processor idle, and one step for all of them does not.

Their weights are stacked and `torch.func.vmap` runs the network over them (an *ensemble*, as torch calls it), so that a
convolution of many models is one grouped convolution. To a method the ensemble is one network whose batch has the models'
images one after the other. Since the loss is a mean over images, its gradient is each model's own, divided by their number.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from robustmia.models.engine import same_precision
from robustmia.training.batches import JoinedBatches, MemberBatches
from robustmia.training.loop import Trainer
from robustmia.training.settings import AugmentationSettings


class Ensemble(nn.Module):
    """Networks of one architecture, without buffers, as one: images [M B, ...] to logits [M B, K], a share for each in turn."""

    def __init__(self, networks: Sequence[nn.Module]):
        super().__init__()
        stacked, _ = stack_module_state(list(networks))
        self.names = tuple(stacked)
        self.weights = nn.ParameterList([nn.Parameter(weight.detach().clone()) for weight in stacked.values()])
        self._template = [copy.deepcopy(networks[0])]  # in a list, so that its weights are not the ensemble's

    def forward(self, images: Tensor) -> Tensor:
        """Logits of each model's images."""
        network, weights = self._template[0], dict(zip(self.names, self.weights, strict=True))
        shares = images.unflatten(0, (len(self.weights[0]), -1))
        return vmap(lambda own, share: functional_call(network, own, (share,)))(weights, shares).flatten(0, 1)

    def copy_to(self, networks: Sequence[nn.Module]) -> None:
        """Write the weights into networks of the same architecture, as many as there are."""
        for number, network in enumerate(networks):
            named = zip(self.names, self.weights, strict=True)
            network.load_state_dict({name: weight[number].detach().clone() for name, weight in named})


def ensemble_trainer(trainers: Sequence[Trainer], checkpoint: Path, name: str) -> Trainer:
    """Trainings of one spec but for the seed and the members, step by step together; each ends as it would have alone.

    Args:
        trainers: as many trainings, with equal numbers of members; see `can_be_batched`.
        checkpoint: the file that keeps the state of all of them.
        name: of all of them, for messages.
    """
    first = trainers[0]
    model = Ensemble([trainer.model for trainer in trainers]).to(first.device)
    same_precision(model, first.model)
    batches = JoinedBatches([cast(MemberBatches, trainer.batches) for trainer in trainers])
    return Trainer(model, first.method, first.settings, batches, checkpoint, name)


def can_be_batched(trainer: Trainer) -> bool:
    """Whether a training can be part of an ensemble's: a loss that is a mean over images, no buffers, no clipping of the gradient."""
    return (
        trainer.method.batchable
        and not list(trainer.model.buffers())
        and trainer.settings.gradient_clip is None
        and trainer.settings.augmentation == AugmentationSettings()
    )
