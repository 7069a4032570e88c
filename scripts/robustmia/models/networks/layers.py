"""Layers that several networks are built of."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from robustmia.models.networks.base import ImageShape


class Normalize(nn.Module):
    """(x - mean) / std for each channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


def normalized(body: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> nn.Sequential:
    """A network whose first layer normalises its input."""
    return nn.Sequential(OrderedDict(normalize=Normalize(mean, std), body=body))


def convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the size of its input at stride 1, with He initialisation by fan-out and biases 0."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=bias)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def plain_network(image: ImageShape, classes: int, convolutions: list[tuple[int, int]], hidden: int) -> nn.Sequential:
    """Convolutions given as (channels, stride), each with ReLU, then a hidden layer with ReLU, then the logits."""
    channels, height, width = image
    layers: list[nn.Module] = []
    for outputs, stride in convolutions:
        layers += [convolution(channels, outputs, stride), nn.ReLU()]
        channels, height, width = outputs, -(-height // stride), -(-width // stride)
    layers += [nn.Flatten(), nn.Linear(channels * height * width, hidden), nn.ReLU(), nn.Linear(hidden, classes)]
    return nn.Sequential(*layers)


def drop_before_last_layer(body: nn.Module, probability: float) -> None:
    """Put dropout (Srivastava et al. 2014) before the last linear layer of a network, in place."""
    path, last = [(name, layer) for name, layer in body.named_modules() if isinstance(layer, nn.Linear)][-1]
    parent, _, name = path.rpartition(".")
    setattr(body.get_submodule(parent), name, nn.Sequential(nn.Dropout(probability), last))
