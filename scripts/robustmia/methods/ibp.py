"""Training with interval bound propagation (Gowal et al. 2018, arXiv 1810.12715)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat

from robustmia.methods.base import Method, Progress, RampSettings, Step
from robustmia.settings import Fraction

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.device import Generators


class IBP(Method):
    """kappa L(z, y) + (1 - kappa) L(b, y), with b the interval bounds of z_k - z_y (equation 12)."""

    name: Literal["ibp"]
    epsilon: NonNegativeFloat = Field(description="radius of the l-inf ball at the end of the ramp")
    clip_pixels: bool = Field(True, description="cut the ball to pixels in [0, 1]")
    ramp: RampSettings = Field(RampSettings(), description="rise of epsilon and of the bounds' weight from 0")
    nominal_weight: Fraction = Field(
        0.5, description="kappa, the weight of the clean loss, after the ramp; it starts at 1"
    )

    @property
    def verifier(self) -> str:
        return "interval"

    @property
    def settled_after(self) -> float:
        return self.ramp.end

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """Cross-entropy of clean logits and of the bounds, weighted; before the ramp of clean logits alone."""
        from torch.nn.functional import cross_entropy

        from robustmia.bounds.interval import Interval, interval_bounds

        logits = model(images)
        clean_loss, risen = cross_entropy(logits, labels), self.ramp.at(progress.epoch)
        if not risen:
            return Step(clean_loss, clean=(logits, labels))
        bounds = interval_bounds(model, Interval.around(images, risen * self.epsilon, self.clip_pixels), labels)
        verified_weight = risen * (1.0 - self.nominal_weight)
        loss = (1.0 - verified_weight) * clean_loss + verified_weight * cross_entropy(bounds, labels)
        return Step(loss, clean=(logits, labels), verified=(bounds, labels))
