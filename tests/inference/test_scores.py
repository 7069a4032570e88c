"""The scores that attacks give a record from its logits."""

from __future__ import annotations

import numpy as np

from robustmia.inference.scores import cross_entropy, log_odds, negative_modified_entropy

RANDOM = np.random.default_rng(0)


def test_log_odds_is_the_log_odds_of_the_true_class():
    logits = RANDOM.normal(0, 2, (50, 7)).astype(np.float32)
    labels = RANDOM.integers(7, size=50)
    p = np.exp(logits.astype(np.float64))
    p = (p / p.sum(1, keepdims=True))[np.arange(50), labels]
    np.testing.assert_allclose(log_odds(logits, labels), np.log(p / (1 - p)), rtol=1e-9)
    np.testing.assert_allclose(cross_entropy(log_odds(logits, labels)), -np.log(p), rtol=1e-9)


def test_log_odds_orders_saturated_logits():
    logits = np.array([[gap, 0, 0] for gap in (20, 40, 90, 1e4)], dtype=np.float32)
    score = log_odds(logits, np.zeros(4, int))
    assert (np.diff(score) > 0).all()
    np.testing.assert_allclose(score, logits[:, 0] - np.log(2))
    assert np.isfinite(cross_entropy(score)).all()
    assert np.isfinite(cross_entropy(-score)).all()


def test_modified_entropy_is_its_formula_and_does_not_saturate():
    logits, labels = RANDOM.normal(0, 3, (40, 5)), RANDOM.integers(5, size=40)
    p = np.exp(logits)
    p /= p.sum(1, keepdims=True)
    expected = []
    for row, y in zip(p, labels, strict=True):
        others = [row[k] * np.log(1 - row[k]) for k in range(5) if k != y]
        expected.append((1 - row[y]) * np.log(row[y]) + sum(others))
    np.testing.assert_allclose(negative_modified_entropy(logits, labels), expected, rtol=1e-9)
    sure = np.array([[gap, 0, 0] for gap in (20.0, 40.0, 90.0)])
    right, wrong = (negative_modified_entropy(sure, np.full(3, y)) for y in (0, 1))
    assert (np.diff(right) > 0).all()
    assert (np.diff(wrong) < 0).all()
    assert np.isfinite(negative_modified_entropy(np.array([[3e38, -3e38, 0.0]]), np.array([1]))).all()


def test_a_score_of_the_targeted_signal_is_the_mean_over_the_inputs_that_were_moved():
    logits, labels = RANDOM.normal(size=(6, 4, 4)), RANDOM.integers(4, size=6)
    for score in (log_odds, negative_modified_entropy):
        of_each = np.array([score(logits[:, t], labels) for t in range(4)])
        expected = [np.delete(of_each[:, record], labels[record]).mean() for record in range(6)]
        np.testing.assert_allclose(score(logits, labels), expected)
