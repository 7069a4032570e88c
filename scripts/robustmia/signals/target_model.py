"""A trained model, and the records whose signals are computed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.errors import DamagedError, first_line
from robustmia.files.signals import Examples, SignalLogits
from robustmia.files.weights import load_weights
from robustmia.models.device import generator_for, pick_device, to_device, to_pixels
from robustmia.models.engine import Engine
from robustmia.models.networks.base import build_network
from robustmia.progress import report_progress
from robustmia.settings import instantiate
from robustmia.signals.base import Signal

if TYPE_CHECKING:
    from robustmia.signals.adversarial import Adversarial

BATCH_SIZE = 256  # fixed, because the last bits of a logit may depend on it
EXAMPLES = 2


class TargetModel:
    """A target model with the members and non-members of its split.

    Args:
        model: the network; it is put on the device, in evaluation mode.
        records: all records of the data set.
        split: which of them are members.
        device: where everything happens.
        seed: the source of every random number.
        own_verifier: the verifier that the model was trained with, if it was.
        engine: how it is run while it is attacked; None: with the defaults.
    """

    def __init__(
        self,
        model: nn.Module,
        records: Records,
        split: Split,
        device: torch.device,
        seed: int,
        own_verifier: str | None = None,
        engine: Engine | None = None,
    ):
        self.model = (engine or Engine()).place(model, device, records.image_shape).eval()
        self.records, self.split, self.device, self.seed = records, split, device, seed
        self.own_verifier = own_verifier

    @classmethod
    def load(
        cls, spec: dict, weights: str | Path, records: Records, split: Split, device: torch.device, prefix: str = ""
    ) -> TargetModel:
        """With the weights of a file.

        Args:
            spec: `architecture`, `engine` (empty: its defaults), `seed` and `own_verifier`, if there is one, as `robustmia.workflow.specs` lays them out.
            weights: the model's safetensors file.
            prefix: of the names of its weights, where the file has those of several models.

        Raises:
            UserError: the weights cannot be read, or are damaged.
        """
        architecture = instantiate(spec["architecture"])
        network = build_network(architecture, records.image_shape, len(records.class_names), seed=0)
        named = load_weights(weights).items()
        own = {name.removeprefix(prefix): weight for name, weight in named if name.startswith(prefix)}
        try:
            network.load_state_dict(own)
        except RuntimeError as error:
            raise DamagedError(weights, f"not of this network: {first_line(error)}") from error
        engine = Engine(**spec.get("engine", {}))
        return cls(network, records, split, device, spec["seed"], spec.get("own_verifier"), engine)

    @classmethod
    def open(cls, spec: dict, *, records: str, split: str, model: str, threads: int) -> TargetModel:
        """From the files of its parts, on the device at hand."""
        return cls.load(spec, model, Records.load(records), Split.load(split), pick_device(threads))

    def fitted(self, signal: Signal) -> Signal:
        """The signal as it is computed for this model."""
        images, _ = next(self._batches(self.split.members[:1]))
        return signal.for_model(self.model, images, self.own_verifier)

    def logits(self, signal: Signal) -> SignalLogits:
        """The signal of every member and non-member."""
        signal = self.fitted(signal)
        generator = generator_for(self.device, self.seed, "signal", signal.name)
        logits = self.of_records(
            lambda model, images, labels: signal.logits(model, images, labels, generator), signal.name
        )
        labels = (self.records.labels[rows] for rows in (self.split.members, self.split.nonmembers))
        return signal.file(*logits, *labels)

    def examples(self, signal: Adversarial) -> Examples:
        """The first few non-members, which the model was not trained on, clean and perturbed."""
        rows = self.split.nonmembers[:EXAMPLES]
        images, labels = next(self._batches(rows))
        adversarial = signal.attack(self.model, images, labels, generator_for(self.device, self.seed, "examples"))
        with torch.no_grad():
            predictions, adversarial_predictions = (self.model(seen).argmax(1) for seen in (images, adversarial))
        arrays = (images, adversarial, labels, predictions, adversarial_predictions)
        return Examples(rows, *(array.cpu().numpy() for array in arrays))

    def _batches(self, rows: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(rows), BATCH_SIZE):
            images, labels = to_device(self.records, rows[start : start + BATCH_SIZE], self.device)
            yield to_pixels(images), labels

    @torch.no_grad()
    def of_records(self, function: Callable[[nn.Module, Tensor, Tensor], Tensor], name: str) -> list[np.ndarray]:
        """What a function of the model, images and labels gives, batch after batch: of all members, then of all non-members."""
        sides, done, found = (self.split.members, self.split.nonmembers), 0, []
        for rows in sides:
            parts = []
            for images, labels in self._batches(rows):
                parts.append(function(self.model, images, labels))
                done += len(labels)
                report_progress(name, done, sum(map(len, sides)), "images")
            found.append(torch.cat(parts).cpu().numpy())
        return found
