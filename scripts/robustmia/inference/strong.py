"""The strong attacks: every strategy on every signal, with shadow models that were trained as the target was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from robustmia.inference.attempts import Attempt, Evaluated, both_sides, correctness, plain_attempts
from robustmia.inference.joint import joint_scores
from robustmia.inference.scores import log_odds
from robustmia.inference.shadow import (
    SHADOW_STRATEGIES,
    ShadowStrategy,
    View,
    rmia_offline,
    tuned_offset,
)
from robustmia.inference.strategies import MORE_STRATEGIES, STRATEGIES, Strategy
from robustmia.inference.targeted import Classifier, features, from_shadows, held_out
from robustmia.logits import SignalLogits

OWN_VARIANCES = ("lira_online", "lira_offline")
FEWEST_FOR_OWN_VARIANCES = (
    6  # shadow models; of fewer, one that is attacked with the others would leave a record only one
)


def strong_attempts(
    signals: dict[str, SignalLogits],
    shadows: dict[str, np.ndarray],
    inside: np.ndarray,
    classifier: Classifier,
) -> list[Attempt]:
    """Every strategy on every signal.

    Args:
        signals: of the target, by name.
        shadows: logits of each shadow model on the same records, members of the target first, [R, n, K] ([R, n, K, K] for
            `targeted`), by signal.
        inside: bool [R, n]: members of each shadow model.
        classifier: of I_T.

    Raises:
        ValueError: fewer than 4 shadow models, or a record that is not inside half of them.
    """
    models = len(inside)
    if models < 4 or (2 * inside.sum(axis=0) != models).any():
        raise ValueError(f"{models} shadow models; at least 4 are needed, with each record inside half of them")
    records = Evaluated.of(signals["benign"], inside)
    attempts = []
    for name, signal in signals.items():
        attempts += _plain(name, signal, shadows[name])
        attempts += _with_shadows(name, signal, shadows[name], records)
        if name == "targeted":
            attempts += i_t(signal, shadows[name], records, classifier)
        else:
            attempts.append(correctness(name, signal))
    return [*attempts, _joint(attempts, inside)]


def _plain(name: str, signal: SignalLogits, shadows: np.ndarray) -> list[Attempt]:
    """The strategies that look at the target alone; shadow models are there for thresholds and risks."""
    attempts = []
    for strategy in (*STRATEGIES, *MORE_STRATEGIES):
        if strategy.signal == name:
            (attempt,) = plain_attempts([strategy], {name: signal})
            scores = _of_each(strategy, shadows, Evaluated.of(signal).labels)
            attempts.append(Attempt(name, strategy.name, attempt.scores, scores))
    return attempts


def _of_each(strategy: Strategy, shadows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.array([strategy.score(logits, labels) for logits in shadows])


def _with_shadows(name: str, signal: SignalLogits, shadows: np.ndarray, records: Evaluated) -> Iterator[Attempt]:
    """LiRA, RMIA and the privacy risk score, on log odds."""
    assert records.inside is not None
    reference = np.array([log_odds(logits, records.labels) for logits in shadows])
    score = log_odds(both_sides(signal), records.labels)
    view = View(score, reference, records.inside, records.labels, ~records.is_member)
    strategies: dict[str, ShadowStrategy] = dict(SHADOW_STRATEGIES)
    strategies["rmia_offline"] = partial(rmia_offline, offset=tuned_offset(view))
    for strategy, attack in strategies.items():
        if strategy not in OWN_VARIANCES or len(reference) >= FEWEST_FOR_OWN_VARIANCES:
            yield Attempt(name, strategy, attack(view), _on_shadows(attack, view))


def _on_shadows(attack: Callable[[View], np.ndarray], view: View) -> np.ndarray:
    return np.array([attack(view.of_shadow(model)) for model in range(len(view.reference))])


def i_t(signal: SignalLogits, shadows: np.ndarray | None, records: Evaluated, classifier: Classifier) -> list[Attempt]:
    """I_T with classifiers fitted on half of the records, and, with shadow models, with classifiers fitted on those."""
    x = features(both_sides(signal), records.labels)
    probability, called = held_out(classifier, x, records.is_member, records.labels)
    attempts = [Attempt("targeted", "I_T", probability, own_calls={"split": called})]
    if shadows is not None and records.inside is not None:
        labels = np.tile(records.labels, len(shadows))
        shadow_x = np.concatenate([features(logits, records.labels) for logits in shadows])
        from_them = from_shadows(classifier, x, records.labels, shadow_x, records.inside.ravel(), labels)
        calls = {"shadow": (from_them >= 0.5).astype(float)}
        attempts.append(Attempt("targeted", "I_T_shadow", from_them, own_calls=calls))
    return attempts


def _joint(attempts: list[Attempt], inside: np.ndarray) -> Attempt:
    with_shadows = [attempt for attempt in attempts if attempt.shadows is not None]
    scores, shadows = joint_scores(
        np.array([attempt.scores for attempt in with_shadows]),
        np.array([attempt.shadows for attempt in with_shadows]),
        inside,
    )
    return Attempt("all", "joint", scores, shadows)
