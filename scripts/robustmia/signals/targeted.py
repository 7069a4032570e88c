"""The targeted signal: logits of images that attacks moved towards each class, against this very model (Song et al. 2019, section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from robustmia.settings import PerturbationSettings
from robustmia.signals.base import Signal

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Targeted(Signal, PerturbationSettings):
    """For each record K - 1 targeted PGD inputs, from the clean image, last iterate. The defaults are those of `adversarial`."""

    strong: ClassVar[bool] = True

    name: Literal["targeted"]
    steps: PositiveInt = Field(20, description="gradient steps")

    def logits(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """[B, K, K]: in row t the model's answer to the image moved towards class t, in row y to the clean image."""
        import torch

        from robustmia.attacks import Ball, pgd, targeted_loss

        clean, rows = model(images), torch.arange(len(images), device=images.device)
        classes, ball, size = clean.shape[1], Ball(self.norm, self.epsilon), self.resolved_step_size
        answers = clean.unsqueeze(1).repeat(1, classes, 1)
        for shift in range(1, classes):
            targets = (labels + shift) % classes
            moved = pgd(model, images, targeted_loss(targets), ball, steps=self.steps, step_size=size, start="clean")
            answers[rows, targets] = model(moved)
        return answers
