"""Bounds held against attacks when a model is evaluated: what must stop the pipeline, and what must not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from robustmia.inference.evaluate import Results, evaluate
from robustmia.inference.metrics import ROC
from robustmia.inference.soundness import SoundnessError, require_unbroken
from robustmia.logits import SignalLogits, VerifiedBounds

IDENTITY = {"dataset": "d", "run": "r", "method": "m", "seed": 4}
RANDOM = np.random.default_rng(0)
LABELS = (np.arange(40) % 3, np.arange(30) % 3)


def logits(count: int, ahead: float) -> np.ndarray:
    """Random logits in which the true class is ahead by about so much."""
    z = RANDOM.normal(size=(count, 3))
    z[np.arange(count), np.arange(count) % 3] += ahead
    return z.astype(np.float32)


def bounds_above(z: np.ndarray, slack: float) -> np.ndarray:
    """Bounds that the logits stay under by so much, 0 at the true class."""
    rows, labels = np.arange(len(z)), np.arange(len(z)) % 3
    bounds = z - z[rows, labels, None] + np.float32(slack)
    bounds[rows, labels] = 0.0
    return bounds


CLEAN = SignalLogits(logits(40, 6.0), logits(30, 5.0), *LABELS)
ATTACKED = SignalLogits(logits(40, 3.0), logits(30, 2.0), *LABELS)


def verified(slack: float = 0.5) -> VerifiedBounds:
    """Two verifiers, of which the first is looser by 1; both hold for both signals."""
    tight = [
        np.maximum(bounds_above(clean, slack), bounds_above(attacked, slack))
        for clean, attacked in ((CLEAN.members, ATTACKED.members), (CLEAN.nonmembers, ATTACKED.nonmembers))
    ]
    loose = [np.where(bounds == 0, 0, bounds + 1).astype(np.float32) for bounds in tight]
    by_verifier = (np.stack([loose[side], tight[side]], axis=1) for side in (0, 1))
    return VerifiedBounds(*tight, *LABELS, np.array(["interval", "dual"]), *by_verifier)


SIGNALS = {"benign": CLEAN, "adversarial": ATTACKED}


def results_of(
    signals: dict[str, SignalLogits], own_verifier: str | None = None, in_ball: Iterable[str] = ()
) -> Results:
    return evaluate(IDENTITY, signals, np.arange(70), own_verifier, in_ball)[0]


def test_bounds_that_hold_pass_even_by_a_rounding_error():
    require_unbroken("t", verified(), SIGNALS, SIGNALS)
    require_unbroken("t", verified(slack=-1e-5), SIGNALS, SIGNALS)


@pytest.mark.parametrize(("side", "name"), [("members", "member"), ("nonmembers", "non-member")])
@pytest.mark.parametrize("signal", ["benign", "adversarial"])
def test_a_certified_record_that_is_misclassified_is_named(side, name, signal):
    """Record 7, of class 1, certified with a bound of -0.001 and misclassified by a hair: within rounding, and still an error."""
    bounds, other = verified(), SIGNALS[signal]
    upper, z = getattr(bounds, side).copy(), getattr(other, side).copy()
    upper[7] = [-1e-5, 0.0, -3.0]
    z[7] = [5.0, 5.0, 0.0]
    signals = SIGNALS | {signal: replace(other, **{side: z})}
    signals = {name: signals[name] for name in (signal,)}
    expected = rf"^d/r/seed4: {name} 7 of class 1: the {signal} signal puts class 0 ahead by 0, above its bound of -1e-05 \(1 such"
    with pytest.raises(SoundnessError, match=expected):
        require_unbroken("d/r/seed4", replace(bounds, **{side: upper}), signals, signals)


def test_a_margin_above_its_bound_is_an_error_though_nothing_was_certified():
    bounds = verified()
    upper = bounds.members.copy()
    upper[3] = [0.0, 40.0, 0.5]  # class 0: not certified
    z = ATTACKED.members.copy()
    z[3] = [1.0, 1.0, 2.0]
    with pytest.raises(
        SoundnessError, match="member 3 of class 0: the adversarial signal puts class 2 ahead by 1, above its bound"
    ):
        require_unbroken(
            "t", replace(bounds, members=upper), {"adversarial": replace(ATTACKED, members=z)}, ["adversarial"]
        )


def test_signals_outside_the_verified_ball_may_do_what_they_like():
    wild = replace(ATTACKED, members=-ATTACKED.members)
    results_of({"benign": CLEAN, "adversarial": wild, "verified": verified()}, None, ["benign"])
    with pytest.raises(SoundnessError, match="adversarial"):
        results_of({"benign": CLEAN, "adversarial": wild, "verified": verified()}, None, ["benign", "adversarial"])


# ---------------------------------------------------------------- what evaluation makes of bounds


def test_verified_accuracy_is_the_part_whose_bounds_are_all_negative():
    results = results_of(SIGNALS | {"verified": verified()}, "interval", SIGNALS)
    row, bounds = results.robustness.iloc[0], verified()
    others = np.arange(3) != LABELS[0][:, None]
    expected = np.mean(np.where(others, bounds.members, -1.0).max(axis=1) < 0)
    loose = np.mean(np.where(others, bounds.under("interval").members, -1.0).max(axis=1) < 0)
    assert 0 < loose < expected < 1
    assert row.verified_train_accuracy == expected
    assert row.own_verified_train_accuracy == loose
    table = results.verification.set_index("verifier")
    assert table.verified_train_accuracy.to_dict() == {"interval": loose, "dual": expected, "tightest": expected}
    assert table.is_own.to_dict() == {"interval": True, "dual": False, "tightest": False}
    strategies = results.membership_inference.set_index(["strategy", "threshold_rule"]).signal
    assert strategies["I_V", "split"] == "verified"
    assert strategies["I_V_own", "split"] == "verified_own"


def test_i_v_scores_the_least_probability_of_the_true_class():
    """p_y = 1 / (1 + sum of exp b_k), thresholded at its best on the evaluated records."""
    bounds = verified()
    p = [
        1 / (1 + np.where(np.arange(3) == labels[:, None], 0, np.exp(upper.astype(float))).sum(axis=1))
        for upper, labels in ((bounds.members, LABELS[0]), (bounds.nonmembers, LABELS[1]))
    ]
    rows = results_of({"verified": bounds}).membership_inference
    oracle = rows[(rows.strategy == "I_V") & (rows.threshold_rule == "oracle")].accuracy.item()
    roc = ROC.of(*p)
    assert oracle == pytest.approx(0.5 + 0.5 * (roc.true_positive_rate - roc.false_positive_rate).max())


def test_without_a_verifier_of_its_own_a_model_has_no_row_for_it():
    for own in (None, "zonotope"):
        results = results_of(SIGNALS | {"verified": verified()}, own, SIGNALS)
        assert results.robustness.own_verified_test_accuracy.isna().all()
        assert "I_V_own" not in set(results.membership_inference.strategy)


def test_without_the_verified_signal_its_tables_are_empty():
    results = results_of(SIGNALS)
    assert results.robustness.verified_test_accuracy.isna().all()
    assert results.verification.empty
    assert results.margin_histogram.empty
    assert {"dataset", "verifier"} <= set(results.verification.columns)


def test_the_margin_histogram_counts_every_record_once_and_splits_at_0():
    bounds = verified()
    table = results_of(SIGNALS | {"verified": bounds}, None, SIGNALS).margin_histogram
    assert table.groupby("membership").records.sum().to_dict() == {"member": 40, "nonmember": 30}
    below = table[(table.membership == "member") & (table.margin_logits_high <= 0)].records.sum()
    others = np.arange(3) != LABELS[0][:, None]
    assert below == (np.where(others, bounds.members, -np.inf).max(axis=1) < 0).sum()
    huge = VerifiedBounds(
        bounds.members * 1e6, bounds.nonmembers, *LABELS, bounds.verifiers, bounds.members_by_verifier, bounds.nonmembers_by_verifier
    )  # fmt: skip
    table = results_of({"verified": huge}).margin_histogram
    assert table.groupby("membership").records.sum().to_dict() == {"member": 40, "nonmember": 30}


def test_a_second_strategy_on_a_signal_counts_nothing_twice(monkeypatch):
    from robustmia.inference import evaluate as module
    from robustmia.inference.strategies import STRATEGIES, Strategy

    twice = (*STRATEGIES, Strategy("again", "benign", STRATEGIES[0].score))
    monkeypatch.setattr(module, "STRATEGIES", twice)
    results = results_of(SIGNALS)
    assert (results.membership_inference.strategy == "correctness").sum() == 2
    assert results.loss_histogram[results.loss_histogram.signal == "benign"].records.sum() == 70
    assert set(results.membership_inference.strategy) == {"I_B", "I_A", "again", "correctness"}
