"""Distributionally robust training (Sinha, Namkoong and Duchi 2018, arXiv 1710.10571)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from robustmia.methods.base import Method, Progress, Step

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators


class Distributional(Method):
    """Cross-entropy on images that a penalised adversary moves: sup over x' of L(x', y) - gamma c(x', x) (equation 2b).

    The transport cost is the l-inf variant that Song, Shokri and Mittal trained with; there is no hard ball.
    """

    name: Literal["distributional"]
    steps: PositiveInt = Field(10, description="ascent steps of the adversary")
    inverse_gamma: PositiveFloat = Field(
        description="1 / gamma, the weight of the loss against the transport cost: a higher one moves pixels further"
    )

    @property
    def batchable(self) -> bool:
        return True

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """Mean cross-entropy of the moved images."""
        from torch.nn.functional import cross_entropy

        from robustmia.models.perturbations import distributional_perturbation

        moved = distributional_perturbation(model, images, labels, steps=self.steps, inverse_gamma=self.inverse_gamma)
        logits = model(moved)
        return Step(cross_entropy(logits, labels), adversarial=(logits, labels))
