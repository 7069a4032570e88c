"""The band of one slope that stands for a ReLU."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robustmia.bounds.relu import parallel_band


@given(low=st.floats(-5, 5), width=st.floats(0, 5), where=st.floats(0, 1))
@settings(derandomize=True, deadline=None)
def test_the_band_holds_relu(low, width, where):
    low, high = torch.tensor(low).double(), torch.tensor(low).double() + width
    slope, half = parallel_band(low, high)
    z = low + where * (high - low)
    assert slope * z - 1e-12 <= z.relu() <= slope * z + 2 * half + 1e-12
    if low >= 0 or high <= 0:
        assert half == 0


@pytest.mark.parametrize(("low", "high"), [(float("nan"), 1.0), (-1.0, float("nan")), (float("nan"), float("nan"))])
def test_a_band_of_what_is_not_a_number_is_not_a_number(low, high):
    """And never a ReLU that is taken to be off."""
    slope, _ = parallel_band(torch.tensor(low), torch.tensor(high))
    assert slope.isnan()
