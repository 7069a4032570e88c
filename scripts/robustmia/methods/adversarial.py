"""What the methods that train on PGD examples have in common: the ball, and the steps in it, at the current epsilon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.methods.base import BallMethod, Progress
from robustmia.settings import PerturbationSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators
    from robustmia.models.perturbations import Objective, Start


class AdversarialMethod(BallMethod, PerturbationSettings):
    """A method that trains on what PGD finds in the ball. Steps grow with the ball."""

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
