"""Training with dual bounds (Wong and Kolter 2018, arXiv 1711.00851; Wong et al. 2018, arXiv 1805.12514)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from robustmia.methods.base import Method, Progress, Step

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.device import Generators


class Duality(Method):
    """L(b, y), with b the dual bounds of z_k - z_y: the cross-entropy of the worst logits (equation 14 of the first paper)."""

    name: Literal["duality"]
    epsilon: NonNegativeFloat = Field(description="radius of the l-inf ball at the end of its rise")
    clip_pixels: bool = Field(True, description="cut the ball to pixels in [0, 1]")
    starting_epsilon: NonNegativeFloat = Field(0.0, description="radius in the first epoch of the rise")
    rise_epochs: PositiveInt = Field(
        1, description="epochs over which the radius takes equally spaced values up to epsilon, one for each epoch"
    )
    projections: PositiveInt | None = Field(
        10, description="Cauchy projections that estimate norms while training; empty: exact norms, far slower"
    )

    @model_validator(mode="after")
    def _rises(self) -> Duality:
        if self.rise_epochs == 1 and "starting_epsilon" in self.model_fields_set:
            raise ValueError("starting_epsilon has no effect unless rise_epochs is 2 or more")
        return self

    @property
    def verifier(self) -> str:
        return "dual"

    @property
    def settled_after(self) -> float:
        return self.rise_epochs - 1

    def radius_at(self, epoch: float) -> float:
        """The radius in force: the same throughout an epoch."""
        risen = min(1.0, int(epoch) / (self.rise_epochs - 1)) if self.rise_epochs > 1 else 1.0
        return self.starting_epsilon + risen * (self.epsilon - self.starting_epsilon)

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """Mean cross-entropy of the bounds; there is no clean term."""
        import torch
        from torch.nn.functional import cross_entropy

        from robustmia.bounds.dual import dual_bounds, projected_dual_bounds
        from robustmia.bounds.interval import Interval

        ball = Interval.around(images, self.radius_at(progress.epoch), self.clip_pixels)
        if self.projections is None:
            bounds = dual_bounds(model, ball, labels)
        else:
            assert isinstance(generator, torch.Generator)  # it is not stackable
            bounds = projected_dual_bounds(model, ball, labels, self.projections, generator)
        return Step(cross_entropy(bounds, labels), verified=(bounds, labels))
