"""All attacks of the registry together: each on its own signals, and finding what is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robustmia.inference.attack_scores import EvaluationSet, threshold_all
from robustmia.inference.attacks.base import Observation, run_attacks
from robustmia.inference.record_results import RecordResults
from synthetic import ShadowedSignals, all_attacks

LEAKS = {"benign": 0.0, "adversarial": 1.0, "verified": 2.5}  # each signal leaks more than the last


def observations(drawn: ShadowedSignals, records: EvaluationSet) -> list[Observation]:
    return [Observation.of(name, file, records, drawn.shadows.logits[name]) for name, file in drawn.target.items()]


def test_all_attacks_use_their_own_signal_and_find_what_is_there():
    """Attacks find what leaks under thresholds of shadow models alone."""
    drawn = ShadowedSignals.draw(LEAKS | {"targeted": 2.0})
    thresholded = threshold_all(run_attacks(all_attacks(), observations(drawn, drawn.records)))
    accuracy = {(one.attack.signal, one.attack.strategy, one.rule): one.decisions.rates.accuracy for one in thresholded}
    for strategy in ("modified_entropy", "lira_online", "rmia_online", "rmia_offline", "privacy_risk"):
        found = [accuracy[name, strategy, "shadow"] for name in LEAKS]
        assert found[0] == pytest.approx(0.5, abs=0.06), strategy
        assert found[2] > found[1] > 0.55, strategy
    assert accuracy["all", "joint", "shadow"] > accuracy["verified", "I_V", "shadow"] - 0.02
    assert accuracy["targeted", "I_T", "split"] > 0.75
    assert accuracy["targeted", "I_T_shadow", "shadow"] > 0.75
    assert accuracy["targeted", "I_T_shadow", "shadow_by_class"] > 0.75
    results = RecordResults.of(np.arange(600), thresholded, drawn.records)
    with_risk = np.isfinite(results.risks).all(axis=1)
    assert set(results.attacks[~with_risk]) == {*(f"{name}/correctness" for name in LEAKS), "targeted/I_T"}


@pytest.mark.parametrize(("kept", "left_out"), [(4, 2), (8, 1)])
def test_too_few_shadow_models_or_too_few_of_a_kind_are_an_error(kept, left_out):
    drawn = ShadowedSignals.draw(LEAKS)
    in_mask = drawn.shadows.in_mask[:kept].copy()
    if left_out == 1:  # all but one are trained on the first record
        in_mask[:, 0] = np.arange(kept) > 0
    records = replace(drawn.records, in_mask=in_mask)
    seen = [replace(one, shadow_logits=one.shadow_logits[:kept]) for one in observations(drawn, records)]
    with pytest.raises(ValueError, match=f"{kept} shadow models"):
        run_attacks(all_attacks(), seen)


def test_without_shadow_models_the_attacks_that_need_none_are_run():
    drawn = ShadowedSignals.draw(LEAKS | {"targeted": 2.0})
    records = replace(drawn.records, in_mask=None)
    seen = [Observation.of(name, file, records) for name, file in drawn.target.items()]
    results = run_attacks(all_attacks(), seen)
    assert {result.name for result in results} == {
        *("benign/I_B", "benign/modified_entropy", "benign/correctness"),
        *("adversarial/I_A", "adversarial/modified_entropy", "adversarial/correctness"),
        *("verified/I_V", "verified/modified_entropy", "verified/correctness"),
        *("targeted/mean_log_odds", "targeted/modified_entropy", "targeted/I_T"),
    }
    assert all(result.shadow_scores is None for result in results)
