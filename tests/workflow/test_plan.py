"""What a configuration will take: trainings, signals and disk, each counted once."""

from __future__ import annotations

import re

import pytest
import torch
import yaml

from helpers import ROOT, SMALL, refused
from robustmia.config.reading import read_config
from robustmia.config.studies import read_points
from robustmia.models.networks.base import build_network
from robustmia.models.networks.small_cnn import SmallCNN
from robustmia.workflow import plan
from robustmia.workflow.variants import Variants

CPU = torch.device("cpu")


def planned(monkeypatch: pytest.MonkeyPatch, **changes: object):
    """Of digits with two runs, where every step and every signal of 16 records takes a hundredth of a second."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"seeds": [0, 1]}
    digits = raw["datasets"]["digits"]
    digits["runs"] = {name: digits["runs"][name] for name in ("natural", "pgd")}
    digits |= {"architecture": SMALL, "signals": {"benign": {}, "adversarial": {"steps": 1}}}
    raw |= changes
    monkeypatch.setattr(plan, "timed", lambda function, device, times: (0.01, function()))
    config = read_config(raw)
    return plan.plan_table(config, Variants(config, read_points(raw, config)), CPU)


def test_times_are_those_of_all_steps_and_all_records(monkeypatch):
    table, hours, _ = planned(monkeypatch)
    assert table["run"].tolist() == ["digits/natural", "digits/pgd"]
    assert table["models"].tolist() == [2, 2]
    steps = 60 * -(-898 // 64)
    signals = 2 * 1797 / 16
    assert table["training (s each)"].tolist() == [f"{steps * 0.01:,.0f}"] * 2
    assert table["signals (s each)"].tolist() == [f"{signals * 0.01:,.0f}"] * 2
    assert hours == pytest.approx(4 * (steps + signals) * 0.01 / 3600)


def test_shadow_models_are_trained_too_and_asked_about_every_record(monkeypatch):
    _, without, small = planned(monkeypatch)
    table, hours, large = planned(monkeypatch, shadow_models=6)
    assert table["shadow models"].tolist() == [12, 12]
    assert hours == pytest.approx(7 * without)  # digits have no records beside members and non-members
    assert large == pytest.approx(7 * small)


def test_disk_is_that_of_weights_and_answers(monkeypatch):
    _, _, gibibytes = planned(monkeypatch)
    weights = 4 * sum(p.numel() for p in build_network(SmallCNN(**SMALL), (1, 8, 8), 10, 0).parameters())
    logits = 2 * 1797 * (10 * 4 + 8)  # of two signals, with labels
    assert gibibytes * 2**30 == pytest.approx(4 * (weights + logits), rel=0.01)


def test_points_of_studies_that_share_results_are_counted_once(monkeypatch):
    study = {"dataset": "digits", "runs": ["natural", "pgd"], "vary": {"method.epsilon": [0.05, 0.1]}}
    table, _, _ = planned(monkeypatch, studies={"radius": study})
    runs = table["run"].tolist()
    assert runs[:2] == ["digits/natural", "digits/pgd"]
    assert [run.partition("@")[0] for run in runs[2:]] == [
        "digits/pgd"
    ]  # natural training has no radius; 0.1 is as configured


def study_of(**settings: object) -> dict:
    return {"mine": {"dataset": "digits", "runs": ["pgd"], **settings}}


def test_a_point_that_changes_signals_alone_trains_nothing_again(monkeypatch):
    _, without, _ = planned(monkeypatch)
    table, hours, _ = planned(monkeypatch, studies=study_of(change={"signals.adversarial.steps": 2}))
    assert table["models"].tolist() == [2, 2, 0]
    assert hours == pytest.approx(without + 2 * (2 * 1797 / 16) * 0.01 / 3600)


def test_more_seeds_in_a_study_are_counted(monkeypatch):
    table, _, _ = planned(monkeypatch, studies=study_of(seeds=[0, 1, 2, 3, 4]))
    assert table["models"].tolist() == [2, 2, 3]


def test_models_that_are_trained_again_without_records_are_counted(monkeypatch):
    _, without, _ = planned(monkeypatch)
    counts = {"random": 5, "most_at_risk": 3, "least_at_risk": 2, "retrainings": 4}
    table, hours, _ = planned(monkeypatch, studies=study_of(kind="sensitivity", seeds=[0], **counts))
    assert table["trained again"].tolist() == [0, 0, 14]
    assert hours == pytest.approx(without + 14 * 60 * -(-898 // 64) * 0.01 / 3600)


def test_a_plan_of_real_steps_is_printed_with_its_machine(tmp_path):
    (tmp_path / "a.yaml").write_text(
        yaml.safe_dump(
            {
                "seeds": [0],
                "datasets": {
                    "digits": {
                        "architecture": SMALL,
                        "training": {"epochs": 60, "batch_size": 8},
                        "runs": dict.fromkeys(
                            ("distributional", "trades", "duality", "abstract_interpretation", "ibp")
                        ),
                    }
                },
            }
        )
    )
    words = plan.plan([str(tmp_path / "a.yaml")])
    assert "| digits/pgd" in words
    assert re.search(r"About \d+\.\d (core|GPU) minutes from nothing", words)


@pytest.mark.parametrize(
    ("text", "named"), [(None, "cannot be read"), ("a: [1", "not YAML"), ("- a", "no keys and values")]
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, text, named):
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with refused(str(path), named):
        plan.plan([str(path)])


def test_a_data_set_whose_files_are_missing_is_named():
    with refused("CroppedYale.zip"):
        plan.plan([str(ROOT / "configs" / "paper" / "yale_small.yaml")])
