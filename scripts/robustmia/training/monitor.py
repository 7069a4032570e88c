"""Accuracies while a model is trained: of members and non-members, by which nothing is chosen, and of held-out records for early stopping."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.errors import UserError
from robustmia.models.device import to_device, to_pixels
from robustmia.models.perturbations import Ball, cross_entropy_loss, pgd, predict
from robustmia.settings import PerturbationSettings
from robustmia.training.settings import EarlyStoppingSettings, MonitorSettings

COLUMNS = ("member_clean", "member_adversarial", "nonmember_clean", "nonmember_adversarial")
BATCH_SIZE = 256


class Monitor:
    """Evaluates a model on some of the members and of the non-members, clean and under attack.

    Args:
        settings: how often, on how many records, and under which attack.
        records: all records of the data set.
        split: which of them are members.
        device: where everything happens.
    """

    def __init__(self, settings: MonitorSettings, records: Records, split: Split, device: torch.device):
        self.settings, self.device = settings, device
        sides = {"member": split.members, "nonmember": split.nonmembers}
        self.sides = {side: to_device(records, rows[: settings.records], device) for side, rows in sides.items()}

    def evaluate(self, model: nn.Module, epoch: int, epochs: int) -> dict[str, float | None]:
        """Accuracies after an epoch (counted from 0), of every few epochs and the last one; empty in between."""
        row: dict[str, float | None] = dict.fromkeys(COLUMNS)
        if not _is_due(epoch, epochs, self.settings.every):
            return row
        for side, (images, labels) in self.sides.items():
            found = _accuracies(model, images, labels, self.settings)
            row |= {f"{side}_{kind}": value for kind, value in found.items()}
        return row


class EarlyStopping:
    """Keeps the weights of the epoch with the highest adversarial accuracy on held-out records, the first of equals.

    Args:
        settings: how often, on how many records, and under which attack.
        records: all records of the data set.
        held_out: rows that are neither members nor non-members of the target model: neither it nor its shadow models are trained on them.
        device: where everything happens.

    Raises:
        UserError: there are fewer of these than the settings ask for.
    """

    def __init__(self, settings: EarlyStoppingSettings, records: Records, held_out: np.ndarray, device: torch.device):
        if len(held_out) < settings.records:
            raise UserError(
                f"training.early_stopping needs {settings.records} records that are neither members nor non-members, and there are "
                f"{len(held_out)}; set split.max_nonmembers, or lower early_stopping.records"
            )
        self.settings = settings
        self.images, self.labels = to_device(records, held_out[: settings.records], device)

    def better(self, model: nn.Module, epoch: int, epochs: int, best: dict) -> dict:
        """The best so far, after an epoch (counted from 0) of so many."""
        if not _is_due(epoch, epochs, self.settings.every):
            return best
        accuracy = _accuracies(model, self.images, self.labels, self.settings)["adversarial"]
        if best and accuracy <= best["accuracy"]:
            return best
        weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
        return {"epoch": epoch + 1, "accuracy": accuracy, "weights": weights}


def _is_due(epoch: int, epochs: int, every: int) -> bool:
    """Whether an epoch (counted from 0) of so many is one of every few, or the last."""
    return (epoch + 1) % every == 0 or epoch + 1 == epochs


def _accuracies(model: nn.Module, images: Tensor, labels: Tensor, attack: PerturbationSettings) -> dict[str, float]:
    """Clean and adversarial accuracy on uint8 images."""
    counts = {kind: torch.zeros(2, device=images.device) for kind in ("clean", "adversarial")}
    for some, theirs in zip(images.split(BATCH_SIZE), labels.split(BATCH_SIZE), strict=True):
        pixels = to_pixels(some)
        counts["clean"] += count_correct((predict(model, pixels), theirs))
        adversarial = pgd(
            model,
            pixels,
            cross_entropy_loss(theirs),
            Ball(attack.norm, attack.epsilon),
            steps=attack.steps,
            step_size=attack.resolved_step_size,
            start="clean",
        )
        counts["adversarial"] += count_correct((predict(model, adversarial), theirs))
    return {kind: (counts[kind][0] / counts[kind][1]).item() for kind in counts}


def count_correct(answers: tuple[Tensor, Tensor] | None) -> Tensor | float:
    """[correct, all] of logits [B, K] and labels [B]; 0 where there are none."""
    if answers is None:
        return 0.0
    correct = (answers[0].argmax(1) == answers[1]).float()
    return torch.stack([correct.sum(), torch.ones_like(correct).sum()])


def accuracy(counts: Tensor) -> float | None:
    """correct / all of counts [correct, all]; None of nothing."""
    correct, count = counts.tolist()
    return correct / count if count else None
