"""Schedules of the learning rate, listed in `robustmia.config.registry`."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, PositiveFloat, model_validator

from robustmia.settings import Fraction, OpenFraction, Settings


class Schedule(Settings):
    """What the learning rate is multiplied with. A subclass declares its settings as fields, `name` among them."""

    name: str

    def factor(self, epoch: float, epochs: int) -> float:
        """The factor at a step.

        Args:
            epoch: epochs done so far, fractions included.
            epochs: epochs in all.
        """
        raise TypeError(f"{type(self).__name__} does not define factor()")


class Constant(Schedule):
    """The same learning rate throughout."""

    name: Literal["constant"]

    def factor(self, epoch: float, epochs: int) -> float:
        """1."""
        return 1.0


class Piecewise(Schedule):
    """A factor that changes at given epochs."""

    name: Literal["piecewise"]
    epochs: tuple[PositiveFloat, ...] = Field(description="epochs, rising, after which the next factor holds")
    factors: tuple[PositiveFloat, ...] = Field(
        description="the factor after each of those epochs; before the first it is 1"
    )

    @model_validator(mode="after")
    def _match(self) -> Piecewise:
        if len(self.epochs) != len(self.factors):
            raise ValueError(f"{len(self.epochs)} epochs need as many factors, not {len(self.factors)}")
        if list(self.epochs) != sorted(set(self.epochs)):
            raise ValueError("epochs must rise")
        return self

    def factor(self, epoch: float, epochs: int) -> float:
        """The factor of the last boundary passed."""
        passed = sum(epoch >= boundary for boundary in self.epochs)
        return self.factors[passed - 1] if passed else 1.0


class Cosine(Schedule):
    """From 1 to 0 along half a cosine."""

    name: Literal["cosine"]

    def factor(self, epoch: float, epochs: int) -> float:
        """(1 + cos(pi epoch / epochs)) / 2 (Loshchilov and Hutter 2017)."""
        return 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))


class OneCycle(Schedule):
    """Linear from `start` to 1 at `peak`, then linear to 0 (Smith 2018)."""

    name: Literal["one_cycle"]
    start: Fraction = Field(0.1, description="the factor at the first step")
    peak: OpenFraction = Field(0.3, description="where the factor is 1, as a fraction of the training")

    def factor(self, epoch: float, epochs: int) -> float:
        """Two straight lines."""
        done = epoch / epochs
        if done < self.peak:
            return self.start + (1.0 - self.start) * done / self.peak
        return (1.0 - done) / (1.0 - self.peak)
