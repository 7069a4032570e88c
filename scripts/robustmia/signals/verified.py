"""The verified signal: the worst logits that the model can be shown not to exceed anywhere in a ball around each image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, field_validator

from robustmia.settings import LinfThreatModel
from robustmia.signals.base import Signal

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

    from robustmia.files.signals import VerifiedBounds


Verifier = Literal["interval", "zonotope", "interval_dual", "dual", "crown_interval", "crown", "alpha_crown"]
"""The names of `robustmia.bounds.verifiers.VERIFIERS`."""


class Verified(Signal, LinfThreatModel):
    """Upper bounds of z_k - z_y over an l-inf ball, by each of several verifiers; the lowest of them counts."""

    name: Literal["verified"]
    clip_pixels: bool = Field(True, description="cut the ball to pixels in [0, 1]")
    verifiers: tuple[Verifier, ...] = Field(
        ("interval", "interval_dual"),
        min_length=1,
        description="`interval`, `zonotope`, `interval_dual`, `dual`, `crown_interval`, `crown` and `alpha_crown`; docs/bounds.md says what each costs",
    )
    memory_mib: PositiveInt = Field(
        32,
        description="MiB that a verifier's intermediate results may take at a time; empty: the data set's `resources.verifier_memory_mib`",
    )

    @field_validator("verifiers")
    @classmethod
    def _distinct(cls, verifiers: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(verifiers)) < len(verifiers):
            raise ValueError("a verifier is given twice")
        return verifiers

    def in_words(self) -> str:
        """The ball, and the verifiers."""
        clipped = ", cut to valid pixels" if self.clip_pixels else ""
        verifiers = [name.replace("_", " ") for name in self.verifiers]
        tightest = f"the tightest bound of {', '.join(verifiers)}" if len(verifiers) > 1 else f"{verifiers[0]} bounds"
        return f"the l-inf ball of radius {self.epsilon:g}{clipped}, {tightest}"

    def logits(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Bounds by each verifier, [B, V, K], 0 at the true class."""
        import torch

        from robustmia.bounds.interval import Interval
        from robustmia.bounds.verifiers import VERIFIERS

        ball, memory = Interval.around(images, self.epsilon, self.clip_pixels), self.memory_mib * 2**20
        bounds = torch.stack([VERIFIERS[name](model, ball, labels, memory) for name in self.verifiers], dim=1)
        largest = torch.finfo(bounds.dtype).max  # where a deep network's bounds overflow, nothing is known
        true_class = labels.view(-1, 1, 1).expand(-1, len(self.verifiers), 1)
        return bounds.nan_to_num(nan=largest, posinf=largest, neginf=largest).scatter(2, true_class, 0.0)

    def file(self, members: np.ndarray, nonmembers: np.ndarray, *labels: np.ndarray) -> VerifiedBounds:
        """The file with the bounds of every verifier, and the lowest."""
        import numpy as np

        from robustmia.files.signals import SignalLogits, VerifiedBounds

        lowest = SignalLogits(members.min(axis=1), nonmembers.min(axis=1), *labels)
        return VerifiedBounds(
            **vars(lowest),
            verifiers=np.array(self.verifiers),
            members_by_verifier=members,
            nonmembers_by_verifier=nonmembers,
        )
