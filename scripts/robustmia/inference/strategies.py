"""Strategies: which signal the attacker looks at (Song et al. 2019, section 3). Each turns a signal into scores that a threshold rule cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robustmia.inference.scores import log_odds


@dataclass(frozen=True)
class Strategy:
    """A name of the paper, the signal it needs, and the score it gives a record."""

    name: str
    signal: str
    score: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """From logits [N, K] and labels [N] to scores [N]."""


# Bounds b of z_k - z_y, 0 at y, are logits that make the true class least likely: their log odds are -log sum of exp b_k.
STRATEGIES = (
    Strategy("I_B", "benign", log_odds),
    Strategy("I_A", "adversarial", log_odds),
    Strategy("I_V", "verified", log_odds),
    Strategy("I_V_own", "verified_own", log_odds),
)
