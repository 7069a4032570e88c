"""Zonotopes beside intervals."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bound_networks import NETWORKS, ROUNDING, batch, bounds_of, network
from robustmia.bounds.interval import Interval


@settings(max_examples=30, deadline=None, derandomize=True)
@given(kind=st.sampled_from(list(NETWORKS)), seed=st.integers(0, 2**20), epsilon=st.floats(0.001, 0.5))
def test_a_zonotope_is_never_looser_than_an_interval(kind, seed, epsilon):
    model, (images, labels) = network(kind, seed), batch(seed)
    bounds = bounds_of(model, Interval.around(images, epsilon, clip_pixels=True), labels)
    assert (bounds["zonotope"] <= bounds["interval"] + ROUNDING * (1 + bounds["interval"].abs())).all()
