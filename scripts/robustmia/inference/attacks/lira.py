"""LiRA: the likelihood ratio attack (Carlini et al. 2022, arXiv 2112.03570)."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from robustmia.inference.attacks.base import ShadowAttack
from robustmia.inference.attacks.shadow_view import ShadowView

MIN_DEVIATION = 0.05  # the least standard deviation, as a fraction of that of all records together


class LiRAOnline(ShadowAttack):
    """log N(phi; mu_in, sd_in) - log N(phi; mu_out, sd_out) (algorithm 1)."""

    name = "lira_online"

    def scores(self, view: ShadowView) -> np.ndarray:
        """The log likelihood ratio of each record, [n]."""
        return lira_online(view)


class LiRAOnlineFixed(ShadowAttack):
    """The same with one variance for all records, for few shadow models."""

    name = "lira_online_fixed"

    def scores(self, view: ShadowView) -> np.ndarray:
        """The log likelihood ratio of each record, [n]."""
        return lira_online(view, fixed_variance=True)


class LiRAOffline(ShadowAttack):
    """(phi - mu_out) / sd_out, one-sided (section 6.1)."""

    name = "lira_offline"

    def scores(self, view: ShadowView) -> np.ndarray:
        """The standardised score of each record, [n]."""
        return lira_offline(view)


class LiRAOfflineFixed(ShadowAttack):
    """The same with one variance for all records, for few shadow models."""

    name = "lira_offline_fixed"

    def scores(self, view: ShadowView) -> np.ndarray:
        """The standardised score of each record, [n]."""
        return lira_offline(view, fixed_variance=True)


def lira_online(view: ShadowView, fixed_variance: bool = False) -> np.ndarray:
    """log N(phi; mu_in, sd_in) - log N(phi; mu_out, sd_out) (Carlini et al. 2022, algorithm 1).

    Args:
        fixed_variance: one standard deviation for all records, of residuals around each record's mean: for few shadow models.

    Raises:
        ValueError: fewer than 2 shadow models (1 with a fixed variance) were trained on a record, or were not.
    """
    members, nonmembers = (norm(*_moments(view, side, fixed_variance)).logpdf(view.score) for side in (True, False))
    return members - nonmembers


def lira_offline(view: ShadowView, fixed_variance: bool = False) -> np.ndarray:
    """(phi - mu_out) / sd_out, one-sided (Carlini et al. 2022, section 6.1). Arguments and errors as for `lira_online`."""
    mean, deviation = _moments(view, False, fixed_variance)
    return (view.score - mean) / deviation


def _moments(view: ShadowView, members: bool, fixed_variance: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the shadow models that were trained on each record, or were not."""
    chosen = view.in_mask if members else ~view.in_mask
    count = chosen.sum(axis=0)
    if (count < (1 if fixed_variance else 2)).any():
        raise ValueError("too few shadow models were trained on a record, or too few were not")
    mean = np.where(chosen, view.shadow_scores, 0.0).sum(axis=0) / count
    squares = np.where(chosen, (view.shadow_scores - mean) ** 2, 0.0).sum(axis=0)
    freedom = np.maximum(count - 1, 0)
    together = np.sqrt(squares.sum() / max(freedom.sum(), 1))
    least = max(MIN_DEVIATION * together, np.finfo(np.float64).tiny)
    if fixed_variance:
        return mean, np.full(len(mean), max(together, least))
    return mean, np.sqrt(squares / freedom).clip(min=least)
