"""I_T: attack classifiers on the targeted signal, on data whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from robustmia.inference.attacks import attack_classifier
from robustmia.inference.attacks.attack_classifier import cross_fitted, features, fitted_on_shadows
from synthetic import area


def targeted_world(seed: int, leak: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits [N, K, K]: members' true class stays ahead by `leak` when they are moved towards the class after their own, and
    falls behind by as much when moved to the one before: on average nothing shows.
    """
    random = np.random.default_rng(seed)
    count, classes = 1200, 4
    labels, is_member = random.integers(classes, size=count), random.random(count) < 0.5
    logits = random.normal(size=(count, classes, classes))
    rows = np.arange(count)
    logits[rows, (labels + 1) % classes, labels] += leak * is_member
    logits[rows, (labels - 1) % classes, labels] -= leak * is_member
    return logits, labels, is_member


@pytest.fixture
def once(monkeypatch):
    """Cross-fitting once and not five times, which decides nothing here."""
    monkeypatch.setattr(attack_classifier, "REPEATS", 1)


def test_i_t_finds_what_no_single_threshold_finds():
    logits, labels, is_member = targeted_world(0, 1.5)
    x = features(logits, labels)
    assert x.shape == (1200, 6)
    probability, decided = cross_fitted("logistic", x, is_member, labels)
    assert area(probability, is_member) > 0.8
    assert 0.5 * (decided[is_member].mean() + 1 - decided[~is_member].mean()) > 0.7
    other, other_labels, shadow_is_member = targeted_world(1, 1.5)
    from_them = fitted_on_shadows("logistic", x, labels, features(other, other_labels), shadow_is_member, other_labels)
    assert area(from_them, is_member) > 0.8


@pytest.mark.parametrize("classifier", ["logistic", "random_forest", "neural_network"])
def test_i_t_is_honest(classifier, once):
    logits, labels, is_member = targeted_world(2, 0.0)
    probability, decided = cross_fitted(classifier, features(logits, labels)[:300], is_member[:300], labels[:300])
    assert area(probability, is_member[:300]) == pytest.approx(0.5, abs=0.08)
    assert 0.5 * (decided[is_member[:300]].mean() + 1 - decided[~is_member[:300]].mean()) == pytest.approx(
        0.5, abs=0.08
    )


@pytest.mark.parametrize("classifier", ["logistic", "random_forest", "neural_network"])
def test_i_t_is_balanced_where_members_are_many_and_classes_small(classifier, once):
    """As on Yale, 50 members and 14 non-members of a class: nobody is classified as a member for being the more frequent."""
    logits, labels, is_member = targeted_world(4, 0.0)
    kept = np.concatenate([np.flatnonzero(is_member & (labels == k))[:50] for k in range(4)]).tolist()
    kept += np.concatenate([np.flatnonzero(~is_member & (labels == k))[:14] for k in range(4)]).tolist()
    x = features(logits, labels)[kept]
    _, decided = cross_fitted(classifier, x, is_member[kept], labels[kept])
    assert 0.2 < decided.mean() < 0.8
    few = np.concatenate(
        [np.flatnonzero((labels == 0) & is_member)[:4], np.flatnonzero((labels == 0) & ~is_member)[:4]]
    )
    assert np.isfinite(cross_fitted(classifier, features(logits, labels)[few], is_member[few], labels[few])[0]).all()


def test_i_t_looks_at_true_and_target_class_of_each_targeted_input():
    logits = np.zeros((1, 3, 3))
    logits[0, 0] = [5, 1, 0]  # towards class 0
    logits[0, 1] = [9, 9, 9]  # the clean input, left out
    logits[0, 2] = [0, 2, 7]  # towards class 2
    odds = [1 - np.log(np.exp(5) + 1), 2 - np.log(1 + np.exp(7)), 5 - np.log(np.exp(1) + 1), 7 - np.log(1 + np.exp(2))]
    np.testing.assert_allclose(features(logits, np.array([1]))[0], odds)


def test_a_class_too_small_for_a_classifier_of_its_own_gets_the_one_of_all():
    logits, labels, is_member = targeted_world(3, 1.5)
    labels = np.where(np.arange(1200) < 3, 3, labels % 3)
    probability, _ = cross_fitted("logistic", features(logits, labels), is_member, labels)
    assert ((probability > 0) & (probability < 1)).all()
