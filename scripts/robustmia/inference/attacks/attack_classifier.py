"""I_T: an attack classifier for each class, on a model's answers to a record's targeted adversarial examples (Song et al. 2019, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from robustmia.inference.attack_scores import AttackScores
from robustmia.inference.attacks.base import Attack, Observation
from robustmia.inference.attacks.shadow_view import ShadowView, used
from robustmia.inference.scores import log_odds
from robustmia.inference.settings import Classifier

REPEATS = 5
MIN_RECORDS_PER_CLASS = 4  # members, and non-members, of a class for a classifier of its own


class TargetedAttack(Attack):
    """An attack by classifiers on the targeted signal."""

    def applies_to(self, signal: str) -> bool:
        """On the targeted signal alone."""
        return signal == "targeted"


class IT(TargetedAttack):
    """I_T with classifiers fitted on half of the evaluated records and applied to the other half: 5 x 2 cross-fitting."""

    name = "I_T"

    def on_signal(self, seen: Observation) -> AttackScores:
        """The mean probability of membership; the decisions are those of the classifiers."""
        records = seen.records
        x = features(seen.logits, records.labels)
        probability, decided = cross_fitted(self.settings.targeted_classifier, x, records.is_member, records.labels)
        return AttackScores(seen.signal, self.name, probability, records, own_decisions={"split": decided})


class ITShadow(TargetedAttack):
    """I_T with classifiers fitted on shadow models."""

    name = "I_T_shadow"
    needs_shadow_models = True

    def on_signal(self, seen: Observation) -> AttackScores:
        """The target by classifiers fitted on all shadow models, shadow models in its place by those fitted on others."""
        assert seen.shadow_logits is not None
        assert seen.records.in_mask is not None
        in_mask, labels = seen.records.in_mask, seen.records.labels
        of_shadows = np.array([features(logits, labels) for logits in seen.shadow_logits])

        classifier, shadow_labels = self.settings.targeted_classifier, np.broadcast_to(labels, in_mask.shape)

        def probability(x: np.ndarray, view: ShadowView) -> np.ndarray:
            kept = used(in_mask.shape, view.left_out)
            return fitted_on_shadows(classifier, x, labels, of_shadows[kept], in_mask[kept], shadow_labels[kept])

        scores = probability(features(seen.logits, labels), seen.shadow_view)
        shadow_scores = [probability(x, view) for x, view in zip(of_shadows, seen.stand_ins, strict=False)]
        return seen.result(self.name, scores, np.array(shadow_scores))


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
        "logistic": LogisticRegression(class_weight="balanced", solver="newton-cholesky"),
        "random_forest": RandomForestClassifier(200, min_samples_leaf=5, class_weight="balanced", random_state=0),
        "neural_network": MLPClassifier((32,), alpha=1.0, solver="lbfgs", max_iter=5000, random_state=0),
    }
    return make_pipeline(StandardScaler(), classifiers[name])


def cross_fitted(
    name: Classifier, x: np.ndarray, is_member: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Classifiers fitted on one half of each class and applied to the other, in 5 x 2 cross-fitting.

    A class with fewer than 4 members or non-members gets a classifier that is fitted on all classes together.

    Returns:
        The mean probability of being a member, [N], and how often the record was classified as one, [N] in [0, 1].
    """
    probability, decided = np.zeros(len(x)), np.zeros(len(x))
    for rows, applied in _groups(is_member, labels):
        for repeat in range(REPEATS):
            halves = StratifiedKFold(2, shuffle=True, random_state=repeat)
            for fitted, other in halves.split(x[rows], is_member[rows]):
                held_out = rows[other][applied[rows[other]]]
                if len(held_out):
                    p = fit_and_predict(name, x[rows[fitted]], is_member[rows[fitted]], x[held_out])
                    probability[held_out] += p / REPEATS
                    decided[held_out] += (p >= 0.5) / REPEATS
    return probability, decided


def fitted_on_shadows(
    name: Classifier,
    x: np.ndarray,
    labels: np.ndarray,
    shadow_x: np.ndarray,
    shadow_is_member: np.ndarray,
    shadow_labels: np.ndarray,
) -> np.ndarray:
    """The probability of being a member, [N], by classifiers fitted on shadow models' members and non-members of each class.

    A class of which shadow models have no members or non-members gets a classifier that is fitted on all classes together.

    Args:
        x: [N, F], features of the records.
        labels: [N].
        shadow_x: [S, F], of pairs of a shadow model and a record.
        shadow_is_member: bool [S].
        shadow_labels: [S].
    """
    probability = np.empty(len(x))
    for label in np.unique(labels):
        fitted, applied = shadow_labels == label, labels == label
        if len(np.unique(shadow_is_member[fitted])) < 2:
            fitted = np.ones(len(shadow_labels), bool)
        probability[applied] = fit_and_predict(name, shadow_x[fitted], shadow_is_member[fitted], x[applied])
    return probability


def fit_and_predict(name: Classifier, x: np.ndarray, is_member: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The probability that other records [M, F] are members, [M], after a fit in which both sides have the same weight."""
    p = _classifier(name).fit(x, is_member).predict_proba(others)[:, 1]
    if name != "neural_network":
        return p  # fitted with balanced weights, which the network does not take
    members = is_member.mean()
    balanced = p * (1.0 - members), (1.0 - p) * members
    return balanced[0] / (balanced[0] + balanced[1])


def _groups(is_member: np.ndarray, labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows whose halves a classifier is fitted on, [n], and the records that it is applied to, bool [N].

    Each class by itself; then all records, for those of the small classes.
    """
    small = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        theirs = labels == label
        if min((theirs & is_member).sum(), (theirs & ~is_member).sum()) >= MIN_RECORDS_PER_CLASS:
            yield np.flatnonzero(theirs), theirs
        else:
            small |= theirs
    if small.any():
        yield np.arange(len(labels)), small
