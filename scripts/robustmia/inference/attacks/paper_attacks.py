"""I_B, I_A and I_V of Song et al. 2019, section 3: thresholds on the log odds of the true class. I_T is in `attack_classifier`.

Bounds b of z_k - z_y, 0 at y, are logits that make the true class least likely: their log odds are -log sum of exp b_k.
"""

from __future__ import annotations

from robustmia.inference.attacks.base import OWN_VERIFIED
from robustmia.inference.attacks.score_attacks import LogOdds


class IB(LogOdds):
    """I_B: the log odds of the true class on the clean image."""

    name, signal = "I_B", "benign"


class IA(LogOdds):
    """I_A: the log odds of the true class on the adversarial example."""

    name, signal = "I_A", "adversarial"


class IV(LogOdds):
    """I_V: the log odds of the true class in the verified worst case, under the tightest bound."""

    name, signal = "I_V", "verified"


class IVOwn(LogOdds):
    """I_V under the verifier that the model was trained with."""

    name, signal = "I_V_own", OWN_VERIFIED


class MeanLogOdds(LogOdds):
    """The mean log odds of the true class over the targeted adversarial examples."""

    name, signal = "mean_log_odds", "targeted"
