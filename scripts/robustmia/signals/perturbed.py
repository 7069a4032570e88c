"""What the signals of perturbed images have in common."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from robustmia.settings import NORM_NAMES, PerturbationSettings, written_length
from robustmia.signals.base import Signal


class PerturbedSignal(Signal, PerturbationSettings):
    """A signal of images that were moved within a ball. The default is the paper's number of steps."""

    steps: PositiveInt = Field(20, description="gradient steps")

    def stays_within(self, epsilon: float) -> bool:
        """Perturbed images keep valid pixels, and an l2 ball lies in the l-inf ball of its radius."""
        return self.epsilon <= epsilon

    def in_words(self) -> str:
        """The ball and the number of steps."""
        return f"PGD in the {NORM_NAMES[self.norm]} ball of radius {written_length(self.epsilon)}, {self.steps} steps"
