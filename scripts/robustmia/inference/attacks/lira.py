"""LiRA: the likelihood ratio attack (Carlini et al. 2022, arXiv 2112.03570)."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from robustmia.errors import UserError
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
        UserError: with a variance per record, fewer than 2 shadow models were trained on a record, or were not; with a global one, on every.
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
    middle, squares, freedom = _residuals(view, members, centre)
    if variance == "global" and not freedom.any():  # one model of this kind for each record: the other kind has to do
        _, squares, freedom = _residuals(view, not members, centre)
    if (variance == "per_record" and not freedom.all()) or not freedom.any():
        raise UserError(
            "LiRA has too few shadow models to estimate a variance: raise shadow_models, or set attacks.lira_variance to global"
        )
    together = np.sqrt(squares.sum() / freedom.sum())
    least = max(MIN_DEVIATION * together, np.finfo(np.float64).tiny)
    if variance == "global":
        return middle, np.full(len(middle), max(together, least))
    return middle, np.sqrt(squares / freedom).clip(min=least)


def _residuals(view: ShadowView, members: bool, centre: LiRACentre) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The centre of each record's scores, the sum of squares around it, and its degrees of freedom, [n] each."""
    chosen = view.trained(members)
    scores = np.where(chosen, view.shadow_scores, np.nan)
    middle = (np.nanmean if centre == "mean" else np.nanmedian)(scores, axis=0)
    return middle, np.nansum((scores - middle) ** 2, axis=0), chosen.sum(axis=0) - 1
