"""The risk of each record, and whether models agree on it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from robustmia.inference.record_risk import agreement_table, record_table, risk_table
from synthetic import RECORDS, record_results


def test_records_have_scores_risks_and_changes():
    robust, natural = (
        record_results(0, {"all/joint/split": 0.7}, source=1),
        record_results(0, {"all/joint/split": 0.6}, source=2),
    )
    names = np.array([f"file{row}" for row in range(RECORDS)])
    table = record_table(robust, natural, names)
    assert table.name.tolist() == [f"file{row}" for row in robust.rows]
    assert table.record.tolist() == robust.rows.tolist()
    assert table.member.tolist() == robust.is_member.tolist()
    np.testing.assert_allclose(table.score_all_joint, robust.scores[0], rtol=1e-3)
    np.testing.assert_allclose(table.risk_change_all_joint, robust.risks[0] - natural.risks[0], rtol=1e-3, atol=1e-6)
    assert "risk_change_all_joint" not in record_table(natural, None, names)


def test_the_risk_table_has_every_record_and_its_change_is_from_the_same_seed():
    runs = {
        (run, seed): record_results(seed, {"all/joint/split": leak}, source=source)
        for source, (run, leak) in enumerate({"natural": 0.55, "pgd": 0.7}.items())
        for seed in (0, 1)
    }
    table = risk_table(runs, "natural")
    assert len(table) == 4 * RECORDS
    assert (table.groupby(["run", "seed"]).member.sum() == 500).all()
    assert risk_table(runs, None).risk_change.isna().all()
    assert table[table.run == "natural"].risk_change.isna().all()
    row = table[(table.run == "pgd") & (table.seed == 1)].iloc[5]
    position = list(runs["pgd", 1].rows).index(row.record)
    assert row.risk == pytest.approx(runs["pgd", 1].risks[0][position])
    change = runs["pgd", 1].risks[0][position] - runs["natural", 1].risks[0][position]
    assert row.risk_change == pytest.approx(change, abs=1e-6)


def test_agreement_is_that_of_common_members_beside_that_of_common_non_members():
    """Members agree over seeds and disagree over runs; non-members show what agreement there is without training on a record."""
    parts = []
    for run, seed, sign in (("a", 0, 1), ("a", 1, 1), ("b", 0, -1)):
        record = np.arange(300)
        member = record < (100 if seed == 0 else 150)
        risk = np.where(member, sign * record, record) / 300
        parts.append(pd.DataFrame({"run": run, "seed": seed, "record": record, "member": member, "risk": risk}))
    table = agreement_table(pd.concat(parts)).set_index("kind")
    assert table.members.to_dict() == {"seeds": 100, "methods": 100}
    assert table.spearman.to_dict() == pytest.approx({"seeds": 1.0, "methods": -1.0})
    assert table.overlap.to_dict() == pytest.approx({"seeds": 1.0, "methods": 0.0})
    assert table.nonmember_spearman.to_dict() == pytest.approx({"seeds": 1.0, "methods": 1.0})
    assert table.nonmember_overlap.to_dict() == pytest.approx({"seeds": 1.0, "methods": 1.0})


def test_records_that_tie_for_the_last_places_share_them():
    """Risks are a step function of the score: with independent steps the overlap is what chance gives, whatever the order of the records."""
    steps = np.random.default_rng(0).permutation(np.repeat([0.9, 0.5, 0.1], [2, 18, 80]))
    same = np.repeat([0.9, 0.5, 0.1], [2, 18, 80])
    parts = [
        pd.DataFrame({"run": run, "seed": 0, "record": np.arange(100), "member": True, "risk": risk})
        for run, risk in (("a", same), ("b", same), ("c", steps))
    ]
    table = agreement_table(pd.concat(parts)).set_index(["run_a", "run_b"])
    shares = np.repeat(
        [1.0, 3 / 18, 0.0], [2, 18, 80]
    )  # of the 5 most at risk, two are certain and three are any of 18
    assert table.overlap["a", "b"] == pytest.approx(shares @ shares / 5)
    assert table.overlap["a", "c"] == pytest.approx(shares @ shares[np.argsort(np.argsort(-steps, kind="stable"))] / 5)
