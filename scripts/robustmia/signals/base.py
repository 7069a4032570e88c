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

    from robustmia.logits import SignalLogits


class Signal(Settings):
    """What the attacker sees of a record. A subclass declares its settings as fields, `name` among them."""

    strong: ClassVar[bool] = False
    """Whether only the strong attacks ask for it, since it is dear."""

    name: str

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
        from robustmia.logits import SignalLogits

        return SignalLogits(members, nonmembers, *labels)
