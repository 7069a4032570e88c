"""CROWN and alpha-CROWN: their order, their slopes, and numbers of an independent implementation."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from bound_networks import NETWORKS, batch, network
from robustmia.bounds.activations import LeakyReLU
from robustmia.bounds.alpha_crown import alpha_crown_bounds
from robustmia.bounds.crown import crown_bounds, crown_interval_bounds, dual_bounds, indices_of
from robustmia.bounds.interval import Interval, interval_bounds, margins_of

KINDS = [kind for kind in NETWORKS if kind != "wide_resnet"]  # whose optimisation takes a minute


@pytest.mark.parametrize("epsilon", [0.003, 0.03, 0.2])
@pytest.mark.parametrize("kind", KINDS)
def test_each_bound_is_as_tight_as_the_cheaper_ones(kind, epsilon):
    model, (images, labels) = network(kind, 21), batch(21)
    ball = Interval.around(images, epsilon, clip_pixels=True)
    with torch.no_grad():
        intervals = interval_bounds(model, ball, labels)
        crown, crown_interval = crown_bounds(model, ball, labels), crown_interval_bounds(model, ball, labels)
    alpha = alpha_crown_bounds(model, ball, labels, steps=5)
    assert (crown_interval <= intervals + 1e-12).all()
    assert (crown <= intervals + 1e-12).all()
    assert crown.mean() <= crown_interval.mean() + 1e-12
    assert (alpha <= crown + 1e-12).all()


def test_without_a_step_alpha_crown_is_crown():
    model, (images, labels) = network("residual", 22), batch(22)
    ball = Interval.around(images, 0.1, clip_pixels=True)
    with torch.no_grad():
        torch.testing.assert_close(alpha_crown_bounds(model, ball, labels, steps=0), crown_bounds(model, ball, labels))


def test_more_steps_are_never_looser():
    model, (images, labels) = network("dense", 23), batch(23)
    ball = Interval.around(images, 0.15, clip_pixels=True)
    bounds = [alpha_crown_bounds(model, ball, labels, steps=steps) for steps in (0, 1, 5, 25)]
    for fewer, more in pairwise(bounds):
        assert (more <= fewer + 1e-12).all()
    assert (bounds[-1] < bounds[0] - 1e-3).any()


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_that_all_bounds_of_a_layer_share_are_sound_too(kind):
    """Where memory is short: tighter than CROWN, looser than slopes of their own."""
    model, (images, labels) = network(kind, 24), batch(24)
    ball = Interval.around(images, 0.1, clip_pixels=True)
    shared = alpha_crown_bounds(model, ball, labels, memory=1, steps=5)
    with torch.no_grad():
        assert (shared <= crown_bounds(model, ball, labels) + 1e-12).all()
        corners = ball.centre + (2 * torch.rand(4000, *ball.centre.shape).double() - 1).sign() * ball.radius
        margins = margins_of(model(corners.flatten(0, 1)).unflatten(0, corners.shape[:2]), labels)
    assert (margins.amax(0) <= shared + 1e-10).all()


def test_units_with_an_open_sign_are_found_for_each_image():
    low = torch.tensor([[-1.0, 0.5, -2.0, -1.0], [1.0, 1.0, -1.0, 1.0]])
    high = torch.tensor([[1.0, 2.0, -1.0, 2.0], [2.0, 2.0, 1.0, 2.0]])
    units = indices_of(LeakyReLU().open(low, high))
    assert sorted(units[0].tolist()) == [0, 3]
    assert 2 in units[1].tolist()
    assert indices_of(LeakyReLU().open(low[:, 1:2], high[:, 1:2])) is None
    nothing_known = LeakyReLU().open(torch.full((1, 2), torch.nan), torch.ones(1, 2))
    assert indices_of(nothing_known).shape == (1, 2)


STORED = json.loads((Path(__file__).parent / "peer_bounds.json").read_text())
"""auto_LiRPA 0.7.1 (Xu et al. 2020) and convex_adversarial (Wong et al. 2018), on networks and images that are drawn with a seed."""


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda case: f"{case['network']}-{case['seed']}")
def test_numbers_of_independent_implementations(case):
    """benchmarks/peer_bounds.py makes them. Theirs are not met with intervals; where none of those is tighter, ours are equal."""
    model, (images, labels) = network(case["network"], case["seed"]), batch(case["seed"])
    ball, whole = (Interval.around(images, case["epsilon"], clip_pixels=clip) for clip in (True, False))
    with torch.no_grad():
        crown, dual = crown_bounds(model, ball, labels).numpy(), dual_bounds(model, whole, labels).numpy()
    assert (crown <= np.array(case["crown"]) + 1e-9).all()
    if case["crown_equal"]:
        np.testing.assert_allclose(crown, case["crown"], atol=1e-9)
    if case.get("dual_equal"):
        np.testing.assert_allclose(dual, case["dual"], atol=1e-9)
    theirs = np.array(case["alpha_crown"])
    optimised = alpha_crown_bounds(model, ball, labels, steps=STORED["steps"]).numpy()
    assert optimised.mean() <= theirs.mean() + 1e-3 * np.abs(theirs).mean()


def test_most_stored_numbers_are_equal():
    assert sum(case["crown_equal"] for case in STORED["cases"]) >= 3
    assert sum(case.get("dual_equal", False) for case in STORED["cases"]) >= 2
