"""Sensitivity to single records: on confidences that are known, and on models that are really trained again."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from helpers import refused
from robustmia.data.split import Split
from robustmia.inference.record_results import RecordResults
from robustmia.inference.scores import log_odds
from robustmia.models.device import derive_seed, to_device, to_pixels
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.sensitivity import draw_sensitivity
from robustmia.reporting.figures.style import style
from robustmia.reporting.sensitivity import sensitivity_text, sensitivity_text_table
from robustmia.settings import chosen as settings_of
from robustmia.signals.adversarial import Adversarial
from robustmia.signals.benign import Benign
from robustmia.studies.retraining import retrain
from robustmia.studies.sensitivity import GROUPS, Retrained, choose, sensitivity_table, summary
from robustmia.training.loop import Trainer
from training_helpers import CPU, scattered_members, tiny_spec


def results(members: int = 40, attack: str = "adversarial/I_A") -> RecordResults:
    """A model whose member in row 100 + k has the score k."""
    is_member = np.arange(2 * members) < members
    scores = np.arange(2.0 * members)[None]
    return RecordResults(
        100 + np.arange(2 * members),
        np.zeros(2 * members, int),
        is_member,
        np.array([attack]),
        scores,
        scores,
        np.zeros(0, str),
        scores,
    )


def groups(*counts: int, of: list[RecordResults] | None = None) -> dict[str, list[int]]:
    table = choose(of or [results()], counts, seed=3)
    return {group: table[table.group == group]["row"].tolist() for group in GROUPS}


def test_members_are_chosen_by_the_rule():
    found = groups(10, 4, 5)
    assert [len(rows) for rows in found.values()] == [10, 4, 5]
    rows = [row for of_group in found.values() for row in of_group]
    assert len(set(rows)) == 19
    assert set(rows) <= set(range(100, 140))
    rest = [row for row in range(139, 99, -1) if row not in found["random"]]
    assert found["most at risk"] == rest[:4]
    assert found["least at risk"] == rest[-5:]
    assert groups(10, 4, 5) == found


def test_risk_is_that_of_rmia_where_there_are_shadow_models_and_the_mean_rank_over_runs():
    one = results()
    other = results(attack="adversarial/rmia_online")
    both = RecordResults(
        one.rows, one.labels, one.is_member, np.array(["adversarial/I_A", "adversarial/rmia_online"]),
        np.stack([one.scores[0], -other.scores[0]]), one.risks, one.thresholded, one.decisions,
    )  # fmt: skip
    assert groups(2, 1, 0, of=[both])["most at risk"][0] < 105
    table = choose([one, both], (40, 0, 0), seed=0)
    np.testing.assert_allclose(table.risk, (1 + 1 / 40) / 2)


def confidences(lost: float, seed: int = 0, noise: float = 0.02, n: int = 60, again: int = 30) -> Retrained:
    """Models whose confidence falls by `lost` in the record that they were trained without."""
    random = np.random.default_rng(seed)
    easy = random.uniform(0.6, 0.8, n)
    without = easy + noise * random.standard_normal((n, n)) - lost * np.eye(n)
    return Retrained(without, easy + noise * random.standard_normal((again, n)))


def chosen(n: int = 60) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": np.arange(n),
            "group": ["random"] * (n // 2) + ["most at risk"] * (n - n // 2),
            "risk": np.linspace(0, 1, n),
        }
    )


@pytest.mark.parametrize("lost", [0.0, 0.1])
def test_sensitivity_is_what_the_record_itself_is_worth_and_0_for_records_left_in(lost):
    """To the error of the retrainings."""
    found = confidences(lost)
    np.testing.assert_allclose(found.sensitivity, lost, atol=0.08)
    assert found.sensitivity.mean() == pytest.approx(lost, abs=0.01)
    np.testing.assert_allclose(found.left_in, 0.0, atol=0.02)
    low, high = found.band
    inside = (low <= np.sort(found.sensitivity)[::-1]) & (np.sort(found.sensitivity)[::-1] <= high)
    assert inside.mean() > 0.6 if lost == 0.0 else inside.mean() < 0.1


@pytest.mark.parametrize("shared", [0.0, 0.03])
def test_the_band_has_95_percent_of_sorted_differences_where_nothing_is_lost(shared):
    """Over repetitions of the whole study; also where all records of a model move together."""
    outside = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        found = confidences(0.0, seed, n=40, again=24)
        moved = Retrained(
            found.without + shared * random.standard_normal((40, 1)),
            found.again + shared * random.standard_normal((24, 1)),
        )
        low, high = moved.band
        found_sorted = np.sort(moved.sensitivity)[::-1]
        outside.append(((found_sorted < low) | (found_sorted > high)).mean())
    assert 0.02 < np.mean(outside) < 0.10


def test_more_records_than_there_are_members_are_refused():
    with refused("41 members are to be left out, and there are 40", "least_at_risk"):
        groups(20, 11, 10)


def test_intervals_of_the_mean_cover_what_retraining_gives():
    """Of 200 repetitions of the whole study without any sensitivity, about 95 % hold 0; also with noise that all records share."""
    covered = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        found = confidences(0.0, seed, n=20, again=10)
        shared = Retrained(
            found.without + 0.03 * random.standard_normal((20, 1)), found.again + 0.03 * random.standard_normal((10, 1))
        )
        row = summary(chosen(20), {("pgd", "benign"): shared}, None).iloc[0]
        covered.append(row.low <= 0.0 <= row.high)
    assert 0.91 <= np.mean(covered) <= 1.0


def test_the_difference_from_natural_is_taken_record_by_record():
    retrained = {("natural", "benign"): confidences(0.02, 1), ("pgd", "benign"): confidences(0.12, 2)}
    table = summary(chosen(), retrained, "natural").set_index("run")
    assert np.isnan(table.loc["natural"].difference)
    pgd = table.loc["pgd"]
    assert pgd.difference == pytest.approx(0.1, abs=0.02)
    assert 0.05 < pgd.difference_low < pgd.difference < pgd.difference_high
    assert pgd.outside > 0.9
    words = " ".join(sensitivity_text(summary(chosen(), retrained, "natural")))
    assert "On clean inputs pgd depends more on single records than natural training" in words
    same = {("natural", "benign"): confidences(0.1, 1), ("pgd", "benign"): confidences(0.1, 2)}
    assert "no difference in sensitivity" in " ".join(sensitivity_text(summary(chosen(), same, "natural")))


def test_the_rank_correlation_with_risk_is_found():
    n = 60
    random = np.random.default_rng(0)
    easy = np.full(n, 0.7)
    lost = np.linspace(0.0, 0.3, n)
    found = Retrained(easy - np.diag(lost), easy + 0.01 * random.standard_normal((20, n)))
    row = summary(chosen(), {("pgd", "adversarial"): found}, None).iloc[0]
    assert row.rank_correlation > 0.95
    assert row.rank_correlation == pytest.approx(spearmanr(found.sensitivity[:30], chosen().risk[:30]).statistic)
    assert row.rank_correlation_low > 0.8
    text = sensitivity_text_table(summary(chosen(), {("pgd", "adversarial"): found}, None))
    assert text.loc[0, "inputs"] == "adversarial"
    assert "predicts its risk for pgd on adversarial inputs" in " ".join(
        sensitivity_text(summary(chosen(), {("pgd", "adversarial"): found}, None))
    )


def test_of_few_random_records_there_is_no_rank_correlation():
    few = chosen(6).assign(group=["random"] * 4 + ["most at risk"] * 2)
    table = summary(few, {("pgd", "benign"): confidences(0.1, n=6)}, None)
    assert np.isnan(table.rank_correlation.iloc[0])
    assert sensitivity_text_table(table)["rank correlation with risk"][0] == ""
    assert "is not shown" in " ".join(sensitivity_text(table))


def test_the_figure_has_every_run_and_the_band():
    retrained = {(run, signal): confidences(0.1) for run in ("natural", "pgd") for signal in ("benign", "adversarial")}
    table = sensitivity_table(chosen(), retrained)
    assert (table.groupby(["run", "signal"]).sensitivity.diff().dropna() <= 0).all()
    with style(Figure()):
        drawing = draw_sensitivity(table)
        drawing.canvas.draw()
    assert [axis.get_title() for axis in drawing.axes] == ["clean inputs", "adversarial inputs"]
    assert len(drawing.legends[0].get_texts()) == 3
    plt.close(drawing)


# ---------------------------------------------------------------- really trained


def retrain_spec(leaves_out: bool, models: list[int], together: bool) -> dict:
    signals = {"benign": Benign(name="benign"), "adversarial": Adversarial(name="adversarial", epsilon=0.05, steps=2)}
    spec = tiny_spec("pgd", {"name": "small_cnn", "width": 3}, monitor=None, augmentation={}, batch_size=10)
    more = {"models": models, "leaves_out": leaves_out, "train_batched": together, "engine": {}}
    return spec | more | {"signals": {name: settings_of(signal) for name, signal in signals.items()}}


@pytest.mark.parametrize("leaves_out", [True, False])
def test_models_are_trained_again_as_the_trainer_does(tmp_path: Path, leaves_out: bool):
    """Without the record in question, with a seed of its own, one by one; and together to rounding."""
    records, split = scattered_members()
    members = split.members[[4, 7, 9]]
    spec = retrain_spec(leaves_out, [1, 2], together=False)
    found, checkpoints = retrain(spec, records, split, members, tmp_path / "a.pt", CPU, "t")
    assert len(checkpoints) == 2
    images, labels = to_device(records, members, CPU)
    for place, model in enumerate(spec["models"]):
        kept = split.members[split.members != members[model]] if leaves_out else split.members
        own = Split(kept, split.nonmembers, split.shadow_pool)
        seed = derive_seed(spec["seed"], "without" if leaves_out else "again", model)
        network, _ = Trainer.of_spec(spec | {"seed": seed}, records, own, tmp_path / f"b{model}.pt", CPU, "t").run()
        with torch.no_grad():
            expected = network(to_pixels(images)).numpy()
        np.testing.assert_allclose(found["benign"][place], expected, rtol=1e-4, atol=1e-5)
        odds = [log_odds(found[name][place], labels.numpy()) for name in ("adversarial", "benign")]
        assert (odds[0] <= odds[1] + 1e-3).all()
    joined, _ = retrain(spec | {"train_batched": True}, records, split, members, tmp_path / "c.pt", CPU, "t")
    np.testing.assert_allclose(joined["benign"], found["benign"], rtol=0.02, atol=0.02)
