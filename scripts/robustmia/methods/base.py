"""What a training method is: its settings, and a loss for a batch.

Method modules import torch inside their functions only, so that the Snakefile can read their settings without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeFloat

from robustmia.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.device import Generators


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
    verified: tuple[Tensor, Tensor] | None = None
    """Upper bounds of z_k - z_y, [b, K] with 0 at y, in place of logits: the highest is at y where a record is verified.

    In the ball of the moment, and estimates where the method trains with those: for the progress report, no certificate.
    """


class RampSettings(Settings):
    """A rise from 0 to 1, linear in training steps."""

    start: NonNegativeFloat = Field(0.0, description="epochs before the rise")
    length: NonNegativeFloat = Field(0.0, description="epochs of the rise; 0: at once")

    @property
    def end(self) -> float:
        """Epochs until it stands at 1."""
        return self.start + self.length

    def at(self, epoch: float) -> float:
        """Where it stands, in [0, 1], after so many epochs, fractions included."""
        if epoch < self.start:
            return 0.0
        return min(1.0, (epoch - self.start) / self.length) if self.length else 1.0


class Method(Settings):
    """A way of training. A subclass declares its settings as fields, `name` among them, and its loss."""

    name: str

    @property
    def verifier(self) -> str | None:
        """The bound that the method trains with, which is its own verifier; None: it gives no certificate."""
        return None

    @property
    def settled_after(self) -> float:
        """Epochs after which the settings hold in full: the training must be longer."""
        return 0.0

    @property
    def stackable(self) -> bool:
        """Whether the loss is a mean over images, each by itself, of nothing but the model's answers: see `stacks`."""
        return False

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """The loss of one batch.

        Args:
            model: the network, in training mode; it returns logits [B, K].
            images: [B, C, H, W] in [0, 1].
            labels: [B], in 0..K-1.
            progress: where the training stands, for schedules.
            generator: the source of every random number, on the images' device.
        """
        raise TypeError(f"{type(self).__name__} does not define loss()")
