"""Scores: one number for each record, higher for a record that looks more like a member."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp


def log_odds(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """z_y - log sum over k != y of exp z_k, in float64.

    This is the log odds of the true-class probability p_y, log p_y - log(1 - p_y), so it orders records as p_y does (the
    confidence of Song et al. 2019, section 3), but it does not saturate: from float32 softmax p_y is exactly 1 from a gap
    of 17 on.

    Args:
        logits: [N, K].
        labels: [N], in 0..K-1.

    Returns:
        float64 [N].
    """
    z = logits.astype(np.float64)
    rows = np.arange(len(labels))
    true_class = z[rows, labels]
    z[rows, labels] = -np.inf
    return true_class - logsumexp(z, axis=1)


def cross_entropy(score: np.ndarray) -> np.ndarray:
    """The loss -log p_y = log(1 + exp(-score)) that belongs to a log odds score; never negative."""
    return np.logaddexp(0.0, -score)
