"""Strategies that need nothing but the target's own answers: which signal the attacker looks at, and what makes a score of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robustmia.inference.scores import (
    log_odds,
    log_odds_of_probabilities,
    negative_modified_entropy,
    negative_modified_entropy_of_probabilities,
)

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From logits [N, K] and labels [N] to scores [N]."""
OF_PROBABILITIES: dict[Score, Score] = {
    log_odds: log_odds_of_probabilities,
    negative_modified_entropy: negative_modified_entropy_of_probabilities,
}
"""The same scores where an audited file has probabilities."""


@dataclass(frozen=True)
class Strategy:
    """A name, the signal it needs, and the score it gives a record."""

    name: str
    signal: str
    score: Score


# The paper's (Song et al. 2019, section 3). Bounds b of z_k - z_y, 0 at y, are logits that make the true class least likely:
# their log odds are -log sum of exp b_k.
STRATEGIES = (
    Strategy("I_B", "benign", log_odds),
    Strategy("I_A", "adversarial", log_odds),
    Strategy("I_V", "verified", log_odds),
    Strategy("I_V_own", "verified_own", log_odds),
)
FURTHER = (
    Strategy("mean_log_odds", "targeted", log_odds),
    *(
        Strategy("modified_entropy", signal, negative_modified_entropy)
        for signal in ("benign", "adversarial", "targeted", "verified")
    ),
)
"""Among the strong attacks only."""
