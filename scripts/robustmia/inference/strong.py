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
    others_of,
    rmia_offline,
    tuned_offset,
)
from robustmia.inference.strategies import FURTHER, STRATEGIES, Strategy
from robustmia.inference.targeted import Classifier, features, from_shadows, held_out
from robustmia.logits import SignalLogits

FEWEST = 6  # shadow models: one that stands in for the target leaves two that have a record, and two that have not


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
        ValueError: fewer than 6 shadow models, or a record that is not inside half of them.
    """
    models = len(inside)
    if models < FEWEST or (2 * inside.sum(axis=0) != models).any():
        raise ValueError(f"{models} shadow models; at least {FEWEST} are needed, with each record inside half of them")
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
    for strategy in (*STRATEGIES, *FURTHER):
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
        yield Attempt(name, strategy, attack(view), _on_shadows(attack, view))


def _on_shadows(attack: Callable[[View], np.ndarray], view: View) -> np.ndarray:
    return np.array([attack(view.of_shadow(model)) for model in range(len(view.reference))])


def i_t(signal: SignalLogits, shadows: np.ndarray | None, records: Evaluated, classifier: Classifier) -> list[Attempt]:
    """I_T with classifiers fitted on half of the records, and, with shadow models, with classifiers fitted on those."""
    x = features(both_sides(signal), records.labels)
    probability, called = held_out(classifier, x, records.is_member, records.labels)
    attempts = [Attempt("targeted", "I_T", probability, own_calls={"split": called})]
    if shadows is not None:
        attempts.append(_i_t_shadow(x, shadows, records, classifier))
    return attempts


def _i_t_shadow(x: np.ndarray, shadows: np.ndarray, records: Evaluated, classifier: Classifier) -> Attempt:
    """The target judged by classifiers fitted on all shadow models, each shadow model by those fitted on others."""
    assert records.inside is not None
    inside, of_shadows = records.inside, np.array([features(logits, records.labels) for logits in shadows])

    def judged(asked: np.ndarray, fitted: np.ndarray) -> np.ndarray:
        labels = np.tile(records.labels, int(fitted.sum()))
        x_fitted = of_shadows[fitted].reshape(len(labels), -1)
        return from_shadows(classifier, asked, records.labels, x_fitted, inside[fitted].ravel(), labels)

    scores = judged(x, np.ones(len(shadows), bool))
    stand_ins = [judged(of_shadows[model], others_of(inside, model)) for model in range(len(shadows))]
    return Attempt("targeted", "I_T_shadow", scores, np.array(stand_ins))


def _joint(attempts: list[Attempt], inside: np.ndarray) -> Attempt:
    with_shadows = [attempt for attempt in attempts if attempt.shadows is not None]
    scores, shadows = joint_scores(
        np.array([attempt.scores for attempt in with_shadows]),
        np.array([attempt.shadows for attempt in with_shadows]),
        inside,
    )
    return Attempt("all", "joint", scores, shadows)
