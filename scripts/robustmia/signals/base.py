"""What a signal is: its settings, and the logits that it shows the attacker for a batch.

Like methods, signal modules import torch inside their functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from robustmia.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

    from robustmia.files.signals import SignalLogits


class Signal(Settings):
    """What the attacker sees of a record. A subclass declares its settings as fields, `name` among them."""

    one_attack_per_class: ClassVar[bool] = False
    """Whether its cost for a record rises with the number of classes; an audit leaves it out where there are many."""

    name: str

    def stays_within(self, epsilon: float) -> bool:
        """Whether the logits are those of images in the l-inf ball of this radius, cut to valid pixels, around each record.

        If so, inference holds them against the verified bounds for that ball.
        """
        return False

    def in_words(self) -> str:
        """The settings as a part of a sentence, for notes and captions."""
        return self.name

    def for_model(self, model: nn.Module, images: Tensor, own_verifier: str | None) -> Signal:
        """The signal as it is computed for one model.

        Args:
            model: the target model, in evaluation mode.
            images: some of its records, [B, C, H, W] in [0, 1].
            own_verifier: the verifier that it was trained with, if it was.

        Raises:
            UserError: it cannot be computed for this model.
        """
        return self

    def logits(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """The signal of one batch.

        Args:
            model: the target model, in evaluation mode; it returns logits [B, K].
            images: [B, C, H, W] in [0, 1].
            labels: [B], in 0..K-1.
            generator: the source of every random number, on the images' device.

        Returns:
            [B, K], or what `file` makes [N, K] of.
        """
        raise TypeError(f"{type(self).__name__} does not define logits()")

    def file(self, members: np.ndarray, nonmembers: np.ndarray, *labels: np.ndarray) -> SignalLogits:
        """The file of this signal, from what `logits` gave for all members and non-members, and their labels."""
        from robustmia.files.signals import SignalLogits

        return SignalLogits(members, nonmembers, *labels)
