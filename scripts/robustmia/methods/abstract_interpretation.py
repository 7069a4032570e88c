"""Training with abstract interpretation (DiffAI: Mirman, Gehr and Vechev 2018, ICML)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat

from robustmia.methods.base import Method, Progress, RampSettings, Step

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.device import Generators


class AbstractInterpretation(Method):
    """(L(z, y) + w softplus(max(-1, max over k != y of b_k))) / (1 + w), with b bounds of z_k - z_y in an abstract domain.

    The loss is the one that Song et al. 2019 trained with; the domain of boxes bounds z_k and z_y apart, as DiffAI does.
    """

    name: Literal["abstract_interpretation"]
    epsilon: NonNegativeFloat = Field(description="radius of the l-inf ball at the end of the ramp")
    clip_pixels: bool = Field(False, description="cut the ball to pixels in [0, 1]; the paper does not")
    domain: Literal["interval", "zonotope"] = Field(
        "interval",
        description="`interval`, the paper's Box, or `zonotope`, tighter, at the cost of a pass for each pixel",
    )
    warmup_epochs: NonNegativeFloat = Field(0.0, description="epochs with the clean loss alone")
    ramp: RampSettings = Field(RampSettings(), description="rise of epsilon from 0; it may begin in the warm-up")
    verified_weight: NonNegativeFloat = Field(0.2, description="w, against a weight of 1 for the clean loss")

    @property
    def verifier(self) -> str:
        return self.domain

    @property
    def settled_after(self) -> float:
        return max(self.warmup_epochs, self.ramp.end)

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """The weighted mean of both losses; in the warm-up the clean one."""
        from torch.nn.functional import cross_entropy, one_hot, softplus

        logits = model(images)
        clean_loss = cross_entropy(logits, labels)
        if progress.epoch < self.warmup_epochs:
            return Step(clean_loss, clean=(logits, labels))
        bounds = self._bounds(model, images, labels, self.ramp.at(progress.epoch) * self.epsilon)
        worst = bounds.masked_fill(one_hot(labels, bounds.shape[1]).bool(), float("-inf")).amax(1)
        robust_loss = softplus(worst.clamp(min=-1.0)).mean()
        loss = (clean_loss + self.verified_weight * robust_loss) / (1.0 + self.verified_weight)
        return Step(loss, clean=(logits, labels), verified=(bounds, labels))

    def _bounds(self, model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
        from robustmia.bounds.interval import Interval, logit_bounds
        from robustmia.bounds.zonotope import zonotope_bounds

        ball = Interval.around(images, epsilon, self.clip_pixels)
        if self.domain == "zonotope":
            return zonotope_bounds(model, ball, labels)
        box = logit_bounds(model, ball)
        true_class = labels.unsqueeze(1)
        return (box.high - box.low.gather(1, true_class)).scatter(1, true_class, 0.0)
