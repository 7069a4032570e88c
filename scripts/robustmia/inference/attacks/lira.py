"""LiRA: the likelihood ratio attack (Carlini et al. 2022, arXiv 2112.03570)."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from robustmia.inference.attacks.base import ShadowAttack
from robustmia.inference.attacks.shadow_view import ShadowView, count, deviation, squared_deviation
from robustmia.inference.settings import LEAST_OF_A_KIND, LiRACentre, LiRAVariance

MIN_DEVIATION = 0.05  # the least standard deviation, as a fraction of that of all records together
ROUNDING = 1e-6  # the least of all records together: models that answer every record alike have none


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
    residuals = _around_the_mean if centre == "mean" else _around_the_median
    middle, squares, freedom = residuals(view, members)
    # Two models of a kind leave one where another stands in for the target; then both are given the variance of the other kind.
    if view.shadows.total(count, members).max() <= LEAST_OF_A_KIND:
        _, squares, freedom = residuals(view, not members)
    together = max(float(np.sqrt(squares.sum() / freedom.sum())), ROUNDING)
    if variance == "global":
        return middle, np.full(len(middle), together)
    own = np.sqrt(squares / freedom.clip(min=1)).clip(min=MIN_DEVIATION * together)
    return middle, np.where(freedom > 0, own, together)


def _around_the_mean(view: ShadowView, members: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean of each record's scores, the sum of squares around it, and its degrees of freedom, [n] each."""
    models = view.sum(count, members)
    mean = view.sum(deviation, members) / models
    squares = view.sum(squared_deviation, members) - models * mean**2
    return view.shadows.centre + mean, squares.clip(min=0.0), models - 1


def _around_the_median(view: ShadowView, members: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same around the median, for which every score has to be looked at again."""
    chosen = view.trained(members)
    scores = np.where(chosen, view.shadows.scores, np.nan)
    median = np.nanmedian(scores, axis=0)
    return median, np.nansum((scores - median) ** 2, axis=0), chosen.sum(axis=0) - 1
