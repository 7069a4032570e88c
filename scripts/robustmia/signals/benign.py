"""The benign signal: logits of the clean images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from robustmia.signals.base import Signal

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Benign(Signal):
    """Logits of the clean images."""

    name: Literal["benign"]

    def stays_within(self, epsilon: float) -> bool:
        """The images are not moved at all."""
        return True

    def logits(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Logits [B, K] of the images as they are."""
        return model(images)
