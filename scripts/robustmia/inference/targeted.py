"""I_T: an attack classifier for each class, on what a model says of a record's targeted adversarial inputs (Song et al. 2019, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from robustmia.inference.scores import log_odds

REPEATS = 5
FEWEST = 4  # members, and non-members, of a class for a classifier of its own

Classifier = Literal["logistic", "random_forest", "neural_network"]


def features(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Log odds of the true class and of the target class on each targeted input, [N, 2 (K - 1)], targets in the order of classes.

    Args:
        logits: [N, K, K]: of the input that was moved towards class t, in row t; row y is the clean input's and is left out.
        labels: [N], in 0..K-1.
    """
    count, classes = logits.shape[:2]
    others = np.arange(classes) != labels[:, None]
    wrong = logits[others].reshape(count * (classes - 1), classes)
    targets = np.broadcast_to(np.arange(classes), others.shape)[others]
    odds = (log_odds(wrong, np.repeat(labels, classes - 1)), log_odds(wrong, targets))
    return np.concatenate([part.reshape(count, classes - 1) for part in odds], axis=1)


def _classifier(name: Classifier) -> Pipeline:
    classifiers: dict[str, ClassifierMixin] = {
        "logistic": LogisticRegression(class_weight="balanced", max_iter=1000),
        "random_forest": RandomForestClassifier(200, min_samples_leaf=5, class_weight="balanced", random_state=0),
        "neural_network": MLPClassifier((32,), alpha=1.0, solver="lbfgs", max_iter=5000, random_state=0),
    }
    return make_pipeline(StandardScaler(), classifiers[name])


def held_out(
    name: Classifier, x: np.ndarray, is_member: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fitted on one half of each class and asked about the other, both ways round, five times over.

    A class with fewer than 4 members or non-members is judged by a classifier of all classes together.

    Returns:
        The mean probability of being a member, [N], and how often the record was called one, [N] in [0, 1].
    """
    probability, called = np.zeros(len(x)), np.zeros(len(x))
    for rows, judged_here in _groups(is_member, labels):
        for repeat in range(REPEATS):
            halves = StratifiedKFold(2, shuffle=True, random_state=repeat)
            for fitted, other in halves.split(x[rows], is_member[rows]):
                judged = rows[other][judged_here[rows[other]]]
                if len(judged):
                    asked = fit_and_ask(name, x[rows[fitted]], is_member[rows[fitted]], x[judged])
                    probability[judged] += asked / REPEATS
                    called[judged] += (asked >= 0.5) / REPEATS
    return probability, called


def from_shadows(
    name: Classifier,
    x: np.ndarray,
    labels: np.ndarray,
    shadow_x: np.ndarray,
    inside: np.ndarray,
    shadow_labels: np.ndarray,
) -> np.ndarray:
    """The probability of being a member, [N], by classifiers fitted on shadow models' members and non-members of each class.

    Args:
        shadow_x: [S, F], of pairs of a shadow model and a record.
        inside: bool [S].
    """
    probability = np.empty(len(x))
    for label in np.unique(labels):
        fitted, judged = shadow_labels == label, labels == label
        probability[judged] = fit_and_ask(name, shadow_x[fitted], inside[fitted], x[judged])
    return probability


def fit_and_ask(name: Classifier, x: np.ndarray, is_member: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The probability of being a member of the records asked about, [M], after a fit on others, both sides alike in weight."""
    p = _classifier(name).fit(x, is_member).predict_proba(asked)[:, 1]
    if name != "neural_network":
        return p  # fitted with balanced weights, which the network does not take
    members = is_member.mean()
    balanced = p * (1.0 - members), (1.0 - p) * members
    return balanced[0] / (balanced[0] + balanced[1])


def _groups(is_member: np.ndarray, labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows that a classifier is fitted on by halves, [n], and of all records those it judges, bool [N].

    Each class by itself; then all records, to judge those of the small classes.
    """
    small = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        theirs = labels == label
        if min((theirs & is_member).sum(), (theirs & ~is_member).sum()) >= FEWEST:
            yield np.flatnonzero(theirs), theirs
        else:
            small |= theirs
    if small.any():
        yield np.arange(len(labels)), small
