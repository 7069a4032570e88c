"""Training with interval bound propagation (Gowal et al. 2018, arXiv 1810.12715)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robustmia.methods.base import BallMethod, Progress, Step
from robustmia.settings import Fraction, LinfThreatModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators


class IBP(LinfThreatModel, BallMethod):
    """kappa L(z, y) + (1 - kappa) L(b, y), with b the interval bounds of z_k - z_y (equation 12).

    kappa falls from 1 while epsilon rises.
    """

    name: Literal["ibp"]
    clip_pixels: bool = Field(True, description="cut the ball to pixels in [0, 1]")
    nominal_weight: Fraction = Field(
        0.5, description="kappa, the weight of the clean loss, once epsilon has risen; it falls to this from 1"
    )

    @property
    def verifier(self) -> str:
        return "interval"

    @property
    def batchable(self) -> bool:
        return True

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """Cross-entropy of clean logits and of the bounds, weighted; until epsilon begins to rise, of clean logits alone."""
        from torch.nn.functional import cross_entropy

        from robustmia.models.ensemble import for_each

        logits = model(images)
        clean_loss, risen = cross_entropy(logits, labels), self.epsilon_schedule.fraction(progress.epoch)
        if not risen:
            return Step(clean_loss, clean=(logits, labels))
        bounds = for_each(model, partial(self._bounds, self.epsilon_at(progress.epoch)), images, labels)
        verified_weight = risen * (1.0 - self.nominal_weight)
        loss = (1.0 - verified_weight) * clean_loss + verified_weight * cross_entropy(bounds, labels)
        return Step(loss, clean=(logits, labels), verified=(bounds, labels))

    def _bounds(self, epsilon: float, network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        from robustmia.bounds.interval import Interval, interval_bounds

        return interval_bounds(network, Interval.around(images, epsilon, self.clip_pixels), labels)
