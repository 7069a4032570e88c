"""Dual bounds: their slope, and the Cauchy projections that estimate their norms."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn

from bound_networks import batch, network
from robustmia.bounds.crown import dual_bounds
from robustmia.bounds.interval import Interval, margins_of
from robustmia.bounds.projections import MOST_COMPARED, cauchy, estimated_norm, projected_dual_bounds


def test_bounds_of_one_slope_do_not_always_rise_with_epsilon():
    """relu(z) - 0.15 z at z = -4: the band's slope grows from 0.1 to 0.14 as the ball does, and with it the lower side at its
    upper end. So a verified accuracy need not fall with epsilon, except under intervals.
    """
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    model[1].weight.data, model[1].bias.data = torch.ones(2, 1).double(), torch.tensor([0.0, 100]).double()
    model[3].weight.data, model[3].bias.data = torch.tensor([[0, 0], [-1, 0.15]]).double(), torch.zeros(2).double()
    image, label = torch.full((1, 1, 1, 1), -4.0).double(), torch.tensor([0])
    balls = [Interval.around(image, epsilon, clip_pixels=False) for epsilon in (5.0, 5.5)]
    smaller, larger = (dual_bounds(model, ball, label)[0, 1] for ball in balls)
    assert smaller > larger


# ---------------------------------------------------------------- Cauchy projections


def test_cauchy_numbers_have_the_scale_asked_for():
    numbers = cauchy(torch.tensor([[0.5, 2.0]]).double(), 40_000, torch.Generator().manual_seed(0))
    assert numbers.abs().median(0).values[0].tolist() == pytest.approx([0.5, 2.0], rel=0.03)
    assert numbers.median(0).values[0].tolist() == pytest.approx([0.0, 0.0], abs=0.05)


def test_a_norm_is_the_lower_median_whatever_the_order():
    """By the 0-1 principle (Knuth, volume 3, theorem 5.3.4Z): what orders all numbers of 0 and 1 orders all numbers."""
    for count in range(1, 13):
        every = torch.tensor(list(product([1.0, 2.0], repeat=count))).t()
        assert torch.equal(estimated_norm(every), every.sort(0).values[(count - 1) // 2])


@pytest.mark.parametrize("count", [1, 2, 9, 10, MOST_COMPARED, MOST_COMPARED + 1])
def test_a_norm_and_its_gradient_are_those_of_torchs_median(count):
    projections = cauchy(torch.ones(5, 7), count, torch.Generator().manual_seed(count)).requires_grad_()
    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    expected = projections.abs().median(0).values
    assert torch.equal(estimated_norm(projections), expected)
    gradients = [torch.autograd.grad(norm, projections, weight)[0] for norm in (expected, estimated_norm(projections))]
    assert torch.equal(*gradients)


def test_equal_projections_share_the_gradient_of_their_median():
    middle = torch.tensor([[-1.0], [1.0], [0.5]], requires_grad=True)
    estimated_norm(middle).sum().backward()
    assert middle.grad.flatten().tolist() == [-0.5, 0.5, 0.0]


@pytest.mark.parametrize("kind", ["dense", "convolutional", "residual", "pooled"])
def test_projections_converge_to_the_exact_norms(kind):
    model, (images, labels) = network(kind, 8), batch(8)
    ball = Interval.around(images, 0.05, clip_pixels=True)
    with torch.no_grad():
        exact = dual_bounds(model, ball, labels)
        spread = (exact - margins_of(model(images), labels)).abs().mean()
        errors = [
            ((projected_dual_bounds(model, ball, labels, count, torch.Generator().manual_seed(1)) - exact) / spread)
            .abs()
            .mean()
            for count in (11, 20_001)
        ]
    assert errors[1] < 0.03
    assert errors[1] < errors[0]


@pytest.mark.parametrize(("kind", "at_most"), [("dense", 0.2), ("residual", 0.15)])
def test_ten_projections_have_little_bias(kind, at_most):
    """As a part of the distance from the margins to their bounds; with the mean of both middle ones it would be 0.42 and 0.27."""
    model, (images, labels) = network(kind, 8), batch(8)
    ball = Interval.around(images, 0.05, clip_pixels=True)
    with torch.no_grad():
        exact = dual_bounds(model, ball, labels)
        estimates = [
            projected_dual_bounds(model, ball, labels, 10, torch.Generator().manual_seed(seed)) for seed in range(40)
        ]
        slack = exact - margins_of(model(images), labels)
        bias = float((torch.stack(estimates).mean(0) - exact).sum() / slack.sum())
    assert 0.0 < bias < at_most
