"""LiRA: the likelihood ratio attack (Carlini et al. 2022, arXiv 2112.03570)."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from robustmia.inference.attacks.base import ShadowAttack
from robustmia.inference.attacks.shadow_view import ShadowView
from robustmia.inference.settings import LEAST_OF_A_KIND, LiRACentre, LiRAVariance

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


def lira_online(view: ShadowView, variance: LiRAVariance, centre: LiRACentre = "mean") -> np.ndarray:
    """log N(phi; mu_in, sd_in) - log N(phi; mu_out, sd_out) (Carlini et al. 2022, algorithm 1).

    Args:
        view: of the model.
        variance: `per_record`, where a record has two shadow models of a kind; or `global`, one for all records, of residuals around
            each record's centre, for few shadow models (section 6.2).
        centre: of a record's scores; `mean`, as in the paper, or `median`, as in its code.
    """
    members, nonmembers = (norm(*_moments(view, side, variance, centre)).logpdf(view.score) for side in (True, False))
    return members - nonmembers


def lira_offline(view: ShadowView, variance: LiRAVariance, centre: LiRACentre = "mean") -> np.ndarray:
    """(phi - mu_out) / sd_out, one-sided (Carlini et al. 2022, section 6.1). Arguments as for `lira_online`."""
    middle, deviation = _moments(view, False, variance, centre)
    return (view.score - middle) / deviation


def _moments(
    view: ShadowView, members: bool, variance: LiRAVariance, centre: LiRACentre
) -> tuple[np.ndarray, np.ndarray]:
    """Centre and standard deviation over the shadow models that were trained on each record, or were not."""
    middle, squares, freedom = _residuals(view, members, centre)
    # Two models of a kind leave one where another stands in for the target; then both are given the variance of the other kind.
    if (view.in_mask == members).sum(axis=0).max() <= LEAST_OF_A_KIND:
        _, squares, freedom = _residuals(view, not members, centre)
    together = max(float(np.sqrt(squares.sum() / freedom.sum())), float(np.finfo(np.float64).tiny))
    if variance == "global":
        return middle, np.full(len(middle), together)
    own = np.sqrt(squares / freedom.clip(min=1)).clip(min=MIN_DEVIATION * together)
    return middle, np.where(freedom > 0, own, together)


def _residuals(view: ShadowView, members: bool, centre: LiRACentre) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The centre of each record's scores, the sum of squares around it, and its degrees of freedom, [n] each."""
    chosen = view.trained(members)
    scores = np.where(chosen, view.shadow_scores, np.nan)
    middle = (np.nanmean if centre == "mean" else np.nanmedian)(scores, axis=0)
    return middle, np.nansum((scores - middle) ** 2, axis=0), chosen.sum(axis=0) - 1
