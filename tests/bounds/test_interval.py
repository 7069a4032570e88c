"""Intervals: where they begin, and how they grow with the ball."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bound_networks import NETWORKS, ROUNDING, batch, network
from robustmia.bounds.interval import Interval, interval_bounds


@settings(max_examples=30, deadline=None, derandomize=True)
@given(kind=st.sampled_from(list(NETWORKS)), seed=st.integers(0, 2**20), clip=st.booleans())
def test_interval_bounds_rise_with_epsilon(kind, seed, clip):
    model, (images, labels) = network(kind, seed), batch(seed)
    rising = [interval_bounds(model, Interval.around(images, e, clip), labels) for e in (0, 0.01, 0.03, 0.1, 0.3, 1.0)]
    for smaller, larger in pairwise(rising):
        assert (smaller <= larger + ROUNDING * (1 + larger.abs())).all()


@pytest.mark.parametrize("kind", ["dense", "convolutional", "residual"])
def test_cutting_the_ball_to_valid_pixels_never_loosens_an_interval(kind):
    model, (images, labels) = network(kind, 7), batch(7)
    cut, whole = (interval_bounds(model, Interval.around(images, 0.2, clip), labels) for clip in (True, False))
    assert (cut <= whole + ROUNDING).all()
    assert (cut < whole - 1e-3).any()


def test_a_ball_is_cut_where_pixels_end():
    ball = Interval.around(torch.tensor([0.0, 0.05, 0.5, 1.0]), 0.1, clip_pixels=True)
    torch.testing.assert_close(ball.low, torch.tensor([0.0, 0.0, 0.4, 0.9]))
    torch.testing.assert_close(ball.high, torch.tensor([0.1, 0.15, 0.6, 1.0]))
