"""Zonotopes beside intervals."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bound_networks import NETWORKS, ROUNDING, batch, network
from robustmia.bounds.interval import Interval, interval_bounds
from robustmia.bounds.zonotope import zonotope_bounds


@settings(max_examples=30, deadline=None, derandomize=True)
@given(kind=st.sampled_from(list(NETWORKS)), seed=st.integers(0, 2**20), epsilon=st.floats(0.001, 0.5))
def test_a_zonotope_is_never_looser_than_an_interval(kind, seed, epsilon):
    model, (images, labels) = network(kind, seed), batch(seed)
    ball = Interval.around(images, epsilon, clip_pixels=True)
    with torch.no_grad():
        zonotope, interval = zonotope_bounds(model, ball, labels), interval_bounds(model, ball, labels)
    assert (zonotope <= interval + ROUNDING * (1 + interval.abs())).all()
