"""Networks read into graphs: once, never stale, and what cannot be read is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from bound_networks import IMAGE, batch, network
from helpers import refused
from robustmia.bounds.interval import Interval, interval_bounds
from robustmia.bounds.tracing import read_graph
from robustmia.bounds.verifiers import VERIFIERS


def test_a_graph_is_read_once_and_never_stale():
    model, (images, labels) = network("dense", 14), batch(14)
    ball = Interval.around(images, 0.1, clip_pixels=True)
    before = interval_bounds(model, ball, labels)
    assert read_graph(model) is read_graph(model)
    model[1].weight.data *= 2
    assert not torch.allclose(interval_bounds(model, ball, labels), before)


# ---------------------------------------------------------------- what a bound does not know


class Squared(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return (images * images).flatten(1)


class Pair(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images.flatten(1), images.relu().flatten(1)


class Branching(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images if images.sum() > 0 else -images


class Misread(nn.Module):
    """A network whose graph would be another than it seems, in one of several ways."""

    def __init__(self, body: Callable[[Misread, Tensor], Tensor]):
        super().__init__()
        self.body = body
        self.convolution, self.linear, self.other = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(60, 4), nn.Linear(60, 4)
        self.rectified = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        return self.body(self, images)

    def shortcut(self, images: Tensor) -> Tensor:
        x = self.convolution(images)
        return self.linear((self.rectified(x) + x).flatten(1))

    def statement(self, images: Tensor) -> Tensor:
        x = self.convolution(images)
        relu(x, inplace=True)
        return self.linear(x.flatten(1))

    def view(self, images: Tensor) -> Tensor:
        x = self.convolution(images)
        y = x.flatten(1)
        x.relu_()
        return self.linear(y)

    def sum_in_place(self, images: Tensor) -> Tensor:
        x = self.convolution(images)
        y = x.add_(images)
        return self.linear((x + y).flatten(1))

    def unused_branch(self, images: Tensor) -> Tensor:
        x = images.flatten(1)
        self.other(x)
        return self.linear(x)

    def weighted_sum(self, images: Tensor) -> Tensor:
        return self.linear(torch.add(self.convolution(images), images, alpha=3).flatten(1))

    def by_keyword(self, images: Tensor) -> Tensor:
        return self.linear(self.convolution(input=images).flatten(1))

    def part(self, images: Tensor) -> Tensor:
        return self.linear(images[:, :, 0].flatten(1))


class Shifted(nn.Module):
    def forward(self, images: Tensor, shift: float = 0.0) -> Tensor:
        return (images + shift).flatten(1)


@pytest.mark.parametrize("name", ["dual", "interval_dual", "zonotope"])
def test_a_sum_of_different_shapes_is_refused(name):
    class Broadcast(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool, self.linear = nn.AdaptiveAvgPool2d(1), nn.Linear(60, 4)

        def forward(self, images: Tensor) -> Tensor:
            return self.linear((images + self.pool(images)).flatten(1))

    images, labels = batch(15, count=2)
    with refused("sum", "shapes"):
        VERIFIERS[name](Broadcast().double(), Interval.around(images, 0.1, clip_pixels=True), labels, 2**20)


@pytest.mark.parametrize("verifier", VERIFIERS.values(), ids=VERIFIERS)
@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.Flatten()), ["layer 1 (MaxPool2d)"]),
        (nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(60, 4), nn.Sigmoid())), ["layer 1.1 (Sigmoid)"]),
        (nn.Sequential(nn.Conv2d(2, 3, 3, padding="same"), nn.Flatten()), ["layer 0 (Conv2d)", "'same'"]),
        (nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False)), ["layer 0 (BatchNorm2d)", "running"]),
        (nn.Sequential(nn.Flatten(2), nn.Linear(30, 4)), ["layer 0 (Flatten)"]),
        (Squared(), ["layer mul"]),
        (Pair(), ["last layer"]),
        (Branching(), ["graph of layers"]),
        (Misread(Misread.shortcut), ["layer rectified ", "in place"]),
        (Misread(Misread.statement), ["layer relu ", "in place"]),
        (Misread(Misread.view), ["layer relu_ ", "in place"]),
        (Misread(Misread.sum_in_place), ["layer add_ ", "in place"]),
        (Misread(Misread.unused_branch), ["last layer", "layer before"]),
        (Misread(Misread.weighted_sum), ["layer add ("]),
        (Misread(Misread.by_keyword), ["layer convolution (Conv2d)"]),
        (Misread(Misread.part), ["layer getitem"]),
        (Shifted(), ["takes shift"]),
    ],
    ids=lambda given: None if isinstance(given, list) else type(given).__name__,
)
def test_a_layer_that_is_not_known_is_named(verifier, model, named):
    images, labels = torch.rand(2, *IMAGE), torch.tensor([0, 1])
    with refused(*named):
        verifier(model, Interval.around(images, 0.1, clip_pixels=True), labels, None)
