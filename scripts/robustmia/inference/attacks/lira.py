"""LiRA: the likelihood ratio attack (Carlini et al. 2022, arXiv 2112.03570)."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from robustmia.inference.attacks.base import ShadowAttack
from robustmia.inference.attacks.shadow_view import ShadowView
from robustmia.inference.settings import LiRACentre, LiRAVariance

MIN_DEVIATION = 0.05  # the least standard deviation, as a fraction of that of all records together


class LiRAOnline(ShadowAttack):
    """log N(phi; mu_in, sd_in) - log N(phi; mu_out, sd_out) (algorithm 1)."""

    name = "lira_online"

    def scores(self, view: ShadowView) -> np.ndarray:
        """The log likelihood ratio of each record, [n]."""
        return lira_online(view, self.settings.lira_variance, self.settings.lira_centre)


class LiRAOffline(ShadowAttack):
    """(phi - mu_out) / sd_out, one-sided (section 6.1)."""

    name = "lira_offline"

    def scores(self, view: ShadowView) -> np.ndarray:
        """The standardised score of each record, [n]."""
        return lira_offline(view, self.settings.lira_variance, self.settings.lira_centre)


def lira_online(view: ShadowView, variance: LiRAVariance = "per_record", centre: LiRACentre = "mean") -> np.ndarray:
    """log N(phi; mu_in, sd_in) - log N(phi; mu_out, sd_out) (Carlini et al. 2022, algorithm 1).

    Args:
        view: of the model.
        variance: `per_record`; or `global`, one for all records, of residuals around each record's centre, for few shadow models
            (section 6.2).
        centre: of a record's scores; `mean`, as in the paper, or `median`, as in its code.

    Raises:
        ValueError: with a variance per record, fewer than 2 shadow models were trained on a record, or were not; with a global one none.
    """
    members, nonmembers = (norm(*_moments(view, side, variance, centre)).logpdf(view.score) for side in (True, False))
    return members - nonmembers


def lira_offline(view: ShadowView, variance: LiRAVariance = "per_record", centre: LiRACentre = "mean") -> np.ndarray:
    """(phi - mu_out) / sd_out, one-sided (Carlini et al. 2022, section 6.1). Arguments and errors as for `lira_online`."""
    middle, deviation = _moments(view, False, variance, centre)
    return (view.score - middle) / deviation


def _moments(
    view: ShadowView, members: bool, variance: LiRAVariance, centre: LiRACentre
) -> tuple[np.ndarray, np.ndarray]:
    """Centre and standard deviation over the shadow models that were trained on each record, or were not."""
    chosen = view.trained(members)
    count = chosen.sum(axis=0)
    if (count < (2 if variance == "per_record" else 1)).any():
        raise ValueError("too few shadow models were trained on a record, or too few were not")
    scores = np.where(chosen, view.shadow_scores, np.nan)
    middle = (np.nanmean if centre == "mean" else np.nanmedian)(scores, axis=0)
    squares = np.nansum((scores - middle) ** 2, axis=0)
    freedom = np.maximum(count - 1, 0)
    together = np.sqrt(squares.sum() / max(freedom.sum(), 1))
    least = max(MIN_DEVIATION * together, np.finfo(np.float64).tiny)
    if variance == "global":
        return middle, np.full(len(middle), max(together, least))
    return middle, np.sqrt(squares / freedom).clip(min=least)
