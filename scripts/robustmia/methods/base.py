"""What a training method is: its settings, and a loss for a batch.

Method modules import torch inside their functions only, so that the Snakefile can read their settings without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from robustmia.settings import Length, Settings, ThreatModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators


LABEL_SMOOTHING = Field(
    0.0, description="part of each label that is spread over all classes (Szegedy et al. 2016); 0: none"
)


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
    """Logits [b, K] and labels [b] of the clean images in the loss, for the training history; None: there were none."""
    adversarial: tuple[Tensor, Tensor] | None = None
    """The same for adversarial images."""
    verified: tuple[Tensor, Tensor] | None = None
    """Upper bounds of z_k - z_y, [b, K] with 0 at y, in place of logits: the highest is at y where a record is verified.

    At the current training epsilon, and estimates where the method trains with those: for the history, no certificate.
    """
    trained_on: tuple[Tensor, Tensor] | None = None
    """Images [B, C, H, W] and labels [B], where the loss is the mean of their cross-entropies and nothing else; else None."""


class Method(Settings):
    """A way of training. A subclass declares its settings as fields, `name` among them, and its loss."""

    name: str

    @property
    def verifier(self) -> str | None:
        """The verifier whose bounds the method trains with; None: it trains with no bounds."""
        return None

    @property
    def warmup_ends(self) -> float:
        """Epochs after which every setting holds in full: the training must be longer."""
        return 0.0

    @property
    def batchable(self) -> bool:
        """Whether several models may be trained at once: the loss is a mean over images, and whatever concerns all images of a model, or
        more of it than its answers, goes through the functions of `models/ensemble.py`.
        """
        return False

    @property
    def trains_privately(self) -> bool:
        """Whether it can be trained with differential privacy: its steps say what they are `trained_on`."""
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


class EpsilonSchedule(Settings):
    """How the radius of the training ball rises to epsilon, linearly in time."""

    start_epoch: NonNegativeFloat = Field(0.0, description="epochs before the radius begins to rise")
    rise_epochs: NonNegativeFloat = Field(0.0, description="epochs of the rise; 0: the full radius at once")
    initial_epsilon: Length = Field(0.0, description="radius until the rise begins, for pixels in [0, 1]")
    update: Literal["step", "epoch"] = Field("step", description="when the radius changes: at every `step` or `epoch`")

    @model_validator(mode="after")
    def _rises_from_somewhere(self) -> EpsilonSchedule:
        if self.initial_epsilon and not self.rise_epochs:
            raise ValueError("initial_epsilon has no effect unless rise_epochs is above 0")
        return self

    @property
    def end(self) -> float:
        """Epochs until the full radius is reached."""
        end = self.start_epoch + self.rise_epochs
        return float(math.ceil(end)) if self.update == "epoch" else end

    def fraction(self, epoch: float) -> float:
        """How much of the rise is done, in [0, 1], after so many epochs, fractions included."""
        if self.update == "epoch":
            epoch = math.floor(epoch)
        if epoch < self.start_epoch:
            return 0.0
        return min(1.0, (epoch - self.start_epoch) / self.rise_epochs) if self.rise_epochs else 1.0


class BallMethod(Method, ThreatModel):
    """A method that trains against the ball of a threat model."""

    epsilon_schedule: EpsilonSchedule = Field(EpsilonSchedule(), description="how epsilon rises while training")

    @model_validator(mode="after")
    def _rises(self) -> BallMethod:
        if self.epsilon_schedule.initial_epsilon > self.epsilon:
            raise ValueError(
                f"epsilon_schedule.initial_epsilon {self.epsilon_schedule.initial_epsilon:g} is above epsilon "
                f"{self.epsilon:g}; the radius can only rise"
            )
        return self

    @property
    def warmup_ends(self) -> float:
        return self.epsilon_schedule.end

    def epsilon_at(self, epoch: float) -> float:
        """The current training epsilon, after so many epochs, fractions included."""
        initial = self.epsilon_schedule.initial_epsilon
        return initial + self.epsilon_schedule.fraction(epoch) * (self.epsilon - initial)
