"""Where a training's batches come from: the members of one model, or those of several models side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.models.device import Generators, generator_for, to_device, to_pixels
from robustmia.training.augmentation import augment
from robustmia.training.settings import TrainingSettings


@dataclass(frozen=True)
class Batch:
    """What one step trains on."""

    images: Tensor
    """[B, C, H, W] in [0, 1]."""
    labels: Tensor
    """[B], in 0..K-1."""
    generator: Generators
    """The source of the step's random numbers."""


class Batches(Protocol):
    """A source of batches."""

    models: int
    """How many models share each batch, one after the other."""
    steps: int
    """Steps of an epoch."""

    def epoch(self, epoch: int, done: int, states: Sequence[Tensor]) -> Iterator[Batch]:
        """The batches of an epoch.

        Args:
            done: steps that are left out, being done.
            states: of the generators after them; none at the start.
        """
        ...


class MemberBatches:
    """Random batches of the members of one model, on the device.

    Members are shared out evenly over the fewest batches that are not too large. A last batch of the few that remain, one image of 897
    in batches of 64, say, would move the weights as far as a whole batch does: at high learning rates some trainings fail so.

    Every random number comes from the seed, the epoch and a purpose, so a training that resumes after any epoch draws what
    it would have drawn anyway.

    Args:
        records: all records of the data set.
        split: which of them are members.
        settings: batch size and augmentation.
        device: where the images are kept.
        seed: the source of every random number.
    """

    models = 1

    def __init__(self, records: Records, split: Split, settings: TrainingSettings, device: torch.device, seed: int):
        self.settings, self.device, self.seed = settings, device, seed
        self.images, self.labels = to_device(records, split.members, device)
        members = records.images[split.members].tobytes() + records.labels[split.members].tobytes()
        self.digest = hashlib.sha256(members).hexdigest()
        """Of what is trained on."""
        self.records = len(self.labels)
        self.steps = -(-self.records // settings.batch_size)
        self.expected = self.records / self.steps
        """Images of a step, on average."""
        self.probability = 1 / self.steps
        """With which a record is a part of a step of private training."""

    def epoch(self, epoch: int, done: int, states: Sequence[Tensor]) -> Iterator[Batch]:
        """Batches in a random order, augmented; `states` has the state of one generator."""
        generator = generator_for(self.device, self.seed, "epoch", epoch)
        if done:
            generator.set_state(states[0].cpu())
        for rows in islice(self._rows(generator_for(self.device, self.seed, "order", epoch)), done, None):
            pixels = to_pixels(self.images[rows])
            yield Batch(augment(pixels, self.settings.augmentation, generator), self.labels[rows], generator)

    def _rows(self, order: torch.Generator) -> Iterator[Tensor]:
        """Of each step: each record once in an epoch; for private training each with the same probability in every step."""
        if self.settings.privacy is None:
            yield from torch.randperm(self.records, generator=order, device=self.device).tensor_split(self.steps)
            return
        for _ in range(self.steps):
            drawn = torch.rand(self.records, generator=order, device=self.device) < self.probability
            yield drawn.nonzero().flatten()


class JoinedBatches:
    """The batches of several models side by side: each step has the images of the first model, then of the next."""

    def __init__(self, parts: Sequence[MemberBatches]):
        self.parts, self.models, self.steps = parts, len(parts), parts[0].steps

    def epoch(self, epoch: int, done: int, states: Sequence[Tensor]) -> Iterator[Batch]:
        """One batch of each model at a time; `states` has one state for each model."""
        own_states = [states[number : number + 1] for number in range(self.models)]
        each = (part.epoch(epoch, done, state) for part, state in zip(self.parts, own_states, strict=True))
        for batches in zip(*each, strict=True):
            generators = [batch.generator for batch in batches]
            images, labels = [batch.images for batch in batches], [batch.labels for batch in batches]
            yield Batch(torch.cat(images), torch.cat(labels), generators)
