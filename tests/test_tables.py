"""Tables from known rows, and figures that show what they are given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from robustmia import plots
from robustmia.figure_settings import FigureSettings
from robustmia.logits import Examples
from robustmia.table_files import read_table, write_table
from robustmia.tables import (
    concatenate,
    in_percent,
    leakage_and_gap,
    missing_note,
    paper_note,
    paper_table,
    render,
    verification_note,
    verification_table,
)

ATTACK = {"norm": "linf", "epsilon": 0.1, "steps": 20}
VERIFIED = {"epsilon": 0.05, "clip_pixels": True, "verifiers": ["interval", "interval_dual"]}


def rows(runs=("natural", "my_pgd"), seeds=(0, 1)) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Robustness and membership rows whose numbers tell where they came from."""
    robustness, membership = [], []
    for position, run in enumerate(runs):
        for seed in seeds:
            about = {"dataset": "d", "run": run, "method": "pgd", "seed": seed}
            accuracies = {
                "train_accuracy": 0.99,
                "test_accuracy": 0.9 - seed / 10,
                "adv_train_accuracy": 0.8 + position / 10,
            }
            empty = {"verified_train_accuracy": None, "verified_test_accuracy": None}
            robustness.append(about | accuracies | {"adv_test_accuracy": 0.5} | empty)
            for strategy, signal in (("I_B", "benign"), ("I_A", "adversarial")):
                for rule, accuracy in (("oracle", 0.7), ("split", 0.6 + position / 100), ("fixed", 0.1)):
                    accuracy += (strategy == "I_A") / 10
                    membership.append(
                        about
                        | {"signal": signal, "strategy": strategy if rule != "fixed" else "correctness"}
                        | {"threshold_rule": rule, "accuracy": accuracy}
                        | {"accuracy_low": accuracy - 0.01, "accuracy_high": accuracy + 0.02}
                        | {"floor_accuracy": 0.514 if rule == "oracle" else None, "members": 50, "nonmembers": 40}
                    )
    return pd.DataFrame(robustness), pd.DataFrame(membership)


def test_the_papers_table_has_means_and_deviations_over_seeds():
    table = paper_table(*rows()).set_index("run")
    assert list(table.index) == ["natural", "my_pgd"]
    assert list(table.columns[::2]) == [
        "train", "test", "adv. train", "adv. test", "I_B oracle", "I_B split", "I_A oracle", "I_A split",
    ]  # fmt: skip
    assert table.test.tolist() == pytest.approx([0.85, 0.85])
    assert table["test sd"].tolist() == pytest.approx([np.std([0.9, 0.8], ddof=1)] * 2)
    assert table["adv. train"].tolist() == pytest.approx([0.8, 0.9])
    assert table["I_B split"].tolist() == pytest.approx([0.60, 0.61])
    assert table["I_A split"].tolist() == pytest.approx([0.70, 0.71])
    assert table["I_A oracle"].tolist() == pytest.approx([0.8, 0.8])


def test_the_papers_layout_has_verified_accuracies_and_i_v_but_not_those_under_a_models_own_verifier():
    robustness, membership = rows()
    robustness["verified_test_accuracy"] = 0.3
    extra = [
        membership[membership.strategy == "I_A"].assign(strategy=name, signal=signal, accuracy=accuracy)
        for name, signal, accuracy in (("I_V", "verified", 0.55), ("I_V_own", "verified_own", 0.9))
    ]
    table = paper_table(robustness, pd.concat([membership, *extra]))
    assert table["ver. test"].tolist() == pytest.approx([0.3, 0.3])
    assert table["I_V split"].tolist() == pytest.approx([0.55, 0.55])
    assert not [column for column in table if "own" in column or column == "ver. train"]


def test_the_verifiers_table_has_a_column_for_each_and_means_over_seeds():
    long = pd.DataFrame(
        [
            {"dataset": "d", "run": run, "method": "m", "seed": seed, "verifier": verifier, "is_own": False}
            | {
                "verified_train_accuracy": 0.9,
                "verified_test_accuracy": base + 0.1 * seed + 0.3 * (verifier == "tightest"),
            }
            for run, base in (("z", 0.1), ("a", 0.2))
            for seed in (0, 1)
            for verifier in ("interval", "dual", "tightest")
        ]
    )
    table = verification_table(long)
    assert table.run.tolist() == ["z", "a"]
    assert table.columns.tolist()[1::2] == ["interval", "dual", "tightest"]
    assert table["interval"].tolist() == pytest.approx([0.15, 0.25])
    assert table["tightest"].tolist() == pytest.approx([0.45, 0.55])
    assert table["interval sd"].tolist() == pytest.approx([np.std([0, 0.1], ddof=1)] * 2)
    text = render("markdown", table, verification_note(VERIFIED))
    assert "| 45.0 ± 7.1" in text
    assert "l-inf ball of radius 0.05, cut to valid pixels, as far as" in text


def test_one_seed_has_no_deviation():
    robustness, membership = rows(seeds=(3,))
    table = paper_table(robustness, membership)
    assert table["test sd"].isna().all()
    text = render("markdown", table, paper_note(membership, ATTACK, None))
    assert "| 60.0 " in text
    assert "±" not in text
    assert "one seed" in text


def test_renderings_say_what_they_show():
    robustness, membership = rows()
    table = paper_table(robustness, membership)
    markdown = render("markdown", table, paper_note(membership, ATTACK, None))
    assert "| 85.0 ± 7.1 |" in markdown
    assert "50 members and 40 non-members" in markdown
    assert "gives 51.4 % without any information" in markdown
    assert "l-inf ball of radius 0.1, 20 steps" in markdown
    assert "Verified" not in markdown
    verified = paper_note(membership, ATTACK, VERIFIED)
    assert (
        "Verified: l-inf ball of radius 0.05, cut to valid pixels, the tightest of interval, interval dual." in verified
    )
    latex = render("latex", table, paper_note(membership, ATTACK, VERIFIED))
    assert r"my pgd & 99.0 $\pm$ 0.0 & 85.0 $\pm$ 7.1" in latex
    assert r"$\mathcal{I}_\mathrm{A}$ split" in latex
    assert all("_" not in line.replace(r"\mathcal{I}_", "") for line in latex.splitlines() if not line.startswith("%"))
    assert "<td>85.0 ± 7.1</td>" in render("html", table, paper_note(membership, ATTACK, VERIFIED))


def test_the_gap_is_train_minus_test_and_the_leakage_is_honest():
    table = leakage_and_gap(*rows()).set_index(["run", "seed"])
    assert table.robust_gap.loc["natural"].tolist() == pytest.approx([0.3, 0.3])
    assert table.robust_gap.loc["my_pgd"].tolist() == pytest.approx([0.4, 0.4])
    assert table.accuracy.loc["my_pgd"].tolist() == pytest.approx([0.71, 0.71])


def test_tables_are_put_together_and_come_back_as_they_were(tmp_path):
    first = pd.DataFrame({"run": ["NA", "b"], "x": [0.1 + 0.2, None]})
    write_table(first, tmp_path / "a.csv")
    write_table(first.assign(run="c"), tmp_path / "b.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.csv"), first)
    both = concatenate([tmp_path / "a.csv", tmp_path / "b.csv"], {})
    assert both.run.tolist() == ["NA", "b", "c", "c"]
    write_table(both, tmp_path / "both.csv")
    assert (tmp_path / "both.csv").read_text().splitlines()[1] == "NA,0.30000000000000004"


def test_targets_without_results_have_a_row_in_their_place(tmp_path):
    columns = {"dataset": "digits", "run": ["a", "a"], "method": "natural", "seed": [0, 1], "test_accuracy": [0.5, 0.6]}
    first = pd.DataFrame(columns)
    write_table(first.iloc[:1], tmp_path / "a0.csv")
    write_table(first.iloc[1:].assign(run="c"), tmp_path / "c1.csv")
    lost = {"dataset": "digits", "run": "b", "method": "pgd", "seed": 0}
    table = concatenate([tmp_path / "a0.csv", tmp_path / "c1.csv"], {"1": lost, "3": lost | {"seed": 7}})
    assert table.run.tolist() == ["a", "b", "c", "b"]
    assert table.seed.tolist() == [0, 0, 1, 7]
    assert table.test_accuracy.isna().tolist() == [False, True, False, True]
    assert list(table) == list(first)


def test_a_run_without_results_is_marked_and_one_of_fewer_seeds_is_not():
    robustness, membership = rows(runs=("natural", "my_pgd", "ibp"))
    for table in (robustness, membership):
        lost = (table.run == "ibp") | ((table.run == "my_pgd") & (table.seed == 1))
        table.loc[lost, table.columns.difference(["dataset", "run", "method", "seed"])] = np.nan
    shown = in_percent(paper_table(robustness, membership), " ± ").set_index("run")
    assert set(shown.loc["ibp"]) == {"missing"}
    assert "missing" not in set(shown.loc["my_pgd"])
    assert "±" not in shown.loc["my_pgd", "train"]  # of one seed
    attack = {"norm": "linf", "epsilon": 0.1, "steps": 5}
    assert "mean ± standard deviation over 2 seeds; 50 members" in paper_note(membership, attack, None)
    assert missing_note(["ibp", "seed 1 of my_pgd"]) == [
        "Missing, since jobs failed: ibp, seed 1 of my_pgd. The same command makes what is missing."
    ]
    assert missing_note([]) == []
    latex = render("latex", paper_table(robustness, membership), "A note.\n\nMissing, since jobs failed: ibp.")
    assert [line for line in latex.splitlines() if "Missing" in line] == ["% A note. Missing, since jobs failed: ibp."]


# ---------------------------------------------------------------- figures


MANY = tuple(f"run{number}" for number in range(12))


def lines(figure) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xydata() for axis in figure.axes for line in axis.lines}


def test_every_run_is_drawn_however_many_there_are():
    robustness, membership = rows(MANY)
    settings = FigureSettings()
    assert len(plots.inference_accuracy(membership, MANY, settings).axes[0].get_yticks()) == 12
    gap = plots.leakage_and_gap(leakage_and_gap(robustness, membership), MANY, settings)
    assert {text.get_text() for text in gap.legends[0].get_texts()} >= set(MANY)
    curve = pd.DataFrame({"false_positive_rate": [0.1, 1.0], "true_positive_rate": [0.2, 1.0]})
    curve = curve.assign(true_positive_rate_low=0.1, true_positive_rate_high=1.0, strategy="I_B", signal="benign")
    drawn = lines(plots.roc(pd.concat([curve.assign(run=run) for run in MANY]), MANY, settings))
    assert set(MANY) <= set(drawn)
    np.testing.assert_allclose(drawn["run3"], [[0.1, 0.2], [1.0, 1.0]])


def test_training_curves_show_the_side_and_kind_they_name():
    values = {"member_clean": 0.9, "member_adversarial": 0.7, "nonmember_clean": 0.8, "nonmember_adversarial": 0.6}
    table = pd.DataFrame({"run": "a", "epoch": [1, 2], **{name: [0.1, value] for name, value in values.items()}})
    drawn = lines(plots.training_curves(table, ["a"], FigureSettings()))
    ends = {label: xy[-1].tolist() for label, xy in drawn.items()}
    assert ends == {
        "members, clean": [2, 0.9],
        "members, adversarial": [2, 0.7],
        "non-members, clean": [2, 0.8],
        "non-members, adversarial": [2, 0.6],
    }


def test_training_without_a_monitor_is_said():
    table = pd.DataFrame({"run": "a", "epoch": [1, 2]}).assign(
        **dict.fromkeys(["member_clean", "member_adversarial", "nonmember_clean", "nonmember_adversarial"], np.nan)
    )
    figure = plots.training_curves(table, ["a"], FigureSettings())
    assert [text.get_text() for text in figure.axes[0].texts] == ["no monitor"]


def test_examples_show_wrong_predictions_as_wrong():
    images = np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float32)
    labels = np.array([0, 1])
    shown = Examples(labels, images, 1 - images, labels, labels, np.array([0, 0]))
    figure = plots.examples({"a": shown}, ["cat", "a very long name"], FigureSettings())
    said = [(axis.get_xlabel(), axis.xaxis.label.get_fontweight()) for axis in figure.axes]
    assert said[0] == ("cat", "normal")
    assert said[2] == ("cat", "normal")
    assert said[3] == ("a very l…", "normal")
    assert said[5] == ("cat", "bold")


def test_what_is_missing_stands_above_a_figure(tmp_path):
    for missing, said in (((), []), (("trades", "seed 1 of pgd"), ["missing: trades, seed 1 of pgd"])):
        figure = plots.plt.figure()
        plots.save(figure, [tmp_path / "figure.png"], missing)
        assert [text.get_text() for text in figure.texts] == said
