"""A small network for 8 x 8 digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robustmia.models.networks.base import ImageShape, Network
from robustmia.settings import LayerSize

if TYPE_CHECKING:
    from torch import nn


class SmallCNN(Network):
    """Two convolutions and a hidden layer: enough for 8 x 8 digits."""

    name: Literal["small_cnn"]
    width: LayerSize = Field(32, description="channels of the first convolution")

    def layers(self, image: ImageShape, classes: int) -> nn.Module:
        """Convolutions of w and 2 w channels, the second with stride 2, and a hidden layer of 4 w."""
        from robustmia.models.networks.layers import plain_network

        return plain_network(image, classes, [(self.width, 1), (2 * self.width, 2)], hidden=4 * self.width)
