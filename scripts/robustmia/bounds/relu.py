"""The relaxation of ReLU that zonotopes and dual bounds share: two parallel lines around it."""

from __future__ import annotations

import torch
from torch import Tensor


def parallel_band(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Slope s and half-width w with s z <= relu(z) <= s z + 2 w for every z in [low, high].

    Exact (w = 0) where the sign is known, nan where an end is nan. Elsewhere s = high / (high - low) and w = -s low / 2: the convex outer bound of
    Wong and Kolter 2018 (arXiv 1711.00851, equation 6) with the multiplier of their equation 8 for its lower side, which is
    also the zonotope of least area of Singh et al. 2018.
    """
    unstable = (low < 0) & (high > 0)
    stable = torch.where(low >= 0, 1.0, torch.where(high <= 0, 0.0, torch.nan)).to(low.dtype)
    slope = torch.where(unstable, high / torch.where(unstable, high - low, 1.0), stable)
    return slope, torch.where(unstable, -0.5 * slope * low, 0.0)
