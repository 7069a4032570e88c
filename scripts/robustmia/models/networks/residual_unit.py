"""The unit of wide residual networks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu

from robustmia.models.networks.layers import convolution


class ResidualUnit(nn.Module):
    """Pre-activation unit: x + conv(relu(bn(conv(a)))) with a = relu(bn(x)); where the shape changes, a 1 x 1 convolution of a
    stands for x.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, outputs, stride, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, bias=False)
        self.shortcut = convolution(inputs, outputs, stride, kernel=1, bias=False) if inputs != outputs else None

    def forward(self, images: Tensor) -> Tensor:
        activated = relu(self.norm1(images))
        shortcut = images if self.shortcut is None else self.shortcut(activated)
        return shortcut + self.conv2(relu(self.norm2(self.conv1(activated))))
