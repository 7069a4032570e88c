"""Natural training: cross-entropy on clean images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from robustmia.methods.base import Method, Progress, Step

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators


class Natural(Method):
    """Training without a defense: the baseline that every defense is compared with."""

    name: Literal["natural"]

    @property
    def batchable(self) -> bool:
        return True

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """Mean cross-entropy of the clean images."""
        from torch.nn.functional import cross_entropy

        logits = model(images)
        return Step(cross_entropy(logits, labels), clean=(logits, labels))
