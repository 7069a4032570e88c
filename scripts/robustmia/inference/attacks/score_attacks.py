"""Attacks that threshold one number of the target's own answer, on every signal: log odds, modified entropy, and correctness."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from robustmia.inference.attack_scores import AttackScores
from robustmia.inference.attacks.base import OWN_VERIFIED, Attack, Observation
from robustmia.inference.scores import (
    log_odds,
    log_odds_of_probabilities,
    negative_modified_entropy,
    negative_modified_entropy_of_probabilities,
)
from robustmia.inference.settings import STAND_INS

PAPER_SIGNALS = ("benign", "adversarial", "targeted", "verified", OWN_VERIFIED)
"""Those with an attack by log odds under a name of its own, in `paper_attacks`."""


class ScoreAttack(Attack):
    """An attack whose score is a function of the logits and the label of a record."""

    signal: ClassVar[str | None] = None
    """The only signal that it is run on; None: every one."""

    def score(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Scores [N] from logits [N, K] and labels [N]."""
        raise TypeError(f"{type(self).__name__} does not define score()")

    def score_of_probabilities(self, probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
        """The same from probabilities [N, K]; None: the attack is left out where there are only those."""
        return None

    def applies_to(self, signal: str) -> bool:
        """On its own signal, or on every one."""
        return signal == self.signal if self.signal else super().applies_to(signal)

    def on_signal(self, seen: Observation) -> AttackScores | None:
        """The score of the target's answer, and of that of shadow models in its place."""
        labels, shadows = seen.records.labels, seen.shadow_logits
        if seen.are_probabilities:
            scores = self.score_of_probabilities(seen.logits, labels)
            return None if scores is None else seen.result(self.name, scores)
        of_shadows = None
        if shadows is not None:
            of_shadows = np.array([self.score(logits, labels) for logits in shadows[:STAND_INS]])
        return seen.result(self.name, self.score(seen.logits, labels), of_shadows)


class LogOdds(ScoreAttack):
    """The log odds of the true class, on signals that have no such attack under a name of its own."""

    name = "log_odds"

    def score(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """`log_odds`."""
        return log_odds(logits, labels)

    def score_of_probabilities(self, probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """`log_odds_of_probabilities`."""
        return log_odds_of_probabilities(probabilities, labels)

    def applies_to(self, signal: str) -> bool:
        """On its own signal; this very class on signals that are not of the paper."""
        return signal == self.signal if self.signal else signal not in PAPER_SIGNALS


class ModifiedEntropy(ScoreAttack):
    """The modified entropy of Song and Mittal (2021, equation 6), with its sign reversed."""

    name = "modified_entropy"

    def score(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """`negative_modified_entropy`."""
        return negative_modified_entropy(logits, labels)

    def score_of_probabilities(self, probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """`negative_modified_entropy_of_probabilities`."""
        return negative_modified_entropy_of_probabilities(probabilities, labels)


class Correctness(Attack):
    """The baseline: a record is classified as a member if the model classifies it correctly (Yeom et al. 2018)."""

    name = "correctness"

    def applies_to(self, signal: str) -> bool:
        """Not on the targeted signal, whose images have several answers."""
        return signal != "targeted"

    def on_signal(self, seen: Observation) -> AttackScores:
        """1 for a correct answer (of bounds: for a verified record), else 0."""
        correct = (seen.logits.argmax(axis=1) == seen.records.labels).astype(float)
        return AttackScores(seen.signal, self.name, correct, seen.records, own_decisions={"fixed": correct})
