"""The scores that one attack gives every record of a target model, and the decisions that threshold rules make of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from robustmia.files.signals import SignalLogits
from robustmia.inference.decisions import Decisions, Scores
from robustmia.inference.metrics import ROC
from robustmia.inference.risk import calibrated_risk
from robustmia.inference.settings import STAND_INS
from robustmia.inference.thresholds import RULES, SHADOW_RULES


@dataclass(frozen=True)
class EvaluationSet:
    """The records that one target model is attacked on, members first."""

    is_member: np.ndarray
    """bool [n]."""
    labels: np.ndarray
    """int64 [n]."""
    in_mask: np.ndarray | None = None
    """bool [R, n]: members of each shadow model; None: there are none."""

    @property
    def members_of_stand_ins(self) -> np.ndarray:
        """The same of the shadow models that are attacked in the target's place, bool [S, n]."""
        assert self.in_mask is not None
        return self.in_mask[:STAND_INS]

    @classmethod
    def of(cls, signal: SignalLogits, in_mask: np.ndarray | None = None) -> EvaluationSet:
        """Those of a signal's file."""
        labels = np.concatenate([signal.member_labels, signal.nonmember_labels])
        return cls(np.arange(len(labels)) < len(signal.member_labels), labels, in_mask)


@dataclass(frozen=True)
class AttackScores:
    """One attack on one signal of one target model."""

    signal: str
    strategy: str
    scores: np.ndarray
    """float64 [n], higher for a more likely member."""
    records: EvaluationSet
    shadow_scores: np.ndarray | None = None
    """float64 [S, n]: the scores that the same attack gives the records of the shadow models in the target's place; None: there are none."""
    own_decisions: dict[str, np.ndarray] = field(default_factory=dict)
    """By threshold rule, for an attack that decides by itself: how often each record is classified as a member, [n] in [0, 1].

    No other rule is tried then.
    """

    @property
    def name(self) -> str:
        """Signal and strategy in one."""
        return f"{self.signal}/{self.strategy}"

    @cached_property
    def sides(self) -> Scores:
        """Scores of the target's members and non-members."""
        return Scores.of(self.scores, self.records.is_member, self.records.labels)

    @cached_property
    def shadow_sides(self) -> Scores | None:
        """Scores of all shadow models' members and non-members."""
        if self.shadow_scores is None:
            return None
        labels = np.broadcast_to(self.records.labels, self.shadow_scores.shape)
        return Scores.of(self.shadow_scores, self.records.members_of_stand_ins, labels)

    @cached_property
    def roc(self) -> ROC:
        """The ROC curve."""
        return ROC.of(self.sides.members, self.sides.nonmembers)

    def risk(self) -> np.ndarray | None:
        """The calibrated probability of membership of each record, [n]; None without shadow models."""
        if self.shadow_scores is None:
            return None
        return calibrated_risk(self.scores, self.shadow_scores, self.records.members_of_stand_ins)

    def thresholded(self) -> list[ThresholdedAttack]:
        """The attack under every threshold rule that can be tried."""
        if self.own_decisions:
            is_member = self.records.is_member
            return [
                ThresholdedAttack(self, rule, Decisions(decided[is_member], decided[~is_member]))
                for rule, decided in self.own_decisions.items()
            ]
        rules = RULES | (SHADOW_RULES if self.shadow_sides else {})
        return [ThresholdedAttack(self, name, rule(self.sides, self.shadow_sides)) for name, rule in rules.items()]


@dataclass(frozen=True)
class ThresholdedAttack:
    """One attack under one threshold rule."""

    attack: AttackScores
    rule: str
    decisions: Decisions


def threshold_all(attacks: Iterable[AttackScores]) -> list[ThresholdedAttack]:
    """Every attack under every threshold rule that can be tried."""
    return [thresholded for attack in attacks for thresholded in attack.thresholded()]
