"""Figures, by what matplotlib was told to draw: each number where it belongs, in the look that the legend says."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba

from figure_helpers import FIRST, MANY, SECOND, labelled_lines
from reporting_helpers import over_seeds, robustness_and_membership
from robustmia.reporting.tables import leakage_and_gap

WHITE = (1.0, 1.0, 1.0, 1.0)


def test_accuracies_are_filled_under_split_and_hollow_under_oracle(draw):
    _, membership = robustness_and_membership()
    axis = draw("inference_accuracy", ["natural", "my_pgd"], over_seeds(membership)).axes[0]
    marks = [line for line in axis.lines if line.get_linestyle() == "None"]
    drawn = {
        (round(x, 6), round(y, 6)): (to_rgba(line.get_color()), to_rgba(line.get_markerfacecolor()))
        for line in marks
        for x, y in line.get_xydata()
    }
    assert drawn == {  # I_B a little above its run's tick, I_A a little below
        (0.7, -0.2): (FIRST, WHITE),
        (0.6, -0.2): (FIRST, FIRST),
        (0.8, 0.2): (SECOND, WHITE),
        (0.7, 0.2): (SECOND, SECOND),
        (0.7, 0.8): (FIRST, WHITE),
        (0.61, 0.8): (FIRST, FIRST),
        (0.8, 1.2): (SECOND, WHITE),
        (0.71, 1.2): (SECOND, SECOND),
    }
    assert [label.get_text() for label in axis.get_yticklabels()] == ["natural", "my pgd"]
    assert axis.yaxis_inverted()


def test_accuracies_have_the_interval_of_the_split_rule_and_the_floor_of_the_oracle(draw):
    _, membership = robustness_and_membership(runs=("natural",))
    figure = draw("inference_accuracy", ["natural"], over_seeds(membership))
    pairs = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    upright = {line.get_linestyle(): line.get_xdata() for line in pairs if list(line.get_ydata()) == [0, 1]}
    np.testing.assert_allclose([upright["-"], upright[":"]], [[0.5] * 2, [0.514] * 2])
    spans = [collection.get_segments()[0][:, 0] for collection in figure.axes[0].collections]
    np.testing.assert_allclose(spans, [[0.59, 0.62], [0.69, 0.72]])
    handles = {handle.get_label(): handle for handle in figure.legends[0].legend_handles}
    assert to_rgba(handles["oracle threshold"].get_markerfacecolor()) == WHITE
    assert handles["oracle on uninformative scores"].get_linestyle() == ":"


def test_each_panel_of_the_roc_is_of_the_strategy_in_its_title(draw):
    part = pd.DataFrame({"run": "a", "false_positive_rate": [0.01, 0.1, 1.0]})
    panels = {"I_B": ("benign", [0.2, 0.4, 1.0]), "I_A": ("adversarial", [0.3, 0.5, 1.0])}
    table = pd.concat(
        part.assign(strategy=strategy, signal=signal, true_positive_rate=rates)
        for strategy, (signal, rates) in panels.items()
    )
    axes = draw("roc", ["a"], table).axes
    assert [axis.get_title("left").partition(", ")[2] for axis in axes] == ["clean inputs", "adversarial inputs"]
    assert [axis.get_title("left")[len(r"$\mathcal{I}_\mathrm{")] for axis in axes] == ["B", "A"]
    for axis, (_, rates) in zip(axes, panels.values(), strict=True):
        curve, chance = axis.lines
        np.testing.assert_allclose(curve.get_xydata(), np.column_stack([[0.01, 0.1, 1.0], rates]))
        np.testing.assert_allclose(chance.get_xydata(), [[0.01, 0.01], [1, 1]])


def test_the_baseline_of_leakage_rises_by_half_the_gap(draw):
    """A record called a member if it is classified correctly: accuracy is 1/2 + gap / 2."""
    robustness, membership = robustness_and_membership()
    table = leakage_and_gap(robustness, membership, over_seeds(membership))
    axis = draw("leakage_and_gap", ["natural", "my_pgd"], table).axes[0]
    baseline = next(line for line in axis.lines if line.get_label() == "correctness baseline")
    np.testing.assert_allclose(baseline.get_xydata(), [[0, 0.5], [0.4, 0.7]])
    assert [container.get_label() for container in axis.containers] == ["natural", "my pgd"]
    for container, gap, accuracy in zip(axis.containers, (0.3, 0.4), (0.70, 0.71), strict=True):
        mean, _, (bar,) = container
        np.testing.assert_allclose(mean.get_xydata(), [[gap, accuracy]])
        np.testing.assert_allclose(bar.get_segments(), [[[gap, accuracy - 0.01], [gap, accuracy + 0.02]]])
    seeds = [line for line in axis.lines if line.get_alpha() == 0.35]
    np.testing.assert_allclose(seeds[0].get_xydata(), [[0.3, 0.70]] * 2)


def test_accuracies_are_filled_on_non_members_and_hollow_on_members(draw):
    """Three kinds from above; a run's members stand above its non-members; a tick for each seed."""
    values = {
        "train_accuracy": [0.99, 0.97],
        "test_accuracy": [0.9, 0.8],
        "adv_train_accuracy": [0.7, 0.6],
        "adv_test_accuracy": [0.5, 0.4],
        "verified_train_accuracy": [0.3, 0.2],
        "verified_test_accuracy": [0.2, 0.0],
    }
    tables = [pd.DataFrame(values).assign(run=run, seed=[0, 1]) for run in ("b", "a")]
    tables[1][list(values)] /= 2
    figure = draw("accuracies", ["b", "a"], pd.concat(tables))
    means = [line for line in figure.axes[0].lines if line.get_marker() != "|"]
    ticks = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    expected = {
        (round(np.mean(values[f"{prefix}{side}_accuracy"]) / (1 + position), 6), position + shift, side == "test")
        for prefix in ("", "adv_", "verified_")
        for position in (0, 1)
        for side, shift in (("train", -0.14), ("test", 0.14))
    }
    drawn = {
        (round(float(line.get_xdata()[0]), 6), float(line.get_ydata()[0]), line.get_markerfacecolor() != "white")
        for line in means
    }
    assert drawn == expected
    assert sorted(x for line in ticks for x in line.get_xdata()) == sorted(
        value / (1 + position) for column in values.values() for value in column for position in (0, 1)
    )
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["clean", "adversarial", "verified", "non-members", "members"]


def test_accuracies_without_the_verified_signal_have_two_kinds(draw):
    table = pd.DataFrame({"run": ["a"], "train_accuracy": 1.0, "test_accuracy": 0.9, "adv_train_accuracy": 0.8})
    table = table.assign(adv_test_accuracy=0.7, verified_train_accuracy=np.nan, verified_test_accuracy=np.nan)
    figure = draw("accuracies", ["a"], table)
    assert "verified" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_only_the_papers_strategies_are_in_its_figure(draw):
    rows = [
        {
            "run": "a",
            "strategy": strategy,
            "threshold_rule": rule,
            "quantity": "accuracy",
            "mean": 0.6,
            "low": 0.5,
            "high": 0.7,
            "chance": 0.51,
        }
        for strategy in ("I_V", "I_V_own", "lira_online")
        for rule in ("oracle", "split")
    ]
    figure = draw("inference_accuracy", ["a"], pd.DataFrame(rows))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len([label for label in labels if "honest threshold" in label]) == 1


def test_areas_are_in_the_order_of_the_table_and_means_over_seeds(draw):
    rows = [
        {"signal": signal, "strategy": strategy, "run": run, "seed": seed, "auc": area + 0.02 * seed}
        for run, shift in (("b", 0.0), ("a", 0.1))
        for seed in (0, 1)
        for signal, strategy, area in (
            ("s", "I_B", 0.5),
            ("s", "lira_online", 0.6),
            ("t", "correctness", 0.9),
            ("all", "joint", 0.7),
        )
        for area in [area + shift]
    ]
    figure = draw("attack_auc", ["a", "b"], pd.DataFrame(rows))
    axis = figure.axes[0]
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert [label.rpartition(", ")[2] for label in labels] == ["s", "s", "all"]
    assert labels[1:] == ["lira online, s", "joint, all"]
    assert [text.get_text() for text in axis.texts] == ["0.61", "0.51", "0.71", "0.61", "0.81", "0.71"]


def test_agreement_is_symmetric_with_seeds_on_the_diagonal(draw):
    table = pd.DataFrame(
        [
            ["methods", "a", "b", 0.4, 0.1],
            ["methods", "a", "b", 0.6, 0.1],
            ["seeds", "a", "a", 0.9, 0.2],
            ["seeds", "b", "b", 0.7, 0.0],
        ],
        columns=["kind", "run_a", "run_b", "spearman", "nonmember_spearman"],
    )
    figure = draw("risk_agreement", ["a", "b"], table)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0.90\n(0.20)", "0.50\n(0.10)", "0.50\n(0.10)", "0.70\n(0.00)"]


def test_every_run_is_drawn_however_many_there_are(draw):
    robustness, membership = robustness_and_membership(MANY)
    means = over_seeds(membership)
    assert len(draw("inference_accuracy", MANY, means).axes[0].get_yticks()) == 12
    gap = draw("leakage_and_gap", MANY, leakage_and_gap(robustness, membership, means))
    assert {text.get_text() for text in gap.legends[0].get_texts()} >= set(MANY)
    curve = pd.DataFrame({"false_positive_rate": [0.1, 1.0], "true_positive_rate": [0.2, 1.0]})
    curve = curve.assign(strategy="I_B", signal="benign")
    drawn = labelled_lines(draw("roc", MANY, pd.concat([curve.assign(run=run) for run in MANY])))
    assert set(MANY) <= set(drawn)
    np.testing.assert_allclose(drawn["run3"], [[0.1, 0.2], [1.0, 1.0]])
