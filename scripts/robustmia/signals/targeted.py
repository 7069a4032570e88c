"""The targeted signal: logits of adversarial examples towards each class, against this very model (Song et al. 2019, section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from robustmia.signals.perturbed import PerturbedSignal

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Targeted(PerturbedSignal):
    """For each record K - 1 targeted PGD inputs, each the last iterate from the clean image."""

    one_attack_per_class: ClassVar[bool] = True

    name: Literal["targeted"]

    def logits(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """[B, K, K]: in row t the logits of the image moved towards class t, in row y those of the clean image."""
        import torch

        from robustmia.models.perturbations import Ball, pgd, targeted_loss

        clean, rows = model(images), torch.arange(len(images), device=images.device)
        classes, ball, size = clean.shape[1], Ball(self.norm, self.epsilon), self.resolved_step_size
        logits = clean.unsqueeze(1).repeat(1, classes, 1)
        for shift in range(1, classes):
            targets = (labels + shift) % classes
            moved = pgd(model, images, targeted_loss(targets), ball, steps=self.steps, step_size=size, start="clean")
            logits[rows, targets] = model(moved)
        return logits
