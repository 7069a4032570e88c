"""The networks of the paper, each defined once, and a small one for digits.

Every network maps images [B, C, H, W] with pixels in [0, 1] to logits [B, K]. The paper's repository has up to five
variants of each network, which differ in padding, bias and initialisation; this is the common one: padding 1, biases,
ReLU, He initialisation by fan-out for convolutions. All methods share it, so that they differ in the method alone.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.nn.functional import relu

from robustmia.errors import UserError
from robustmia.settings import (
    AnyNetworkSettings,
    FashionMNISTNetSettings,
    NetworkSettings,
    SmallCNNSettings,
    WideResNetSettings,
    YaleNetSettings,
)

ImageShape = tuple[int, int, int]
"""Channels, height, width."""

HIDDEN = 200  # units of the paper's hidden layer


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


def _convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=bias)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _plain_network(image: ImageShape, classes: int, convolutions: list[tuple[int, int]], hidden: int) -> nn.Sequential:
    """Convolutions given as (channels, stride), each with ReLU, then a hidden layer with ReLU, then the logits."""
    channels, height, width = image
    layers: list[nn.Module] = []
    for outputs, stride in convolutions:
        layers += [_convolution(channels, outputs, stride), nn.ReLU()]
        channels, height, width = outputs, -(-height // stride), -(-width // stride)
    layers += [nn.Flatten(), nn.Linear(channels * height * width, hidden), nn.ReLU(), nn.Linear(hidden, classes)]
    return nn.Sequential(*layers)


class ResidualUnit(nn.Module):
    """Pre-activation unit: x + conv(relu(bn(conv(a)))) with a = relu(bn(x)); where the shape changes, a 1 x 1 convolution of a
    stands for x.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = _convolution(inputs, outputs, stride, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = _convolution(outputs, outputs, bias=False)
        self.shortcut = _convolution(inputs, outputs, stride, kernel=1, bias=False) if inputs != outputs else None

    def forward(self, images: Tensor) -> Tensor:
        activated = relu(self.norm1(images))
        shortcut = images if self.shortcut is None else self.shortcut(activated)
        return shortcut + self.conv2(relu(self.norm2(self.conv1(activated))))


def _wide_resnet(image: ImageShape, classes: int, depth: int, width: int) -> nn.Sequential:
    units, channels = (depth - 4) // 6, 16
    layers: list[nn.Module] = [_convolution(image[0], channels, bias=False)]
    for group, stride in enumerate((1, 2, 2)):
        for unit in range(units):
            outputs = 16 * width * 2**group
            layers.append(ResidualUnit(channels, outputs, stride if unit == 0 else 1))
            channels = outputs
    layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    return nn.Sequential(*layers)


def _body(settings: NetworkSettings, image: ImageShape, classes: int) -> nn.Sequential:
    match settings:
        case SmallCNNSettings(width=w):
            return _plain_network(image, classes, [(w, 1), (2 * w, 2)], hidden=4 * w)
        case YaleNetSettings(width=w):
            return _plain_network(image, classes, [(w * 2**i, s) for i in range(4) for s in (1, 2)], HIDDEN)
        case FashionMNISTNetSettings(width=w):
            return _plain_network(image, classes, [(w * 2**i, s) for i in range(2) for s in (1, 1, 2)], HIDDEN)
        case WideResNetSettings(depth=depth, width=w):
            return _wide_resnet(image, classes, depth, w)
    raise TypeError(f"no network for {type(settings).__name__}")


def build_network(architecture: dict, image: ImageShape, classes: int, seed: int) -> nn.Module:
    """A freshly initialised network.

    Args:
        architecture: the settings of one network of `robustmia.settings`, `name` among them.
        image: channels, height and width of an image.
        classes: number of logits.
        seed: of the initial weights, drawn on the CPU; two networks of one seed are equal, and the CPU's global generator
            is left as it was.

    Raises:
        UserError: `input_mean` does not have one number per channel.
    """
    settings = TypeAdapter(AnyNetworkSettings).validate_python(architecture)
    if settings.input_mean and len(settings.input_mean) != image[0]:
        raise UserError(
            f"architecture.input_mean: {len(settings.input_mean)} numbers, but the images have {image[0]} channels; "
            "give one number per channel in input_mean and input_std"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = _body(settings, image, classes)
    if not settings.input_mean:
        return body
    return nn.Sequential(OrderedDict(normalize=Normalize(settings.input_mean, settings.input_std), body=body))
