"""A trained model, and the records that an attacker asks it about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.device import generator_for, pick_device, to_device, to_pixels, use_full_float32
from robustmia.errors import DamagedError, in_one_line
from robustmia.logits import Examples, SignalLogits
from robustmia.models import build_network
from robustmia.signals.base import Signal
from robustmia.weight_files import load_weights

if TYPE_CHECKING:
    from robustmia.signals.adversarial import Adversarial

BATCH = 256  # images; fixed, because the last bits of a logit may depend on it
EXAMPLES = 2


class Target:
    """A target model with the members and non-members of its split.

    Args:
        model: the network; it is put on the device, in evaluation mode.
        records: all records of the data set.
        split: which of them are members.
        device: where everything happens.
        seed: the source of every random number.
    """

    def __init__(self, model: nn.Module, records: Records, split: Split, device: torch.device, seed: int):
        use_full_float32()
        self.model = model.to(device).eval()
        self.records, self.split, self.device, self.seed = records, split, device, seed

    @classmethod
    def load(
        cls, spec: dict, weights: str | Path, records: Records, split: Split, device: torch.device, prefix: str = ""
    ) -> Target:
        """With the weights of a file.

        Args:
            spec: `architecture` and `seed`, as `robustmia.plan` lays them out.
            weights: the model's safetensors file.
            prefix: of the names of its weights, where the file has those of several models.

        Raises:
            UserError: the weights cannot be read, or are damaged.
        """
        network = build_network(spec["architecture"], records.image_shape, len(records.class_names), seed=0)
        named = load_weights(weights).items()
        own = {name.removeprefix(prefix): weight for name, weight in named if name.startswith(prefix)}
        try:
            network.load_state_dict(own)
        except RuntimeError as error:
            raise DamagedError(weights, f"not of this network: {in_one_line(error)}") from error
        return cls(network, records, split, device, spec["seed"])

    @classmethod
    def open(cls, spec: dict, *, records: str, split: str, model: str, threads: int) -> Target:
        """From the files of its parts, on the device at hand."""
        return cls.load(spec, model, Records.load(records), Split.load(split), pick_device(threads))

    def logits(self, signal: Signal) -> SignalLogits:
        """The signal of every member and non-member."""
        generator = generator_for(self.device, self.seed, "signal", signal.name)
        sides = (self.split.members, self.split.nonmembers)
        with tqdm(
            total=sum(map(len, sides)), desc=signal.name, unit="image", disable=None, dynamic_ncols=True
        ) as progress:
            members, nonmembers = (self._logits(signal, rows, generator, progress) for rows in sides)
        labels = self.records.labels
        return signal.file(members, nonmembers, labels[self.split.members], labels[self.split.nonmembers])

    def examples(self, signal: Adversarial) -> Examples:
        """The first few non-members, which the model never saw, clean and attacked."""
        rows = self.split.nonmembers[:EXAMPLES]
        images, labels = next(self._batches(rows))
        adversarial = signal.attack(self.model, images, labels, generator_for(self.device, self.seed, "examples"))
        with torch.no_grad():
            predictions, adversarial_predictions = (self.model(seen).argmax(1) for seen in (images, adversarial))
        arrays = (images, adversarial, labels, predictions, adversarial_predictions)
        return Examples(rows, *(array.cpu().numpy() for array in arrays))

    def _batches(self, rows: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(rows), BATCH):
            images, labels = to_device(self.records, rows[start : start + BATCH], self.device)
            yield to_pixels(images), labels

    @torch.no_grad()
    def _logits(self, signal: Signal, rows: np.ndarray, generator: torch.Generator, progress: tqdm) -> np.ndarray:
        parts = []
        for images, labels in self._batches(rows):
            parts.append(signal.logits(self.model, images, labels, generator))
            progress.update(len(labels))
        return torch.cat(parts).cpu().numpy()
