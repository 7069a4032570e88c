"""Training with dual bounds (Wong and Kolter 2018, arXiv 1711.00851; Wong et al. 2018, arXiv 1805.12514)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from robustmia.methods.base import BallMethod, Progress, Step
from robustmia.settings import LinfThreatModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators


class Duality(LinfThreatModel, BallMethod):
    """L(b, y), with b the dual bounds of z_k - z_y: the cross-entropy of the worst logits (equation 14 of the first paper)."""

    name: Literal["duality"]
    clip_pixels: bool = Field(True, description="cut the ball to pixels in [0, 1]")
    projections: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        10, description="Cauchy projections that estimate norms while training; empty: exact norms, far slower"
    )

    @property
    def verifier(self) -> str:
        return "dual"

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """Mean cross-entropy of the bounds; there is no clean term."""
        import torch
        from torch.nn.functional import cross_entropy

        from robustmia.bounds.crown import dual_bounds
        from robustmia.bounds.interval import Interval
        from robustmia.bounds.projections import projected_dual_bounds

        ball = Interval.around(images, self.epsilon_at(progress.epoch), self.clip_pixels)
        if self.projections is None:
            bounds = dual_bounds(model, ball, labels)
        else:
            assert isinstance(generator, torch.Generator)  # it is not batchable
            bounds = projected_dual_bounds(model, ball, labels, self.projections, generator)
        return Step(cross_entropy(bounds, labels), verified=(bounds, labels))
