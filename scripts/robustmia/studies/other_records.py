"""Attacks by shadow models of other records: none of the target's members and non-members is among those that they were trained on.

Thresholds and classifiers come from what shadow models answer on their own members and non-members. No shadow model was trained on a record of
the target's, so that of LiRA and RMIA the offline forms are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robustmia.files.signals import ShadowSignals, SignalLogits
from robustmia.inference.attack_scores import AttackScores, EvaluationSet, threshold_all
from robustmia.inference.attacks.attack_classifier import ITShadow, features, fitted_on_shadows
from robustmia.inference.attacks.base import Attack, ShadowAttack
from robustmia.inference.attacks.score_attacks import ScoreAttack
from robustmia.inference.attacks.shadow_view import Shadows, ShadowView
from robustmia.inference.record_results import RecordResults
from robustmia.inference.scores import log_odds
from robustmia.inference.settings import LEAST_OF_A_KIND, STAND_INS
from robustmia.inference.thresholds import best_threshold

ONLINE = ("lira_online", "rmia_online")
"""Attacks that need shadow models which were trained on the record."""


def attack_by_other_records(
    signals: dict[str, SignalLogits],
    rows: np.ndarray,
    shadows: ShadowSignals,
    labels: np.ndarray,
    attacks: Sequence[Attack],
) -> RecordResults:
    """The results of a target model's records under those of the attacks that need no shadow model which was trained on them.

    Args:
        signals: of the target model, by name.
        rows: of the data set, of members and then of non-members.
        shadows: with the same signals of all records of the data set; the members of each are outside `rows`.
        labels: of all records, int64.
        attacks: all of them.
    """
    records = EvaluationSet.of(next(iter(signals.values())))
    trained, models = shadows.in_mask.sum(axis=0), len(shadows.in_mask)
    known = (trained >= LEAST_OF_A_KIND) & (models - trained >= LEAST_OF_A_KIND)
    others = np.setdiff1d(np.flatnonzero(known), rows)
    seen = [
        _Seen(name, np.concatenate([file.members, file.nonmembers]), records, rows, others, labels, shadows)
        for name, file in signals.items()
    ]
    runnable = [attack for attack in attacks if attack.name not in ONLINE]
    results = [_scores(attack, one) for one in seen for attack in runnable if attack.applies_to(one.signal)]
    return RecordResults.of(rows, threshold_all(results), records)


@dataclass(frozen=True)
class _Seen:
    """One signal of a target model and of its shadow models."""

    signal: str
    logits: np.ndarray
    records: EvaluationSet
    rows: np.ndarray
    others: np.ndarray
    """The records outside `rows` that some shadow models were trained on and others not."""
    labels: np.ndarray
    shadows: ShadowSignals

    @property
    def shadow_logits(self) -> np.ndarray:
        """[R, N, K], or [R, N, K, K], of all records."""
        return self.shadows.logits[self.signal]

    @property
    def are_members(self) -> np.ndarray:
        """Of the other records, bool [R, m]."""
        return self.shadows.in_mask[:, self.others]

    @cached_property
    def shadow_scores(self) -> np.ndarray:
        """The log odds of the true class under each shadow model, [R, N]."""
        return np.array([log_odds(logits, self.labels) for logits in self.shadow_logits])

    def view(self, scores: np.ndarray, rows: np.ndarray, population: np.ndarray) -> ShadowView:
        """Some records under one model, with all shadow models beside it."""
        shadows = Shadows(self.shadow_scores[:, rows], self.shadows.in_mask[:, rows], self.labels[rows])
        return ShadowView(scores, shadows, population)

    @cached_property
    def target_view(self) -> ShadowView:
        """The target."""
        return self.view(log_odds(self.logits, self.records.labels), self.rows, ~self.records.is_member)

    @cached_property
    def stand_ins(self) -> list[ShadowView]:
        """Some of the shadow models in the place of the target, with their own records."""
        first = self.view(self.shadow_scores[0, self.others], self.others, ~self.are_members[0])
        return [first.of_shadow(model) for model in range(len(self.are_members[:STAND_INS]))]


def _scores(attack: Attack, seen: _Seen) -> AttackScores:
    """The scores of the target's records, and the decisions of a threshold that does best on shadow models' own."""
    if isinstance(attack, ShadowAttack):
        scores = attack.prepare(seen.stand_ins)(seen.target_view)
        return AttackScores(seen.signal, attack.name, scores, seen.records)
    if isinstance(attack, ITShadow):
        return _by_classifiers(attack, seen)
    assert isinstance(attack, ScoreAttack)
    scores = attack.score(seen.logits, seen.records.labels)
    of_shadows = np.array(
        [attack.score(logits[seen.others], seen.labels[seen.others]) for logits in seen.shadow_logits]
    )
    threshold = best_threshold(of_shadows[seen.are_members], of_shadows[~seen.are_members])
    return _decided(attack, seen, scores, threshold)


def _by_classifiers(attack: ITShadow, seen: _Seen) -> AttackScores:
    labels = seen.labels[seen.others]
    of_shadows = np.array([features(logits[seen.others], labels) for logits in seen.shadow_logits])
    fitted_on = of_shadows.reshape(-1, of_shadows.shape[-1]), seen.are_members.ravel(), np.tile(labels, len(of_shadows))
    x = features(seen.logits, seen.records.labels)
    scores = fitted_on_shadows(attack.settings.targeted_classifier, x, seen.records.labels, *fitted_on)
    return _decided(attack, seen, scores, 0.5)


def _decided(attack: Attack, seen: _Seen, scores: np.ndarray, threshold: float) -> AttackScores:
    decided = {"shadow": (scores >= threshold).astype(float)}
    return AttackScores(seen.signal, attack.name, scores, seen.records, own_decisions=decided)
