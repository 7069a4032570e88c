"""What an attack is: from what the attacker observes of a target model to a score for each record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pkgutil import resolve_name
from typing import ClassVar

import numpy as np

from robustmia.files.signals import ShadowSignals, SignalLogits, SignalProbabilities
from robustmia.inference.attack_scores import AttackScores, EvaluationSet
from robustmia.inference.attacks.shadow_view import Shadows, ShadowView
from robustmia.inference.scores import log_odds
from robustmia.inference.settings import LEAST_OF_A_KIND, MIN_SHADOW_MODELS, AttackSettings

OWN_VERIFIED = "own_verified"
"""The verified signal under the verifier that the model was trained with, beside the one under the tightest bound."""


@dataclass(frozen=True)
class Observation:
    """One signal of a target model, and of the shadow models if there are any."""

    signal: str
    """Its name."""
    logits: np.ndarray
    """float [n, K], members first; of `targeted` [n, K, K]."""
    records: EvaluationSet
    """The records, in the same order."""
    shadow_logits: np.ndarray | None = None
    """[R, n, K] or [R, n, K, K]: the same signal of each shadow model; None: there are none."""
    are_probabilities: bool = False
    """Whether the target's rows are probabilities in place of logits."""

    @classmethod
    def of(
        cls, name: str, file: SignalLogits, records: EvaluationSet, shadow_logits: np.ndarray | None = None
    ) -> Observation:
        """From the file of a signal."""
        logits = np.concatenate([file.members, file.nonmembers])
        return cls(name, logits, records, shadow_logits, isinstance(file, SignalProbabilities))

    @cached_property
    def shadow_view(self) -> ShadowView:
        """The log odds of the true class under the target and under each shadow model."""
        assert self.shadow_logits is not None
        assert self.records.in_mask is not None
        shadow_scores = np.array([log_odds(logits, self.records.labels) for logits in self.shadow_logits])
        shadows = Shadows(shadow_scores, self.records.in_mask, self.records.labels)
        return ShadowView(log_odds(self.logits, self.records.labels), shadows, ~self.records.is_member)

    @cached_property
    def stand_ins(self) -> list[ShadowView]:
        """Some of the shadow models in the place of the target."""
        return [self.shadow_view.of_shadow(model) for model in range(len(self.records.members_of_stand_ins))]

    def result(self, strategy: str, scores: np.ndarray, shadow_scores: np.ndarray | None = None) -> AttackScores:
        """What an attack returns."""
        return AttackScores(self.signal, strategy, scores, self.records, shadow_scores)


class Attack:
    """One strategy. A subclass has a name and defines `on_signal`, or `on_all` if it needs the other attacks' scores.

    Args:
        settings: of all attacks, from which each takes its own.
    """

    name: ClassVar[str]
    needs_shadow_models: ClassVar[bool] = False

    def __init__(self, settings: AttackSettings):
        self.settings = settings

    def applies_to(self, signal: str) -> bool:
        """Whether the attack is run on this signal; by default on every one."""
        return signal != OWN_VERIFIED

    def on_signal(self, seen: Observation) -> AttackScores | None:
        """The attack on one signal; None if it is not one of a single signal, or cannot use these values."""
        return None

    def on_all(self, results: Sequence[AttackScores]) -> AttackScores | None:
        """The attack that combines the results of all others; None if it is not such an attack."""
        return None


class ShadowAttack(Attack):
    """An attack that compares the target with shadow models, record by record. A subclass defines `scores`."""

    needs_shadow_models = True

    def prepare(self, stand_ins: Sequence[ShadowView]) -> Callable[[ShadowView], np.ndarray]:
        """The scoring function, once what it has is tuned on shadow models in the target's place; by default `scores`."""
        return self.scores

    def scores(self, view: ShadowView) -> np.ndarray:
        """Scores [n], higher for a more likely member."""
        raise TypeError(f"{type(self).__name__} does not define scores()")

    def on_signal(self, seen: Observation) -> AttackScores:
        """The attack on the target, and on shadow models in the target's place with the others."""
        scores = self.prepare(seen.stand_ins)
        return seen.result(self.name, scores(seen.shadow_view), np.array([scores(view) for view in seen.stand_ins]))


def load_attacks(paths: Iterable[str], settings: AttackSettings) -> list[Attack]:
    """The attacks of a list of "module:Class"."""
    return [resolve_name(path)(settings) for path in paths]


def observe(signals: dict[str, SignalLogits], shadows: ShadowSignals | None) -> list[Observation]:
    """What the attacker sees of one set of records: each of their signals, with that of shadow models where they have it."""
    records = EvaluationSet.of(next(iter(signals.values())), shadows.in_mask if shadows else None)
    logits = shadows.logits if shadows else {}
    return [Observation.of(name, file, records, logits.get(name)) for name, file in signals.items()]


def run_attacks(attacks: Sequence[Attack], observations: Sequence[Observation]) -> list[AttackScores]:
    """Every attack on every signal that it applies to; those that need shadow models only where there are some.

    Raises:
        ValueError: fewer than 6 shadow models, or a record that fewer than 2 were trained on, or were not.
    """
    in_mask = observations[0].records.in_mask
    if in_mask is not None:
        _require_enough(in_mask)
    runnable = [attack for attack in attacks if in_mask is not None or not attack.needs_shadow_models]
    results = [
        result
        for seen in observations
        for attack in runnable
        if attack.applies_to(seen.signal) and (seen.shadow_logits is not None or not attack.needs_shadow_models)
        if (result := attack.on_signal(seen)) is not None
    ]
    return [*results, *(result for attack in runnable if (result := attack.on_all(results)) is not None)]


def are_enough(in_mask: np.ndarray) -> bool:
    """Whether there are 6 shadow models, and each record has two that were trained on it and two that were not; `in_mask` is bool [R, n]."""
    models, trained = len(in_mask), in_mask.sum(axis=0)
    return models >= MIN_SHADOW_MODELS and min(trained.min(), (models - trained).min()) >= LEAST_OF_A_KIND


def _require_enough(in_mask: np.ndarray) -> None:
    if not are_enough(in_mask):
        raise ValueError(
            f"{len(in_mask)} shadow models; at least {MIN_SHADOW_MODELS} are needed, of which two are trained on each record and two not"
        )
