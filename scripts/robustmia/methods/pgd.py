"""Adversarial training with projected gradient descent (Madry et al. 2018, arXiv 1706.06083)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat

from robustmia.methods.base import Method, Progress, Step
from robustmia.settings import Fraction, PerturbationSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.device import Generators


class PGD(Method, PerturbationSettings):
    """Cross-entropy on PGD examples: min over theta of E max over |delta| <= epsilon of L(x + delta, y) (equation 2.1)."""

    name: Literal["pgd"]
    random_start: bool = Field(True, description="start each attack from a uniform point of the ball")
    adversarial_fraction: Fraction = Field(
        1.0, description="part of each batch that is made adversarial; the rest stays clean"
    )
    epsilon_warmup_epochs: NonNegativeFloat = Field(0.0, description="epochs over which epsilon rises linearly from 0")

    @property
    def settled_after(self) -> float:
        return self.epsilon_warmup_epochs

    @property
    def stackable(self) -> bool:
        return self.adversarial_fraction == 1.0

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """Mean cross-entropy of the batch, its first `adversarial_fraction` replaced by PGD examples."""
        import torch
        from torch.nn.functional import cross_entropy

        from robustmia.attacks import Ball, cross_entropy_loss, pgd

        scale = min(1.0, progress.epoch / self.epsilon_warmup_epochs) if self.epsilon_warmup_epochs else 1.0
        count = round(self.adversarial_fraction * len(images))
        adversarial = pgd(
            model,
            images[:count],
            cross_entropy_loss(labels[:count]),
            Ball(self.norm, scale * self.epsilon),
            steps=self.steps,
            step_size=scale * self.resolved_step_size,
            start="uniform" if self.random_start else "clean",
            generator=generator,
        )
        logits = model(torch.cat([adversarial, images[count:]]))
        return Step(
            cross_entropy(logits, labels),
            clean=(logits[count:], labels[count:]) if count < len(images) else None,
            adversarial=(logits[:count], labels[:count]) if count else None,
        )
