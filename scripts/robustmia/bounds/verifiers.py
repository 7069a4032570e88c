"""The sound bounds by name, as the `verified` signal and the methods' own verifiers ask for them."""

from __future__ import annotations

from robustmia.bounds.crown import alpha_crown_bounds, crown_bounds, crown_interval_bounds
from robustmia.bounds.dual import dual_bounds, interval_dual_bounds
from robustmia.bounds.interval import interval_bounds
from robustmia.bounds.zonotope import zonotope_bounds

VERIFIERS = {
    "interval": interval_bounds,
    "zonotope": zonotope_bounds,
    "interval_dual": interval_dual_bounds,
    "dual": dual_bounds,
    "crown_interval": crown_interval_bounds,
    "crown": crown_bounds,
    "alpha_crown": alpha_crown_bounds,
}
"""Each takes the network, a ball, labels [B] and a memory in bytes, and returns upper bounds of z_k - z_y, [B, K]."""
