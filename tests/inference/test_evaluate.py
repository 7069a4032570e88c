"""What evaluation makes of signals: which attacks are run on which, and the rows that they get."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from robustmia.config.registry import COLUMNS
from robustmia.inference.attack_scores import AttackScores
from robustmia.inference.attacks.base import Attack, Observation
from robustmia.inference.evaluate import evaluate, load_columns
from robustmia.inference.scores import log_odds
from robustmia.inference.settings import AttackSettings
from robustmia.inference.soundness import SoundnessError
from synthetic import IDENTITY, Bounded, ShadowedSignals, all_attacks, evaluated, leaking_signal

RULES = ("oracle", "split", "split_by_class")
SHADOW_RULES = (*RULES, "shadow", "shadow_by_class")
ON_LOG_ODDS_OF_SHADOWS = (
    *("lira_online", "lira_offline"),
    *("rmia_online", "rmia_offline", "privacy_risk"),
)


def strategies(table) -> dict[str, set[str]]:
    """The strategies on each signal, each with its rules."""
    return table.groupby("signal").strategy.agg(set).to_dict()


def test_rows_have_the_columns_of_the_contract():
    signals = {"benign": leaking_signal(150, 120, 0), "adversarial": leaking_signal(150, 120, 1)}
    results, _ = evaluated(signals)
    table = results.membership_inference
    wanted = [
        "dataset",
        "run",
        "method",
        "seed",
        "signal",
        "strategy",
        "threshold_rule",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "advantage",
        "auc",
        "tpr_at_1pct_fpr",
        "tpr_at_0.1pct_fpr",
        "members",
        "nonmembers",
    ]
    assert set(wanted) <= set(table.columns)
    assert set(zip(table.signal, table.strategy, table.threshold_rule, strict=True)) == {
        *(("benign", strategy, rule) for strategy in ("I_B", "modified_entropy") for rule in RULES),
        ("benign", "correctness", "fixed"),
        *(("adversarial", strategy, rule) for strategy in ("I_A", "modified_entropy") for rule in RULES),
        ("adversarial", "correctness", "fixed"),
    }
    assert len(table) == 14
    for name, value in IDENTITY.items():
        assert (table[name] == value).all()
    robustness = results.robustness.iloc[0]
    correct = table[(table.strategy == "correctness") & (table.signal == "benign")].iloc[0]
    assert correct.accuracy == pytest.approx(0.5 + (robustness.train_accuracy - robustness.test_accuracy) / 2)


def test_i_v_scores_the_least_probability_of_the_true_class():
    """p_y = 1 / (1 + sum of exp b_k), thresholded at its best on the evaluated records."""
    model = Bounded.draw()
    bounds = model.verified()
    p = [
        1 / (1 + np.where(np.arange(3) == labels[:, None], 0, np.exp(upper.astype(float))).sum(axis=1))
        for upper, labels in zip((bounds.members, bounds.nonmembers), model.labels, strict=True)
    ]
    rows = evaluated({"verified": bounds})[0].membership_inference
    oracle = rows[(rows.strategy == "I_V") & (rows.threshold_rule == "oracle")].accuracy.item()
    false_positive, true_positive, _ = roc_curve(np.repeat([1, 0], list(map(len, p))), np.concatenate(p))
    assert oracle == pytest.approx(0.5 + 0.5 * (true_positive - false_positive).max())


def test_the_own_verifiers_signal_gets_its_attack_and_correctness_alone():
    model = Bounded.draw()
    results, records = evaluated(model.signals | {"verified": model.verified()}, "interval", model.signals)
    found = strategies(results.membership_inference)
    assert found["own_verified"] == {"I_V_own", "correctness"}
    assert found["verified"] == {"I_V", "modified_entropy", "correctness"}
    assert {"own_verified/I_V_own", "own_verified/correctness"} <= set(records.attacks)
    loose = model.verified().under("interval")
    score = records.scores[list(records.attacks).index("own_verified/I_V_own")]
    np.testing.assert_allclose(score[:40], log_odds(loose.members, model.labels[0]), rtol=1e-6)


def test_the_own_verifiers_signal_gets_no_more_with_shadow_models():
    drawn = ShadowedSignals.draw({"benign": 1.0})
    benign = drawn.target["benign"]
    attacks = all_attacks()
    _, records = evaluated(drawn.target | {"own_verified": benign}, shadows=drawn.shadows, attacks=attacks)
    named = {name.partition("/")[2] for name in records.attacks if name.startswith("own_verified/")}
    assert named == {"I_V_own", "correctness"}
    assert not any(name.startswith("own_verified/") and "shadow" in name for name in records.thresholded)


@pytest.mark.parametrize("own", [None, "crown"])
def test_without_a_verifier_of_its_own_a_model_has_no_row_for_it(own):
    model = Bounded.draw()
    table = evaluated(model.signals | {"verified": model.verified()}, own, model.signals)[0].membership_inference
    assert "I_V_own" not in set(table.strategy)
    assert "own_verified" not in set(table.signal)


def test_a_signal_that_is_not_of_the_paper_gets_attacks_too():
    signals = {"benign": leaking_signal(150, 120, 0), "blurred": leaking_signal(150, 120, 1)}
    results, records = evaluated(signals)
    table = results.membership_inference
    assert strategies(table)["blurred"] == {"log_odds", "modified_entropy", "correctness"}
    found = table[(table.signal == "blurred") & (table.strategy == "log_odds")]
    assert set(found.threshold_rule) == set(RULES)
    score = records.scores[list(records.attacks).index("blurred/log_odds")]
    blurred = signals["blurred"]
    np.testing.assert_allclose(score[:150], log_odds(blurred.members, blurred.member_labels), rtol=1e-6)
    assert "log_odds" not in strategies(table)["benign"]


def test_signals_that_are_none_of_the_papers_can_be_evaluated_by_themselves():
    results, records = evaluated({"blurred": leaking_signal(150, 120, 0)})
    assert strategies(results.membership_inference) == {"blurred": {"log_odds", "modified_entropy", "correctness"}}
    assert set(records.attacks) == {"blurred/log_odds", "blurred/modified_entropy", "blurred/correctness"}
    assert results.roc.empty
    assert results.loss_histogram.empty


def test_a_signal_that_is_not_of_the_paper_is_attacked_with_shadow_models_too():
    drawn = ShadowedSignals.draw({"benign": 0.0, "blurred": 2.5})
    results, records = evaluated(drawn.target, shadows=drawn.shadows)
    table = results.membership_inference
    assert strategies(table)["blurred"] == {"log_odds", "modified_entropy", "correctness", *ON_LOG_ODDS_OF_SHADOWS}
    table = table[table.signal == "blurred"].set_index(["strategy", "threshold_rule"])
    for strategy in ("log_odds", *ON_LOG_ODDS_OF_SHADOWS):
        assert set(table.loc[strategy].index) == set(SHADOW_RULES), strategy
        assert table.accuracy[strategy, "shadow"] > 0.7, strategy
    assert np.isfinite(records.risk("blurred/log_odds")).all()
    assert ("all/joint/shadow") in set(records.thresholded)


def test_attacks_that_need_shadow_models_are_left_out_where_there_are_none():
    model = Bounded.draw()
    table = evaluated(model.signals | {"targeted": model.targeted()})[0].membership_inference
    found = strategies(table)
    assert found == {
        "benign": {"I_B", "modified_entropy", "correctness"},
        "adversarial": {"I_A", "modified_entropy", "correctness"},
        "targeted": {"mean_log_odds", "modified_entropy", "I_T"},
    }
    assert not table.threshold_rule.str.startswith("shadow").any()
    assert table[table.strategy == "I_T"].threshold_rule.tolist() == ["split"]


def test_records_have_the_risk_of_each_attack_only_with_shadow_models():
    drawn = ShadowedSignals.draw({"benign": 1.0})
    _, without = evaluated(drawn.target)
    assert np.isnan(without.risks).all()
    _, records = evaluated(drawn.target, shadows=drawn.shadows)
    with_risk = np.isfinite(records.risks).all(axis=1)
    assert set(records.attacks[~with_risk]) == {"benign/correctness"}


class Again(Attack):
    """I_B under another name."""

    name = "again"

    def applies_to(self, signal: str) -> bool:
        return signal == "benign"

    def on_signal(self, seen: Observation) -> AttackScores:
        return seen.result(self.name, log_odds(seen.logits, seen.records.labels))


def test_records_have_a_sensitivity_with_shadow_models_alone():
    drawn = ShadowedSignals.draw({"benign": 0.0, "adversarial": 2.0})
    _, without = evaluated(drawn.target)
    _, found = evaluated(drawn.target, shadows=drawn.shadows)
    assert len(without.sensitive) == 0
    assert found.sensitivity_of("benign").mean() == pytest.approx(0.0, abs=0.03)
    assert found.sensitivity_of("adversarial").mean() > 0.1


def test_a_second_strategy_on_a_signal_counts_nothing_twice():
    signals = Bounded.draw().signals
    results, _ = evaluated(signals, attacks=[*all_attacks(), Again(AttackSettings())])
    table = results.membership_inference
    assert (table.strategy == "correctness").sum() == 2
    assert results.loss_histogram[results.loss_histogram.signal == "benign"].records.sum() == 70
    assert set(table.strategy) == {"I_B", "I_A", "again", "modified_entropy", "correctness"}
    named = table[table.threshold_rule == "split"].set_index("strategy").accuracy
    assert named["again"] == named["I_B"]


def test_signals_outside_the_verified_ball_may_do_what_they_like():
    model = Bounded.draw()
    bad = model.adversarial
    wild = type(bad)(-bad.members, bad.nonmembers, bad.member_labels, bad.nonmember_labels)
    signals = {"benign": model.benign, "adversarial": wild, "verified": model.verified()}
    evaluated(signals, None, ["benign"])
    with pytest.raises(SoundnessError) as raised:
        evaluated(signals, None, ["benign", "adversarial"])
    assert "d/r/seed4" in str(raised.value)
    assert "adversarial" in str(raised.value)


def test_the_identity_may_have_other_columns_where_nothing_is_verified():
    signals = {"benign": leaking_signal(150, 120, 0)}
    results, _ = evaluate({"run": "r"}, signals, np.arange(270), all_attacks(), load_columns(COLUMNS.values()))
    assert results.membership_inference.columns[0] == "run"
