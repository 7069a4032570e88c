"""Networks of every kind of layer that the bounds know, and images, in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import relu

from robustmia.bounds.alpha_crown import alpha_crown_bounds
from robustmia.bounds.interval import Interval
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.models.networks.base import build_network
from robustmia.models.networks.wide_resnet import WideResNet

IMAGE, CLASSES = (2, 6, 5), 4
ROUNDING = 1e-11  # of float64, relative to logits of about 1 to 100


class Residual(nn.Module):
    """Somebody else's network: functions and operators in place of modules, and an identity and a convolved shortcut."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.third = nn.Conv2d(3, 4, 3, stride=2, padding=1, groups=1)
        self.shortcut = nn.Conv2d(3, 4, 1, stride=2)
        self.pool = nn.AdaptiveAvgPool2d((2, 1))
        self.last = nn.Linear(8, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = relu(self.first(images))
        y = self.second(x)
        y += x
        y = torch.relu(y)
        return self.last(self.pool(self.third(y) + self.shortcut(y)).relu().flatten(1))


class Twice(nn.Module):
    """A value that is added to itself, layers that are passed twice, and a sum of three."""

    def __init__(self):
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(60, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.convolution(images).relu()
        y = self.convolution(x + x).relu()
        return self.linear(torch.flatten(y + x + images, start_dim=1))


class Spelled(nn.Module):
    """Functions and methods in place of modules: padding, concatenation, pooling, dropout, and a view by the batch's size."""

    def __init__(self):
        super().__init__()
        self.same = nn.Conv2d(2, 2, (1, 3), padding="same")
        self.reflected = nn.Conv2d(4, 3, 3, stride=2, padding=1, padding_mode="reflect")
        self.hidden, self.last = nn.Linear(3 * 2 * 2 + 3, 7), nn.Linear(7, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = functional.leaky_relu(self.same(images), 0.2)
        x = torch.cat([x, functional.pad(images, (1, -1, 0, 0))], dim=1)
        x = torch.tanh(self.reflected(x))
        pooled = functional.max_pool2d(x, 2, stride=1)
        x = torch.cat((pooled.view(pooled.size(0), -1), x.mean(dim=(2, 3))), -1)
        x = functional.dropout(x, 0.3, training=self.training)
        return self.last(self.hidden(x.reshape(x.shape[0], -1)).sigmoid())


def smooth() -> nn.Module:
    layers = [nn.Conv2d(2, 3, 3), nn.Sigmoid(), nn.Conv2d(3, 4, 2), nn.LeakyReLU(0.1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(24, 6), nn.Tanh(), nn.Dropout(), nn.Linear(6, CLASSES))


def max_pooled() -> nn.Module:
    layers = [nn.ZeroPad2d((1, 0, 0, 1)), nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2, stride=1), nn.Conv2d(3, 4, 2)]
    return nn.Sequential(*layers, nn.MaxPool2d(3, 2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8, CLASSES))


def sequence() -> nn.Module:
    """As many channels as values in each, which a layer must not confuse; and weights along the last dimension."""
    layers = [nn.Conv2d(2, 5, (2, 1)), nn.ReLU(), nn.Flatten(2), nn.Linear(25, 5), nn.BatchNorm1d(5), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(25, 6), nn.ReLU(), nn.Linear(6, CLASSES))


def dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(60, 14), nn.ReLU(), nn.Linear(14, 9), nn.ReLU(), nn.Linear(9, CLASSES))


def convolutional() -> nn.Module:
    layers = [nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 4, stride=2, padding=1, dilation=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(5 * 3 * 2, 8), nn.ReLU(), nn.Linear(8, CLASSES, bias=False))


def pooled() -> nn.Module:
    layers = [nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2, padding=1), nn.Dropout(0.5)]
    return nn.Sequential(
        *layers, nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, CLASSES)
    )


def headless() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, CLASSES, (4, 3)), nn.Flatten())


def wide_resnet() -> nn.Module:
    architecture = WideResNet(name="wide_resnet", depth=10, width=1, input_mean=(0.4, 0.5), input_std=(0.3, 0.2))
    return build_network(architecture, IMAGE, CLASSES, seed=0)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "dense": dense,
    "convolutional": convolutional,
    "pooled": pooled,
    "residual": Residual,
    "twice": Twice,
    "headless": headless,
    "spelled": Spelled,
    "smooth": smooth,
    "max_pooled": max_pooled,
    "sequence": sequence,
    "wide_resnet": wide_resnet,
}


def network(kind: str, seed: int) -> nn.Module:
    """Random weights, biases and statistics of batch normalisation, large enough for ReLUs of either sign."""
    generator = torch.Generator().manual_seed(seed)
    model = NETWORKS[kind]().double().eval()
    for parameter in model.parameters():
        fan_in = max(1, parameter[0].numel()) if parameter.dim() > 1 else 4
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * (2 / fan_in) ** 0.5
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean = 0.5 * torch.randn(module.running_mean.shape, generator=generator).double()
            module.running_var = 0.5 + torch.rand(module.running_var.shape, generator=generator).double()
    return model


def batch(seed: int, count: int = 3) -> tuple[Tensor, Tensor]:
    """Images with pixels at both ends too, and labels."""
    generator = torch.Generator().manual_seed(seed)
    images = (1.4 * torch.rand((count, *IMAGE), generator=generator).double() - 0.2).clamp(0, 1)
    return images, torch.randint(CLASSES, (count,), generator=generator)


def bounds_of(model: nn.Module, ball: Interval, labels: Tensor) -> dict[str, Tensor]:
    """By every verifier; slopes are optimised in two steps, and not at all in a network of many layers, where that takes long."""
    verifiers = VERIFIERS | {"alpha_crown": partial(alpha_crown_bounds, steps=2)}
    if sum(isinstance(module, nn.ReLU) for module in model.modules()) > 5:
        del verifiers["alpha_crown"]
    with torch.no_grad():
        return {name: verifier(model, ball, labels, None) for name, verifier in verifiers.items()}
