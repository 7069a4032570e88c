"""Networks read into graphs: once, never stale, and what cannot be read is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import relu

from bound_networks import IMAGE, batch, network
from helpers import refused
from robustmia.bounds.crown import crown_bounds
from robustmia.bounds.interval import Interval, interval_bounds, margins_of
from robustmia.bounds.tracing import read_graph


def test_a_graph_is_read_once_and_never_stale():
    model, (images, labels) = network("dense", 14), batch(14)
    ball = Interval.around(images, 0.1, clip_pixels=True)
    before = interval_bounds(model, ball, labels)
    assert read_graph(model, images) is read_graph(model, images[:1])
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
        return self.linear(images[:, :, :].flatten(1))


class Shifted(nn.Module):
    def forward(self, images: Tensor, shift: float = 0.0) -> Tensor:
        return (images + shift).flatten(1)


class Broadcast(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool, self.linear = nn.AdaptiveAvgPool2d(1), nn.Linear(60, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear((images + self.pool(images)).flatten(1))


class Scaled(nn.Module):
    """By a tensor of no dimension, and by a value of the image."""

    def __init__(self, by_image: bool):
        super().__init__()
        self.by_image, self.linear = by_image, nn.Linear(60, 4)
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, images: Tensor) -> Tensor:
        if self.by_image:
            return self.linear(functional.leaky_relu(images, images.mean().item()).flatten(1))
        return self.linear((images * self.scale).flatten(1))


class MixesImages(nn.Module):
    def __init__(self, columns: int):
        super().__init__()
        self.columns, self.linear = columns, nn.Linear(columns, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.view(-1, self.columns))


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (
            nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2, ceil_mode=True), nn.Flatten()),
            ["layer 1 (MaxPool2d)", "ceil_mode"],
        ),
        (nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(60, 4), nn.GELU())), ["layer 1.1 (GELU)"]),
        (nn.Sequential(nn.Flatten(), nn.Linear(60, 4), nn.LeakyReLU(1.5)), ["layer 2 (LeakyReLU)", "slope 1.5"]),
        (nn.Sequential(nn.ConstantPad2d(1, 0.5), nn.Flatten()), ["layer 0 (ConstantPad2d)", "0.5"]),
        (
            nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten()),
            ["layer 0 (BatchNorm2d)", "running"],
        ),
        (nn.Sequential(nn.Flatten(2), nn.Linear(30, 4)), ["logits"]),
        (Broadcast(), ["layer add", "different shapes"]),
        (MixesImages(30), ["layer view", "each image apart"]),
        (Scaled(by_image=False), ["layer scale"]),
        (Scaled(by_image=True), ["layer mean"]),
        (
            nn.Sequential(nn.Flatten(1, 2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 4)),
            ["layer 1 (MaxPool2d)", "planes"],
        ),
        (Squared(), ["layer mul"]),
        (Pair(), ["last layer"]),
        (Branching(), ["graph of layers"]),
        (Misread(Misread.shortcut), ["layer rectified ", "in place"]),
        (Misread(Misread.statement), ["layer relu ", "in place"]),
        (Misread(Misread.view), ["layer relu_ ", "in place"]),
        (Misread(Misread.sum_in_place), ["layer add_ ", "in place"]),
        (Misread(Misread.unused_branch), ["layer other", "do not need"]),
        (Misread(Misread.weighted_sum), ["layer add ("]),
        (Misread(Misread.by_keyword), ["layer convolution (Conv2d)"]),
        (Misread(Misread.part), ["layer getitem"]),
        (Shifted(), ["takes shift"]),
    ],
    ids=lambda given: None if isinstance(given, list) else type(given).__name__,
)
def test_a_layer_that_is_not_known_is_named(model, named):
    with refused(*named):
        read_graph(model.eval(), torch.rand(2, *IMAGE))


class TooLarge(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def test_a_network_that_is_too_large_for_the_memory_is_not_said_to_have_no_graph():
    with pytest.raises(torch.OutOfMemoryError):
        read_graph(TooLarge().eval(), torch.rand(2, *IMAGE))


# ---------------------------------------------------------------- spellings


class Method(nn.Module):
    """A network of one function."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function, self.linear = function, nn.Linear(60, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.function(images))


class Pooled(nn.Module):
    """A network that pools by a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function, self.linear = function, nn.Linear(2, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.function(images).flatten(1))


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize(
    "model",
    [
        MixesImages(60),  # which it does not, with 60 columns
        Method(lambda x: x.view(x.size(0), -1)),
        Method(lambda x: x.view(x.shape[0], 60)),
        Method(lambda x: x.reshape(len(x), -1) if isinstance(x, Tensor) else x.reshape(x.size()[0], -1)),
        Method(lambda x: torch.flatten(x, start_dim=1)),
        Method(lambda x: x.flatten(2).flatten(1, -1)),
        Method(lambda x: x.unsqueeze(2).squeeze(2).contiguous().flatten(1)),
        Pooled(lambda x: functional.avg_pool2d(x, x.size()[2:])),
        Pooled(lambda x: functional.max_pool2d(x, kernel_size=(x.shape[2], x.size(3)))),
        nn.Sequential(nn.Conv2d(2, 2, 3), nn.Dropout(inplace=True), nn.ReLU(), nn.Flatten(), nn.Linear(24, 4)),
        nn.Sequential(nn.Flatten(2), nn.BatchNorm1d(2), nn.ReLU(), nn.Flatten(), nn.Linear(60, 4)),
        nn.Sequential(nn.Flatten(), nn.Unflatten(1, (3, 5, 4)), nn.Conv2d(3, 4, (5, 4)), nn.Flatten()),
        nn.Sequential(nn.Conv2d(2, 3, (2, 4), padding="same"), nn.Flatten(), nn.Linear(90, 4)),
        nn.Sequential(nn.Conv2d(2, 3, 3, padding="same", dilation=2), nn.Flatten(), nn.Linear(90, 4)),
        nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), nn.Flatten(), nn.Linear(90, 4)),
        nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.ReplicationPad2d(1),
            nn.CircularPad2d(1),
            nn.Conv2d(2, 4, 11),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
        nn.Sequential(nn.Conv2d(2, 4, 3, padding="valid"), nn.ReLU(), nn.AvgPool2d((4, 3)), nn.Flatten()),
    ],
    ids=range(17),
)
def test_a_network_is_read_as_what_it_computes(model):
    """The margins in a ball of radius 0, which is the image."""
    model, (images, labels) = model.double().eval(), batch(16)
    with torch.no_grad():
        expected = margins_of(model(images), labels)
        bounds = crown_bounds(model, Interval.around(images, 0.0, clip_pixels=True), labels)
    torch.testing.assert_close(bounds, expected, rtol=1e-12, atol=1e-12)
