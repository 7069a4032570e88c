"""Wide residual networks (Zagoruyko and Komodakis 2016, arXiv 1605.07146), the paper's network for CIFAR-10."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from robustmia.models.networks.base import ImageShape, Network
from robustmia.settings import LayerSize

if TYPE_CHECKING:
    from torch import nn


class WideResNet(Network):
    """A pre-activation wide residual network (Zagoruyko and Komodakis 2016)."""

    name: Literal["wide_resnet"]
    depth: LayerSize = Field(
        34,
        description="layers: 6 n + 4, as 16, 28 or 34; the paper has five units in each of three groups, which is 34",
    )
    width: LayerSize = Field(10, description="the widening factor; the paper has 10")

    @model_validator(mode="after")
    def _whole_units(self) -> WideResNet:
        if self.depth < 10 or (self.depth - 4) % 6:
            raise ValueError(f"depth {self.depth} is not 6 n + 4 (10, 16, 22, 28, 34, ...)")
        return self

    def layers(self, image: ImageShape, classes: int) -> nn.Module:
        """Three groups of n residual units with 16 w, 32 w and 64 w channels, then global average pooling."""
        from torch import nn

        from robustmia.models.networks.layers import convolution
        from robustmia.models.networks.residual_unit import ResidualUnit

        units, channels = (self.depth - 4) // 6, 16
        layers: list[nn.Module] = [convolution(image[0], channels, bias=False)]
        for group, stride in enumerate((1, 2, 2)):
            for unit in range(units):
                outputs = 16 * self.width * 2**group
                layers.append(ResidualUnit(channels, outputs, stride if unit == 0 else 1))
                channels = outputs
        layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(channels, classes))
