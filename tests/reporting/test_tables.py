"""Tables from known rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reporting_helpers import over_seeds, robustness_and_membership
from robustmia.files.tables import read_table, write_table
from robustmia.reporting.tables import (
    concatenate,
    in_percent,
    leakage_and_gap,
    paper_note,
    paper_table,
    render,
    verification_note,
    verification_table,
)
from robustmia.signals.adversarial import Adversarial
from robustmia.signals.verified import Verified

ATTACK = Adversarial(name="adversarial", epsilon=0.1, steps=20).in_words()
VERIFIED = Verified(name="verified", epsilon=0.05, clip_pixels=True, verifiers=["interval", "crown"]).in_words()
ATTACK_ONLY = {"adversarial": ATTACK}
BOTH = {"adversarial": ATTACK, "verified": VERIFIED}


def test_the_papers_table_has_means_and_deviations_over_seeds():
    table = paper_table(*robustness_and_membership()).set_index("run")
    assert list(table.index) == ["natural", "my_pgd", "(chance)"]
    by_chance = table.loc["(chance)"].dropna()
    assert by_chance.to_dict() == {"I_B oracle": 0.514, "I_B split": 0.5, "I_A oracle": 0.514, "I_A split": 0.5}
    table = table.drop("(chance)")
    assert list(table.columns[::2]) == [
        "train", "test", "adv. train", "adv. test", "I_B oracle", "I_B split", "I_A oracle", "I_A split",
    ]  # fmt: skip
    assert table.test.tolist() == pytest.approx([0.85, 0.85])
    assert table["test sd"].tolist() == pytest.approx([np.std([0.9, 0.8], ddof=1)] * 2)
    assert table["adv. train"].tolist() == pytest.approx([0.8, 0.9])
    assert table["I_B split"].tolist() == pytest.approx([0.60, 0.61])
    assert table["I_A split"].tolist() == pytest.approx([0.70, 0.71])
    assert table["I_A oracle"].tolist() == pytest.approx([0.8, 0.8])


def test_the_papers_layout_has_verified_accuracies_and_i_v_and_no_strategy_but_the_papers():
    robustness, membership = robustness_and_membership()
    robustness["verified_test_accuracy"] = 0.3
    extra = [
        membership[membership.strategy == "I_A"].assign(strategy=name, signal=signal, accuracy=accuracy)
        for name, signal, accuracy in (
            ("I_V", "verified", 0.55),
            ("I_V_own", "own_verified", 0.9),
            ("lira_online", "benign", 0.8),
        )
    ]
    table = paper_table(robustness, pd.concat([membership, *extra]))
    assert table["ver. test"].tolist()[:2] == pytest.approx([0.3, 0.3])
    assert table["I_V split"].tolist() == pytest.approx([0.55, 0.55, 0.5])
    assert not [column for column in table if "own" in column or "lira" in column or column == "ver. train"]


def test_the_verifiers_table_has_a_column_for_each_and_means_over_seeds():
    long = pd.DataFrame(
        [
            {"dataset": "d", "run": run, "method": "m", "seed": seed, "verifier": verifier, "is_own": False}
            | {
                "verified_train_accuracy": 0.9,
                "verified_test_accuracy": base + 0.1 * seed + 0.3 * (verifier == "tightest"),
                "estimated_seconds": 4.5,
                "tighter_verifier": "alpha_crown",
                "tighter_seconds": 321.0,
            }
            for run, base in (("z", 0.1), ("a", 0.2))
            for seed in (0, 1)
            for verifier in ("tightest", "dual", "interval")
        ]
    )
    table = verification_table(long)
    assert table.run.tolist() == ["z", "a"]
    assert table.columns.tolist()[1::2] == ["intervals", "dual bounds", "tightest"]
    assert table["intervals"].tolist() == pytest.approx([0.15, 0.25])
    assert table["tightest"].tolist() == pytest.approx([0.45, 0.55])
    assert table["intervals sd"].tolist() == pytest.approx([np.std([0, 0.1], ddof=1)] * 2)
    text = render("markdown", table, verification_note(long, {"verified": VERIFIED}))
    assert "| 45.0 ± 7.1" in text
    assert "l-inf ball of radius 0.05, cut to valid pixels" in text
    assert "about 4 s together at most; alpha-CROWN would be tighter, in about 5 min at most." in text
    tightest = verification_note(long.assign(tighter_verifier=None, tighter_seconds=None), {"verified": VERIFIED})
    assert tightest.endswith("none is tighter.")


def test_one_seed_has_no_deviation():
    robustness, membership = robustness_and_membership(seeds=(3,))
    table = paper_table(robustness, membership)
    assert table["test sd"].isna().all()
    text = render("markdown", table, paper_note(membership, ATTACK_ONLY))
    assert "| 60.0 " in text
    assert "±" not in text
    assert "one seed" in text


def test_renderings_say_what_they_show():
    robustness, membership = robustness_and_membership()
    table = paper_table(robustness, membership)
    markdown = render("markdown", table, paper_note(membership, ATTACK_ONLY))
    assert "| 85.0 ± 7.1 |" in markdown
    assert "50 members and 40 non-members" in markdown
    assert "| (chance) |" in markdown
    assert "chance is above 50 %" in markdown
    assert "l-inf ball of radius 0.1, 20 steps" in markdown
    assert "verified" not in markdown.lower()
    both = paper_note(membership, BOTH)
    assert "l-inf ball of radius 0.1, 20 steps" in both
    assert "l-inf ball of radius 0.05, cut to valid pixels, bounds by intervals, CROWN" in both
    latex = render("latex", table, paper_note(membership, BOTH))
    assert r"my pgd & 99.0 $\pm$ 0.0 & 85.0 $\pm$ 7.1" in latex
    assert r"$\mathcal{I}_\mathrm{A}$ split" in latex
    assert all("_" not in line.replace(r"\mathcal{I}_", "") for line in latex.splitlines() if not line.startswith("%"))
    assert "<td>85.0 ± 7.1</td>" in render("html", table, paper_note(membership, BOTH))


def test_the_gap_is_train_minus_test_and_the_leakage_is_honest():
    robustness, membership = robustness_and_membership()
    table = leakage_and_gap(robustness, membership, over_seeds(membership)).set_index(["run", "seed"])
    assert table.robust_gap.loc["natural"].tolist() == pytest.approx([0.3, 0.3])
    assert table.robust_gap.loc["my_pgd"].tolist() == pytest.approx([0.4, 0.4])
    assert table.accuracy.loc["my_pgd"].tolist() == pytest.approx([0.71, 0.71])
    np.testing.assert_allclose(table.loc["my_pgd", ["low", "high"]], [[0.70, 0.73]] * 2)


def test_tables_are_put_together_and_come_back_as_they_were(tmp_path):
    first = pd.DataFrame({"run": ["NA", "b"], "x": [0.1 + 0.2, None]})
    write_table(first, tmp_path / "a.csv")
    write_table(first.assign(run="c"), tmp_path / "b.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.csv"), first)
    both = concatenate([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert both.run.tolist() == ["NA", "b", "c", "c"]
    write_table(both, tmp_path / "both.csv")
    assert (tmp_path / "both.csv").read_text().splitlines()[1] == "NA,0.30000000000000004"


def test_a_cell_without_results_is_empty_and_one_of_fewer_seeds_has_no_deviation():
    robustness, membership = robustness_and_membership(runs=("natural", "my_pgd", "ibp"))
    for table in (robustness, membership):
        lost = (table.run == "ibp") | ((table.run == "my_pgd") & (table.seed == 1))
        table.loc[lost, table.columns.difference(["dataset", "run", "method", "seed"])] = np.nan
    shown = in_percent(paper_table(robustness, membership), " ± ").set_index("run")
    assert set(shown.loc["ibp"]) == {""}
    assert "" not in set(shown.loc["my_pgd"])
    assert "±" not in shown.loc["my_pgd", "train"]  # of one seed
    assert "mean ± standard deviation over 2 seeds; 50 members" in paper_note(membership, ATTACK_ONLY)


def test_every_paragraph_of_a_note_is_a_comment_in_latex_and_a_paragraph_in_html():
    table, note = paper_table(*robustness_and_membership()), "A note of 5 %.\n\nAnother one."
    latex = render("latex", table, note)
    assert [line for line in latex.splitlines() if "note" in line] == ["% A note of 5 percent. Another one."]
    assert "<p>A note of 5 %.</p><p>Another one.</p>" in render("html", table, note)
