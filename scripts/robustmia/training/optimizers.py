"""Optimisers, listed in `robustmia.config.registry`. Free of torch until one is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from robustmia.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import nn


class Optimizer(Settings):
    """What every optimiser has. A subclass declares its settings as fields, `name` among them."""

    name: str
    learning_rate: PositiveFloat = Field(description="multiplied with the schedule's factor")

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of these parameters; the training loop sets the learning rate before each step."""
        raise TypeError(f"{type(self).__name__} does not define build()")


class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"]
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.9, description="momentum; 0: none")
    weight_decay: NonNegativeFloat = Field(0.0, description="L2 term added to the gradient of every parameter")

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """`torch.optim.SGD`."""
        import torch

        return torch.optim.SGD(
            parameters, self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay, fused=True
        )


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015)."""

    name: Literal["adam"]
    weight_decay: NonNegativeFloat = Field(
        0.0, description="L2 term added to the gradient of every parameter (coupled)"
    )

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """`torch.optim.Adam`."""
        import torch

        return torch.optim.Adam(parameters, self.learning_rate, weight_decay=self.weight_decay, fused=True)
