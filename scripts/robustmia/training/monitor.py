"""Accuracies of members and non-members while a model is trained: nothing is chosen by them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.models.device import to_device, to_pixels
from robustmia.models.perturbations import Ball, cross_entropy_loss, pgd, predict
from robustmia.training.settings import MonitorSettings

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
        if (epoch + 1) % self.settings.every and epoch + 1 < epochs:
            return row
        for side, (images, labels) in self.sides.items():
            counts = {kind: torch.zeros(2, device=self.device) for kind in ("clean", "adversarial")}
            for some, theirs in zip(images.split(BATCH_SIZE), labels.split(BATCH_SIZE), strict=True):
                pixels = to_pixels(some)
                counts["clean"] += count_correct((predict(model, pixels), theirs))
                counts["adversarial"] += count_correct((predict(model, self._attacked(model, pixels, theirs)), theirs))
            row |= {f"{side}_{kind}": accuracy(counts[kind]) for kind in counts}
        return row

    def _attacked(self, model: nn.Module, pixels: Tensor, labels: Tensor) -> Tensor:
        settings = self.settings
        return pgd(
            model,
            pixels,
            cross_entropy_loss(labels),
            Ball(settings.norm, settings.epsilon),
            steps=settings.steps,
            step_size=settings.resolved_step_size,
            start="clean",
        )


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
