"""What the methods that train on PGD examples have in common: the ball, and the steps in it, at the current epsilon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeFloat

from robustmia.methods.base import BallMethod, Progress
from robustmia.settings import PerturbationSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators
    from robustmia.models.perturbations import Objective, Start


class AdversarialMethod(BallMethod, PerturbationSettings):
    """A method that trains on what PGD finds in the ball. Steps grow with the ball."""

    weight_perturbation: NonNegativeFloat = Field(
        0.0,
        description="of adversarial weight perturbation (Wu et al. 2020): length of the perturbation of each layer's weights, in norms of these weights; "
        "0: none; theirs: 0.005 to 0.01",
    )
    loss_variance: NonNegativeFloat = Field(
        0.0,
        description="of DeMem (Luo and Li 2024): weight of the variance of the images' adversarial cross-entropies in a batch; 0: none; theirs: 0.2 to 0.6",
    )

    @property
    def batchable(self) -> bool:
        return not self.weight_perturbation

    def variance_penalty(self, model: nn.Module, logits: Tensor, labels: Tensor) -> Tensor | float:
        """What DeMem adds to the loss (arXiv 2412.05767; the formula is that of the code that its first author published).

        Args:
            logits: [B, K], of adversarial images; there may be none.
            labels: [B].
        """
        if not self.loss_variance or not len(labels):
            return 0.0
        from torch.nn.functional import cross_entropy

        from robustmia.models.ensemble import shares_of

        losses = shares_of(model, cross_entropy(logits, labels, reduction="none"))
        return self.loss_variance * losses.var(dim=1, correction=min(1, losses.shape[1] - 1)).mean()

    def perturb(
        self,
        model: nn.Module,
        images: Tensor,
        objective: Objective,
        start: Start,
        progress: Progress,
        generator: Generators,
    ) -> Tensor:
        """PGD examples [B, C, H, W] at the current training epsilon; arguments as for `pgd`."""
        from robustmia.models.perturbations import Ball, pgd

        epsilon = self.epsilon_at(progress.epoch)
        return pgd(
            model,
            images,
            objective,
            Ball(self.norm, epsilon),
            steps=self.steps,
            step_size=self.resolved_step_size * (epsilon / self.epsilon if self.epsilon else 1.0),
            start=start,
            generator=generator,
        )
