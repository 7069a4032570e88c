"""What a training method is: its settings, and a loss for a batch.

Method modules import torch inside their functions only, so that the Snakefile can read their settings without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from robustmia.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass(frozen=True)
class Progress:
    """Where the training stands when a batch is met."""

    epoch: float
    """Epochs done so far, fractions included: 2.5 is the middle of the third epoch."""
    epochs: int
    """Epochs in all."""


@dataclass(frozen=True)
class Step:
    """What a method makes of a batch of B images and K classes."""

    loss: Tensor
    """The scalar to minimise."""
    clean: tuple[Tensor, Tensor] | None = None
    """Logits [b, K] and labels [b] of the clean images that the loss saw, for the progress report; None: it saw none."""
    adversarial: tuple[Tensor, Tensor] | None = None
    """The same for adversarial images."""


class Method(Settings):
    """A way of training. A subclass declares its settings as fields, `name` among them, and its loss."""

    name: str

    def loss(
        self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: torch.Generator
    ) -> Step:
        """The loss of one batch.

        Args:
            model: the network, in training mode; it returns logits [B, K].
            images: [B, C, H, W] in [0, 1].
            labels: [B], in 0..K-1.
            progress: where the training stands, for schedules.
            generator: the source of every random number, on the images' device.
        """
        raise TypeError(f"{type(self).__name__} does not define loss()")
