"""Clean, adversarial and verified accuracy of one target model."""

from __future__ import annotations

import numpy as np
import pytest

from robustmia.files.signals import SignalLogits
from synthetic import Bounded, evaluated


def test_accuracies_are_counted_for_each_signal_and_side():
    right = {"benign": (140, 60), "adversarial": (90, 30)}
    signals = {}
    for name, counts in right.items():
        sides = [np.zeros((total, 3), np.float32) for total in (150, 90)]
        for logits, count in zip(sides, counts, strict=True):
            logits[:count, 0], logits[count:, 1] = 1, 1
        signals[name] = SignalLogits(*sides, np.zeros(150, int), np.zeros(90, int))
    results, _ = evaluated(signals)
    robustness = results.robustness.iloc[0]
    assert [robustness.train_accuracy, robustness.test_accuracy] == pytest.approx([140 / 150, 60 / 90])
    assert [robustness.adv_train_accuracy, robustness.adv_test_accuracy] == pytest.approx([90 / 150, 30 / 90])
    for name, (members, nonmembers) in right.items():
        table = results.membership_inference[results.membership_inference.signal == name]
        row = table[table.strategy == "correctness"].iloc[0]
        assert row.true_positive_rate == pytest.approx(members / 150)
        assert row.false_positive_rate == pytest.approx(nonmembers / 90)
        # two scores only: the curve has one corner, the same for each attack and rule
        assert set(table.strategy) == {"I_B" if name == "benign" else "I_A", "modified_entropy", "correctness"}
        assert table.auc.tolist() == pytest.approx([row.accuracy] * 7)


def test_verified_accuracy_is_the_part_whose_bounds_are_all_negative():
    model = Bounded.draw()
    bounds = model.verified()
    results, _ = evaluated(model.signals | {"verified": bounds}, "interval", model.signals)
    row = results.robustness.iloc[0]
    others = np.arange(3) != model.labels[0][:, None]
    expected = np.mean(np.where(others, bounds.members, -1.0).max(axis=1) < 0)
    loose = np.mean(np.where(others, bounds.under("interval").members, -1.0).max(axis=1) < 0)
    assert 0 < loose < expected < 1
    assert row.verified_train_accuracy == expected
    assert row.own_verified_train_accuracy == loose
    table = results.verification.set_index("verifier")
    assert table.verified_train_accuracy.to_dict() == {"interval": loose, "dual": expected, "tightest": expected}
    assert table.is_own_verifier.to_dict() == {"interval": True, "dual": False, "tightest": False}
    assert table.estimated_seconds.to_dict() == {"interval": 1.0, "dual": 1.0, "tightest": 2.0}
    assert (set(table.tighter_verifier), set(table.tighter_seconds)) == ({"crown"}, {3.0})


@pytest.mark.parametrize("own", [None, "crown"])
def test_without_a_verifier_of_its_own_a_model_has_no_accuracy_under_it(own):
    model = Bounded.draw()
    robustness = evaluated(model.signals | {"verified": model.verified()}, own, model.signals)[0].robustness
    assert robustness.own_verified_test_accuracy.isna().all()


def test_without_the_verified_signal_its_cells_and_tables_are_empty():
    results, _ = evaluated(Bounded.draw().signals)
    assert results.robustness.verified_train_accuracy.isna().all()
    assert results.robustness.verified_test_accuracy.isna().all()
    assert results.verification.empty
    assert {"dataset", "verifier"} <= set(results.verification.columns)
