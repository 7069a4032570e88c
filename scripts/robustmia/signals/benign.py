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

    def logits(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """The model's answer to the images as they are."""
        return model(images)
