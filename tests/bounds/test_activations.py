"""Lines around activations: they enclose them, are exact where those are linear, and take CROWN's slopes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from robustmia.bounds.activations import LeakyReLU, Lines, MaxPool, Nonlinear, sigmoid, tanh

ACTIVATIONS = {"relu": LeakyReLU(), "leaky_relu": LeakyReLU(0.2), "sigmoid": sigmoid(), "tanh": tanh()}


def ends(low: float, high: float) -> tuple[Tensor, Tensor]:
    return torch.tensor([[low]]).double(), torch.tensor([[high]]).double()


def distances(layer: Nonlinear, lines: Lines, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """How far the upper line is above, and the lower one below, at 201 points of an interval."""
    z = low + torch.linspace(0, 1, 201).double() * (high - low)
    lower = lines.lower_slope * z + (0.0 if lines.lower_shift is None else lines.lower_shift)
    return lines.upper_slope * z + lines.upper_shift - layer(z), layer(z) - lower


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(low=st.floats(-8, 8), width=st.one_of(st.floats(0, 12), st.floats(0, 1e-5)))
@settings(derandomize=True, deadline=None, max_examples=200)
def test_lines_enclose_the_activation(name, low, width):
    low, high = ends(low, low + width)
    above, below = distances(ACTIVATIONS[name], ACTIVATIONS[name].lines(low, high), low, high)
    assert above.min() >= -1e-12
    assert below.min() >= -1e-12


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
@pytest.mark.parametrize(("low", "high"), [(-2.0, 3.0), (0.5, 2.0), (-3.0, -1.0), (-0.1, 5.0), (-6.0, 0.4)])
def test_lines_touch_an_s_shaped_curve(name, low, high):
    low, high = ends(low, high)
    above, below = distances(ACTIVATIONS[name], ACTIVATIONS[name].lines(low, high), low, high)
    assert above.min() <= 1e-3
    assert below.min() <= 1e-3


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (-3.0, 1.0), (-1e-30, 1e30)])
@pytest.mark.parametrize("slope", [0.2, 0.5, 1.0])
def test_any_free_slope_is_below_a_leaky_relu(low, high, slope):
    low, high = ends(low, high)
    layer = LeakyReLU(0.2)
    lines = layer.lines(low, high)
    assert lines.free.all()
    assert lines.least_slope == 0.2
    z = low + torch.linspace(0, 1, 201).double() * (high - low)
    assert (slope * z <= layer(z) + 1e-12 * high).all()


def test_crown_takes_the_lower_line_of_smaller_area():
    lines = LeakyReLU().lines(torch.tensor([[-1.0, -2.0, -1.0]]), torch.tensor([[2.0, 1.0, 1.0]]))
    assert lines.lower_slope.tolist() == [[1.0, 0.0, 0.0]]


def test_parallel_lines_are_the_band_of_wong_and_kolter():
    """s z <= relu(z) <= s z - s l with s = u / (u - l): their equation 6 with the multiplier of equation 8."""
    lines = LeakyReLU().lines(*ends(-1.0, 3.0)).parallel()
    assert (lines.upper_slope.item(), lines.lower_slope.item(), lines.upper_shift.item()) == (0.75, 0.75, 0.75)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("low", "high"), [(float("nan"), 1.0), (-1.0, float("nan")), (float("nan"), float("nan"))])
def test_lines_of_what_is_not_a_number_are_not_numbers(name, low, high):
    """And never an activation that is taken to be off."""
    lines = ACTIVATIONS[name].lines(*ends(low, high))
    assert (lines.upper_slope + lines.upper_shift).isnan()
    assert (lines.lower_slope + (0.0 if lines.lower_shift is None else lines.lower_shift)).isnan()


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, padding=1), nn.MaxPool2d(2, 1, dilation=2)])
@pytest.mark.parametrize("width", [0.0, 0.02, 0.3, 3.0])
def test_lines_enclose_a_maximum(pool, width):
    generator = torch.Generator().manual_seed(1)
    low = torch.randn(3, 2, 6, 5, generator=generator).double()
    high = low + width * torch.rand(low.shape, generator=generator).double()
    layer = MaxPool(pool)
    lines = layer.lines(low, high)
    points = low + torch.rand(500, *low.shape, generator=generator).double() * (high - low)
    points[::2] = torch.where(points[::2] > 0.5 * (low + high), high, low)
    inputs = layer.windows(points.flatten(0, 1)).unflatten(1, (2, -1)).unflatten(0, points.shape[:2])
    values = pool(points.flatten(0, 1)).flatten(2).unflatten(0, points.shape[:2])
    upper, lower = (lines.upper_slope * inputs).sum(3) + lines.upper_shift, (lines.lower_slope * inputs).sum(3)
    assert (upper >= values - 1e-12).all()
    assert (lower <= values + 1e-12).all()
    if not width:
        torch.testing.assert_close(upper, values)
        torch.testing.assert_close(lower, values)


def test_a_maximum_that_is_sure_is_exact():
    """One input is above all others wherever they are."""
    low = torch.tensor([[[[0.0, 2.0], [0.5, 1.0]]]]).double()
    lines = MaxPool(nn.MaxPool2d(2)).lines(low, low + torch.tensor([[1.5, 3.0], [1.0, 1.0]]).double())
    assert lines.upper_slope.flatten().tolist() == lines.lower_slope.flatten().tolist() == [0.0, 1.0, 0.0, 0.0]
    assert lines.upper_shift.item() == 0.0
