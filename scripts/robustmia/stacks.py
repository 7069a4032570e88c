"""Several models of one kind trained at once: small networks leave a processor idle, and one step for all of them does not.

Their weights are stacked and `torch.func.vmap` runs the network over the stack, so that a convolution of many models is one
grouped convolution. To a method the stack is one network whose batch has the models' images one after the other. Since the
loss is a mean over images, its gradient is each model's own, divided by their number.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from robustmia.device import Generators
from robustmia.settings import AugmentationSettings
from robustmia.training import Checkpoint, Trainer, build_optimizer


class Stack(nn.Module):
    """Networks of one architecture, without buffers, as one: images [M B, ...] to logits [M B, K], a share for each in turn."""

    def __init__(self, networks: Sequence[nn.Module]):
        super().__init__()
        stacked, _ = stack_module_state(list(networks))
        self.names = tuple(stacked)
        self.weights = nn.ParameterList([nn.Parameter(weight.detach().clone()) for weight in stacked.values()])
        self._one = [copy.deepcopy(networks[0])]  # in a list, so that its weights are not the stack's

    def forward(self, images: Tensor) -> Tensor:
        """Logits of each model's images."""
        network, weights = self._one[0], dict(zip(self.names, self.weights, strict=True))
        shares = images.unflatten(0, (len(self.weights[0]), -1))
        return vmap(lambda own, share: functional_call(network, own, (share,)))(weights, shares).flatten(0, 1)

    def put_back(self, networks: Sequence[nn.Module]) -> None:
        """Write the weights into networks of the same architecture, as many as there are."""
        for number, network in enumerate(networks):
            named = zip(self.names, self.weights, strict=True)
            network.load_state_dict({name: weight[number].detach().clone() for name, weight in named})


class StackedTrainer(Trainer):
    """Trainings of one spec but for the seed and the members, step by step together; each ends as it would have alone.

    Args:
        trainers: as many trainings, with equal numbers of members; see `can_be_stacked`.
        checkpoint: the file that keeps the state of all of them.
        name: what the progress bar calls them.
    """

    def __init__(self, trainers: Sequence[Trainer], checkpoint: Path, name: str):
        first = trainers[0]
        self.trainers, self.models, self.name = trainers, len(trainers), name
        self.settings, self.method, self.device = first.settings, first.method, first.device
        self.steps_per_epoch, self.watched = first.steps_per_epoch, {}
        self.labels = torch.cat([trainer.labels for trainer in trainers])
        data = hashlib.sha256("".join(trainer.checkpoint.data for trainer in trainers).encode()).hexdigest()
        self.checkpoint = Checkpoint(checkpoint, data)
        self.model = Stack([trainer.model for trainer in trainers]).to(self.device)
        self.optimizer = build_optimizer(self.model, self.settings)

    def steps(self, epoch: int, done: int, states: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Generators]]:
        """The steps of all trainings, side by side; `states` has one for each."""
        own = [states[number : number + 1] for number in range(self.models)]
        each = (trainer.steps(epoch, done, state) for trainer, state in zip(self.trainers, own, strict=True))
        for parts in zip(*each, strict=True):
            images, labels, generators = zip(*parts, strict=True)
            yield torch.cat(images), torch.cat(labels), generators


def can_be_stacked(trainer: Trainer) -> bool:
    """Whether a training goes into a stack: a method that is a mean over images, no buffers, no clipping of the whole gradient."""
    return (
        trainer.method.stackable
        and not list(trainer.model.buffers())
        and trainer.settings.gradient_clip is None
        and trainer.settings.augmentation == AugmentationSettings()
    )
