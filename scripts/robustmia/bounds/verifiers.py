"""The sound bounds by name, as the `verified` signal and the methods' own verifiers ask for them."""

from __future__ import annotations

from robustmia.bounds.alpha_crown import alpha_crown_bounds
from robustmia.bounds.crown import crown_bounds, crown_interval_bounds, dual_bounds
from robustmia.bounds.interval import interval_bounds

VERIFIERS = {
    "interval": interval_bounds,
    "crown_interval": crown_interval_bounds,
    "dual": dual_bounds,
    "crown": crown_bounds,
    "alpha_crown": alpha_crown_bounds,
}
"""From the cheapest and loosest to the tightest. Each takes the network, a ball, labels [B] and a memory in bytes, and returns upper bounds of z_k - z_y, [B, K]."""
