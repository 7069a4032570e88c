"""The paper's network for Yale Face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robustmia.models.networks.base import ImageShape, Network
from robustmia.settings import LayerSize

if TYPE_CHECKING:
    from torch import nn


class YaleNet(Network):
    """The paper's Yale Face network: eight convolutions of width to 8 width channels and a hidden layer of 200."""

    name: Literal["yale_net"]
    width: LayerSize = Field(8, description="channels of the first convolution; the paper has 8")

    def layers(self, image: ImageShape, classes: int) -> nn.Module:
        """Four pairs of convolutions of w, 2 w, 4 w and 8 w channels, the second of each pair with stride 2."""
        from robustmia.models.networks.layers import plain_network

        convolutions = [(self.width * 2**pair, stride) for pair in range(4) for stride in (1, 2)]
        return plain_network(image, classes, convolutions, hidden=200)
