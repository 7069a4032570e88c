"""Networks: the paper's sizes, normalisation inside, and initial weights that a seed decides."""

from __future__ import annotations

import pytest
import torch

from robustmia.errors import UserError
from robustmia.models import build_network


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("architecture", "image", "classes", "count"),
    [  # counts of the paper's networks with biases and padding 1, and of wide_resnet as TRADES has it
        ({"name": "yale_net", "width": 8}, (1, 192, 168), 38, 1_770_902),
        ({"name": "fashion_mnist_net", "width": 256}, (1, 28, 28), 10, 12_102_306),
        ({"name": "wide_resnet", "depth": 34, "width": 10}, (3, 32, 32), 10, 46_160_474),
    ],
)
def test_the_papers_networks_have_the_papers_size(architecture, image, classes, count):
    model = build_network(architecture, image, classes, seed=0)
    assert parameters(model) == count


@pytest.mark.parametrize("name", ["small_cnn", "yale_net", "fashion_mnist_net"])
@pytest.mark.parametrize("image", [(1, 8, 8), (3, 13, 9)])
def test_plain_networks_take_any_image(name, image):
    model = build_network({"name": name, "width": 2}, image, 5, seed=0)
    assert model(torch.rand(4, *image)).shape == (4, 5)


@pytest.mark.parametrize("depth", [10, 16])
def test_wide_resnet_halves_twice_and_gives_logits(depth):
    model = build_network({"name": "wide_resnet", "depth": depth, "width": 1}, (3, 32, 32), 7, seed=0).eval()
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 7)
    assert (
        sum(layer.kernel_size == (3, 3) for layer in model.modules() if isinstance(layer, torch.nn.Conv2d)) == depth - 3
    )


def test_width_multiplies_channels():
    assert build_network({"name": "small_cnn", "width": 6}, (1, 8, 8), 3, seed=0)[0].out_channels == 6


def test_normalisation_is_part_of_the_network():
    plain = build_network({"name": "small_cnn", "width": 2}, (3, 8, 8), 3, seed=0)
    normalised = build_network(
        {"name": "small_cnn", "width": 2, "input_mean": [0.1, 0.2, 0.3], "input_std": [0.5, 0.6, 0.7]},
        (3, 8, 8),
        3,
        seed=0,
    )
    images = torch.rand(2, 3, 8, 8)
    mean, std = torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1), torch.tensor([0.5, 0.6, 0.7]).view(1, 3, 1, 1)
    torch.testing.assert_close(normalised(images), plain((images - mean) / std))


def test_normalisation_needs_a_number_for_each_channel():
    with pytest.raises(UserError, match=r"input_mean: 1 numbers, but the images have 3 channels"):
        build_network({"name": "small_cnn", "input_mean": [0.1], "input_std": [0.5]}, (3, 8, 8), 3, seed=0)


def test_a_seed_decides_the_weights_and_nothing_else_changes():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (build_network({"name": "small_cnn"}, (1, 8, 8), 10, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first[0].weight, other[0].weight)
