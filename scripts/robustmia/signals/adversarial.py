"""The adversarial signal: logits of adversarial examples that were computed against this very model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from robustmia.signals.perturbed import PerturbedSignal

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Adversarial(PerturbedSignal):
    """Logits under the evaluation attack. The defaults are the paper's: 20 steps from the clean image, last iterate."""

    name: Literal["adversarial"]
    random_start: bool = Field(
        False, description="start from a uniform point of the ball rather than from the clean image"
    )
    restarts: PositiveInt = Field(
        1,
        description="attempts for each image, of which the one with the highest loss counts; above 1 needs `random_start`",
    )
    loss: Literal["cross_entropy", "margin"] = Field(
        "cross_entropy",
        description="what is maximised: `cross_entropy`, or `margin`, the highest wrong logit minus the true one",
    )

    @model_validator(mode="after")
    def _restarts_differ(self) -> Adversarial:
        if self.restarts > 1 and not self.random_start:
            raise ValueError("restarts above 1 repeat the same attack unless random_start is true")
        return self

    def in_words(self) -> str:
        """The ball, the number of steps, and where they start."""
        start = f"{self.restarts} random starts" if self.restarts > 1 else "a random start"
        return f"{super().in_words()} from {start if self.random_start else 'the clean image'}"

    def logits(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Logits [B, K] of the adversarial examples."""
        return model(self.attack(model, images, labels, generator))

    def attack(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Adversarial examples [B, C, H, W] in [0, 1]: of all restarts, the one with the highest loss for each image."""
        import torch

        from robustmia.models.perturbations import Ball, cross_entropy_loss, margin_loss, pgd, predict

        objective = {"cross_entropy": cross_entropy_loss, "margin": margin_loss}[self.loss](labels)
        worst, worst_loss = images, torch.full((len(images),), -torch.inf, device=images.device)
        for _ in range(self.restarts):
            attempt = pgd(
                model,
                images,
                objective,
                Ball(self.norm, self.epsilon),
                steps=self.steps,
                step_size=self.resolved_step_size,
                start="uniform" if self.random_start else "clean",
                generator=generator,
            )
            if self.restarts == 1:
                return attempt
            loss = objective(predict(model, attempt))
            worst = torch.where((loss > worst_loss).view(-1, 1, 1, 1), attempt, worst)
            worst_loss = torch.maximum(worst_loss, loss)
        return worst
