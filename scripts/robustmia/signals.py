"""Signals: the logits of every member and non-member that the attacker gets to see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm

from robustmia.attacks import evaluation_attack, predict
from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.device import generator_for, to_device, to_pixels
from robustmia.errors import UserError, in_one_line
from robustmia.logits import Examples, Signal
from robustmia.models import build_network
from robustmia.settings import EvaluationAttackSettings

BATCH = 256  # images; fixed, because the last bits of a logit may depend on it
EXAMPLES = 2


class Target:
    """A trained model with the records that it is asked about.

    Raises:
        UserError: the weights cannot be read or do not fit the network.
    """

    def __init__(self, architecture: dict, weights: str | Path, records: Records, split: Split, device: torch.device):
        self.records, self.split, self.device = records, split, device
        network = build_network(architecture, records.image_shape, len(records.class_names), seed=0)
        try:
            network.load_state_dict(load_file(weights))
        except (SafetensorError, OSError, RuntimeError) as error:
            raise UserError(
                f"{weights}: cannot be read as this network's weights ({in_one_line(error)}); train it again"
            ) from error
        self.model: nn.Module = network.to(device).eval()

    def benign(self) -> Signal:
        """Logits of the clean images."""
        return self._signal("benign", lambda images, labels: predict(self.model, images))

    def adversarial(self, settings: EvaluationAttackSettings, seed: int) -> Signal:
        """Logits of images that the evaluation attack moved against this very model."""
        generator = generator_for(self.device, seed, "evaluation attack")
        return self._signal(
            "adversarial",
            lambda images, labels: predict(
                self.model, evaluation_attack(self.model, images, labels, settings, generator)
            ),
        )

    def examples(self, settings: EvaluationAttackSettings, seed: int) -> Examples:
        """The first few non-members, which the model never saw, clean and attacked."""
        rows = self.split.nonmembers[:EXAMPLES]
        images, labels = self._batch(rows)
        generator = generator_for(self.device, seed, "examples")
        adversarial = evaluation_attack(self.model, images, labels, settings, generator)
        predictions = (predict(self.model, seen).argmax(1).cpu().numpy() for seen in (images, adversarial))
        return Examples(
            rows,
            images.cpu().numpy(),
            adversarial.cpu().numpy(),
            labels.cpu().numpy(),
            next(predictions),
            next(predictions),
        )

    def _batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        images, labels = to_device(self.records, rows, self.device)
        return to_pixels(images), labels

    def _signal(self, name: str, logits_of: Callable[[Tensor, Tensor], Tensor]) -> Signal:
        sides = (self.split.members, self.split.nonmembers)
        with tqdm(total=sum(map(len, sides)), desc=name, unit="image", disable=None, dynamic_ncols=True) as bar:
            members, nonmembers = (self._logits(rows, logits_of, bar) for rows in sides)
        labels = self.records.labels
        return Signal(members, nonmembers, labels[self.split.members], labels[self.split.nonmembers])

    def _logits(self, rows: np.ndarray, logits_of: Callable[[Tensor, Tensor], Tensor], bar: tqdm) -> np.ndarray:
        parts = []
        for start in range(0, len(rows), BATCH):
            images, labels = self._batch(rows[start : start + BATCH])
            parts.append(logits_of(images, labels))
            bar.update(len(labels))
        return torch.cat(parts).cpu().numpy()
