"""The paper's network for Fashion-MNIST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robustmia.models.networks.base import ImageShape, Network
from robustmia.settings import LayerSize

if TYPE_CHECKING:
    from torch import nn


class FashionMNISTNet(Network):
    """The paper's Fashion-MNIST network: six convolutions of width and 2 width channels and a hidden layer of 200."""

    name: Literal["fashion_mnist_net"]
    width: LayerSize = Field(256, description="channels of the first convolution; the paper has 256")

    def layers(self, image: ImageShape, classes: int) -> nn.Module:
        """Three convolutions of w and three of 2 w channels, the last of each three with stride 2."""
        from robustmia.models.networks.layers import plain_network

        convolutions = [(self.width * 2**group, stride) for group in range(2) for stride in (1, 1, 2)]
        return plain_network(image, classes, convolutions, hidden=200)
