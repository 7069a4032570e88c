"""Networks: the paper's sizes, normalisation inside, and initial weights that a seed decides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, linear, relu

from helpers import refused
from robustmia.models.networks.base import Network, build_network
from robustmia.models.networks.fashion_mnist_net import FashionMNISTNet
from robustmia.models.networks.small_cnn import SmallCNN
from robustmia.models.networks.wide_resnet import WideResNet
from robustmia.models.networks.yale_net import YaleNet

PLAIN = {"small_cnn": SmallCNN, "yale_net": YaleNet, "fashion_mnist_net": FashionMNISTNet}


def named(network: object) -> str | None:
    return network.name if isinstance(network, Network) else None


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("network", "image", "classes", "count"),
    [  # counts of the paper's networks with biases and padding 1, and of wide_resnet as TRADES has it
        (YaleNet(name="yale_net", width=8), (1, 192, 168), 38, 1_770_902),
        (FashionMNISTNet(name="fashion_mnist_net", width=256), (1, 28, 28), 10, 12_102_306),
        (WideResNet(name="wide_resnet", depth=34, width=10), (3, 32, 32), 10, 46_160_474),
    ],
    ids=named,
)
def test_the_papers_networks_have_the_papers_size(network, image, classes, count):
    model = build_network(network, image, classes, seed=0)
    assert parameters(model) == count


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("image", [(1, 8, 8), (3, 13, 9)])
def test_plain_networks_take_any_image(name, image):
    model = build_network(PLAIN[name](name=name, width=2), image, 5, seed=0)
    assert model(torch.rand(4, *image)).shape == (4, 5)


@pytest.mark.parametrize("depth", [10, 16])
def test_wide_resnet_halves_twice_and_gives_logits(depth):
    model = build_network(WideResNet(name="wide_resnet", depth=depth, width=1), (3, 32, 32), 7, seed=0).eval()
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 7)
    assert (
        sum(layer.kernel_size == (3, 3) for layer in model.modules() if isinstance(layer, torch.nn.Conv2d)) == depth - 3
    )


def test_width_multiplies_channels():
    assert build_network(SmallCNN(name="small_cnn", width=6), (1, 8, 8), 3, seed=0)[0].out_channels == 6


def test_normalisation_is_part_of_the_network():
    plain = build_network(SmallCNN(name="small_cnn", width=2), (3, 8, 8), 3, seed=0)
    normalised = build_network(
        SmallCNN(name="small_cnn", width=2, input_mean=(0.1, 0.2, 0.3), input_std=(0.5, 0.6, 0.7)),
        (3, 8, 8),
        3,
        seed=0,
    )
    images = torch.rand(2, 3, 8, 8)
    mean, std = torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1), torch.tensor([0.5, 0.6, 0.7]).view(1, 3, 1, 1)
    torch.testing.assert_close(normalised(images), plain((images - mean) / std))


def test_normalisation_needs_a_number_for_each_channel():
    network = SmallCNN(name="small_cnn", input_mean=(0.1,), input_std=(0.5,))
    with refused("input_mean", "1 numbers", "3 channels"):
        build_network(network, (3, 8, 8), 3, seed=0)


def test_a_seed_decides_the_weights_and_nothing_else_changes():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (build_network(SmallCNN(name="small_cnn"), (1, 8, 8), 10, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first[0].weight, other[0].weight)


# ---------------------------------------------------------------- the layers, written out once more


def shuffled_state(model: torch.nn.Module) -> dict[str, Tensor]:
    """Random weights, biases and statistics in place of the initial ones, many of which are 0 or 1 and hide mistakes."""
    generator = torch.Generator().manual_seed(0)
    state = {
        name: value + 0.5 * torch.rand(value.shape, generator=generator) - 0.25 if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(state)
    return state


def plain_forward(state: dict[str, Tensor], images: Tensor, strides: list[int]) -> Tensor:
    """Padded convolutions of these strides, each with ReLU; a hidden layer with ReLU; the logits."""
    values = iter(state.values())
    for stride in strides:
        images = relu(conv2d(images, next(values), next(values), stride, padding=1))
    hidden = relu(linear(images.flatten(1), next(values), next(values)))
    return linear(hidden, next(values), next(values))


@pytest.mark.parametrize(
    ("name", "strides", "channels", "hidden"),
    [
        ("small_cnn", [1, 2], [3, 6], 12),
        ("yale_net", [1, 2] * 4, [3, 3, 6, 6, 12, 12, 24, 24], 200),
        ("fashion_mnist_net", [1, 1, 2] * 2, [3, 3, 3, 6, 6, 6], 200),
    ],
)
def test_plain_networks_are_what_they_are_described_as(name, strides, channels, hidden):
    model = build_network(PLAIN[name](name=name, width=3), (2, 13, 9), 5, seed=0)
    state = shuffled_state(model)
    biases = [len(value) for value in state.values() if value.ndim == 1]
    assert biases == [*channels, hidden, 5]
    images = torch.rand(4, 2, 13, 9)
    torch.testing.assert_close(model(images), plain_forward(state, images, strides), rtol=1e-4, atol=1e-4)


def norms(state: dict[str, Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Weight, bias, mean and variance of each batch normalisation, in order."""
    vectors = [value for value in state.values() if value.ndim == 1][:-1]  # the last is the bias of the logits
    return zip(*(vectors[start::4] for start in range(4)), strict=True)


def wide_resnet_forward(state: dict[str, Tensor], images: Tensor, depth: int) -> Tensor:
    """Zagoruyko and Komodakis (2016), as TRADES has it: where channels change, the shortcut starts after the ReLU."""
    kernels = {size: iter([v for v in state.values() if v.ndim == 4 and v.shape[-1] == size]) for size in (1, 3)}
    scales = norms(state)

    def activated(images: Tensor) -> Tensor:
        weight, bias, mean, variance = next(scales)
        return relu(batch_norm(images, mean, variance, weight, bias))

    images = conv2d(images, next(kernels[3]), padding=1)
    for stride in [s for first in (1, 2, 2) for s in [first] + [1] * ((depth - 4) // 6 - 1)]:
        before, inputs = images, activated(images)
        inner = conv2d(inputs, next(kernels[3]), stride=stride, padding=1)
        if inner.shape[1] != inputs.shape[1]:
            before = conv2d(inputs, next(kernels[1]), stride=stride)
        images = before + conv2d(activated(inner), next(kernels[3]), padding=1)
    weight, bias = list(state.values())[-2:]
    return linear(activated(images).mean(dim=(2, 3)), weight, bias)


@pytest.mark.parametrize(("depth", "width", "count"), [(10, 2, 303_706), (16, 1, 175_066)])
def test_wide_resnet_is_what_it_is_described_as(depth, width, count):
    model = build_network(WideResNet(name="wide_resnet", depth=depth, width=width), (3, 8, 8), 10, seed=0).eval()
    assert parameters(model) == count
    state = shuffled_state(model)
    images = torch.rand(4, 3, 8, 8)
    torch.testing.assert_close(model(images), wide_resnet_forward(state, images, depth), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "network",
    [
        *(network(name=name, width=8) for name, network in PLAIN.items()),
        WideResNet(name="wide_resnet", depth=10, width=8),
    ],
    ids=named,
)
def test_convolutions_start_with_he_weights_by_fan_out_and_without_bias(network):
    state = build_network(network, (1, 16, 16), 5, seed=0).state_dict()
    kernels = {name: value for name, value in state.items() if value.ndim == 4}
    for name, kernel in kernels.items():
        outputs, _, height, width = kernel.shape
        spread = 4 / (2 * kernel.numel()) ** 0.5  # four standard deviations of a standard deviation
        assert kernel.std().item() == pytest.approx((2 / (outputs * height * width)) ** 0.5, rel=spread), name
        bias = state.get(name.replace("weight", "bias"))
        assert bias is None or not bias.any()
