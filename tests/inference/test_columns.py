"""The columns of `membership_inference.csv`: each number under the name that it is looked for by."""

from __future__ import annotations

import numpy as np
import pytest

from robustmia.files.signals import SignalLogits
from robustmia.inference.metrics import ROC, accuracy_interval, auc, oracle_chance
from robustmia.inference.scores import log_odds
from robustmia.inference.thresholds import split
from synthetic import evaluated, leaking_signal, of_one_class


def sides_of(signal: SignalLogits) -> list[np.ndarray]:
    """Log odds of members and of non-members."""
    return [log_odds(signal.members, signal.member_labels), log_odds(signal.nonmembers, signal.nonmember_labels)]


def test_columns_hold_for_every_row():
    signal = leaking_signal(150, 120, 0)
    table = evaluated({"benign": signal, "adversarial": leaking_signal(150, 120, 1)})[0].membership_inference
    np.testing.assert_allclose(table.advantage, 2 * table.accuracy - 1, atol=1e-12)
    assert table["tpr_at_0.1pct_fpr"].isna().all()  # 120 non-members do not resolve it
    assert (table.unresolved == "120 non-members do not resolve 0.1 %").all()
    oracle_rows, others = table[table.threshold_rule == "oracle"], table[table.threshold_rule != "oracle"]
    assert oracle_rows.threshold_saw_records.all()
    assert (oracle_rows.chance_accuracy > 0.5).all()
    assert oracle_rows[["accuracy_low", "accuracy_high"]].isna().all(axis=None)
    assert not others.threshold_saw_records.any()
    assert (others.chance_accuracy == 0.5).all()
    expected = ROC.of(*sides_of(signal)).at(0.01)
    assert expected is not None
    assert table[table.strategy == "I_B"].tpr_at_1pct_fpr.tolist() == [expected.true_positive_rate] * 3
    assert table[table.strategy == "I_B"]["tpr_at_1pct_fpr_high"].tolist() == [expected.high] * 3
    assert table[table.strategy == "correctness"].tpr_at_1pct_fpr.isna().all()  # only two scores: no curve


def test_a_row_has_its_numbers_in_the_columns_they_are_named_for():
    signal = leaking_signal(400, 90, 0)
    table = evaluated({"benign": signal})[0].membership_inference
    correctness = table[table.strategy == "correctness"]
    table = table[table.strategy == "I_B"].set_index("threshold_rule")
    sides = sides_of(signal)
    assert table.auc[["oracle", "split", "split_by_class"]].tolist() == pytest.approx([auc(*sides)] * 3)
    assert auc(*sides) > 0.6
    low, high = accuracy_interval(split(of_one_class(*sides)).rates, 400, 90)
    assert (table.accuracy_low.split, table.accuracy_high.split) == (low, high)
    for rows in (table.drop("oracle"), correctness):
        assert (rows.auc_low < rows.auc).all()
        assert (rows.auc < rows.auc_high).all()
        assert (rows.accuracy_low < rows.accuracy).all()
        assert (rows.accuracy < rows.accuracy_high).all()
    chance = (table.chance_accuracy.oracle, table.chance_accuracy_95th.oracle)
    assert chance == oracle_chance(400, 90)
    assert (table.members.oracle, table.nonmembers.oracle) == (400, 90)


@pytest.mark.parametrize(
    ("members", "nonmembers", "resolved"),
    [(1200, 90, [False, False]), (90, 500, [True, False]), (90, 1200, [True, True])],
)
def test_the_number_of_non_members_decides_which_rates_are_resolved(members, nonmembers, resolved):
    signal = leaking_signal(members, nonmembers, 0)
    row = evaluated({"benign": signal})[0].membership_inference.iloc[0]
    rates = {"tpr_at_1pct_fpr": 0.01, "tpr_at_0.1pct_fpr": 0.001}
    assert row[list(rates)].notna().tolist() == resolved
    roc = ROC.of(*sides_of(signal))
    for column, there in zip(rates, resolved, strict=True):
        point = roc.at(rates[column])
        assert (point is not None) == there
        assert point is None or row[column] == point.true_positive_rate
