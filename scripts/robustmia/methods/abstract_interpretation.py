"""Training with abstract interpretation (DiffAI: Mirman, Gehr and Vechev 2018, ICML)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat

from robustmia.methods.base import BallMethod, Progress, Step
from robustmia.settings import LinfThreatModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators


class AbstractInterpretation(LinfThreatModel, BallMethod):
    """(L(z, y) + w softplus(max(-1, max over k != y of b_k))) / (1 + w), with b bounds of z_k - z_y by boxes.

    The loss is the one that Song et al. 2019 trained with; boxes bound z_k and z_y apart, as DiffAI does. Their w is constant. On faces of
    48 x 42 pixels and eight narrow convolutions this made the network answer the same for every image, since the boxes are so large at
    first; a w that rises with epsilon did not.
    """

    name: Literal["abstract_interpretation"]
    clip_pixels: bool = Field(False, description="cut the ball to pixels in [0, 1]; the paper does not")
    clean_epochs: NonNegativeFloat = Field(
        0.0, description="epochs with the clean loss alone; epsilon may begin to rise in them"
    )
    verified_weight: NonNegativeFloat = Field(0.2, description="w, against a weight of 1 for the clean loss")
    weight_rises: bool = Field(False, description="let w rise from 0 as epsilon does; the paper does not")

    @property
    def verifier(self) -> str:
        return "interval"

    @property
    def batchable(self) -> bool:
        return True

    @property
    def warmup_ends(self) -> float:
        return max(self.clean_epochs, super().warmup_ends)

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """The weighted mean of both losses; in the first `clean_epochs` the clean one."""
        from torch.nn.functional import cross_entropy, one_hot, softplus

        from robustmia.models.ensemble import for_each

        logits = model(images)
        clean_loss = cross_entropy(logits, labels)
        if progress.epoch < self.clean_epochs:
            return Step(clean_loss, clean=(logits, labels))
        weight = self.verified_weight
        if self.weight_rises:
            weight *= self.epsilon_schedule.fraction(progress.epoch)
        bounds = for_each(model, partial(self._bounds, self.epsilon_at(progress.epoch)), images, labels)
        worst = bounds.masked_fill(one_hot(labels, bounds.shape[1]).bool(), float("-inf")).amax(1)
        robust_loss = softplus(worst.clamp(min=-1.0)).mean()
        loss = (clean_loss + weight * robust_loss) / (1.0 + weight)
        return Step(loss, clean=(logits, labels), verified=(bounds, labels))

    def _bounds(self, epsilon: float, network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        from robustmia.bounds.interval import Interval, logit_bounds

        box = logit_bounds(network, Interval.around(images, epsilon, self.clip_pixels))
        true_class = labels.unsqueeze(1)
        return (box.high - box.low.gather(1, true_class)).scatter(1, true_class, 0.0)
