"""Natural training: cross-entropy on clean images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from robustmia.methods.base import LABEL_SMOOTHING, Method, Progress, Step
from robustmia.settings import Fraction

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators


class Natural(Method):
    """Training without a defense: the baseline that every defense is compared with."""

    name: Literal["natural"]
    label_smoothing: Fraction = LABEL_SMOOTHING

    @property
    def batchable(self) -> bool:
        return True

    @property
    def trains_privately(self) -> bool:
        return not self.label_smoothing

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """Mean cross-entropy of the clean images."""
        from torch.nn.functional import cross_entropy

        logits = model(images)
        loss = cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return Step(loss, clean=(logits, labels), trained_on=(images, labels))
