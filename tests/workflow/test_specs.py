"""What jobs are given, and what decides it."""

from __future__ import annotations

import re
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from snakemake.utils import update_config

from helpers import ROOT, shared
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.config.reading import read_config
from robustmia.config.schema import Config
from robustmia.signals.verified import Verifier
from robustmia.training.settings import TrainingSettings
from robustmia.workflow.paths import Paths
from robustmia.workflow.specs import Specs
from robustmia.workflow.targets import Targets

PGD = "datasets.digits.runs.pgd.method"


def default(**changes: Any) -> dict:
    return yaml.safe_load((ROOT / "config.yaml").read_text()) | changes


def specs_of(config: Config) -> Specs:
    return Specs(Targets(config, Paths(str(config.results_dir))))


def test_the_settings_found_by_the_search_are_those_of_the_default():
    """What docs/bounds-measured.md says of the runs called chosen holds for config.yaml."""
    raw, search = (yaml.safe_load((ROOT / name).read_text()) for name in ("config.yaml", "configs/digits_search.yaml"))
    update_config(raw, search)
    runs = read_config(raw).datasets["digits"].runs
    default = read_config(yaml.safe_load((ROOT / "config.yaml").read_text())).datasets["digits"].runs
    for short, name in (("ibp", "ibp"), ("ai", "abstract_interpretation"), ("duality", "duality")):
        assert runs[f"{short}_chosen"].method == default[name].method
        chosen, given = (
            run.training.model_copy(update={"monitor": None}) for run in (runs[f"{short}_chosen"], default[name])
        )
        assert chosen == given


@pytest.mark.parametrize("dataset", ["yale", "fashion_mnist"])
def test_the_overlays_train_the_verifiable_defenses_as_the_paper_did(dataset):
    """Against the settings found in the paper's code, where an overlay states a number of its own."""
    theirs = yaml.safe_load(shared("reference", "settings.yaml").read_text())["settings"][dataset]
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(raw, yaml.safe_load((ROOT / "configs" / "paper" / f"{dataset}.yaml").read_text()))
    settings = read_config(raw).datasets[dataset]
    members, runs = {"yale": 1900, "fashion_mnist": 60_000}[dataset], settings.runs

    def training(name: str) -> TrainingSettings:
        return runs[name].training or settings.training

    for name in ("duality", "abstract_interpretation", "ibp"):
        assert runs[name].method.epsilon == theirs[name]["epsilon"]
        assert training(name).batch_size == theirs[name]["batch_size"]
        assert training(name).gradient_clip == theirs[name].get("gradient_norm_clip")
    duality, ours = theirs["duality"], runs["duality"].method
    assert (ours.epsilon_schedule.initial_epsilon, ours.projections) == (
        duality["starting_epsilon"],
        duality["bound"]["projections"],
    )
    assert f"{ours.epsilon_schedule.rise_epochs + 1:.0f} equally spaced values" in duality["epsilon_schedule"]
    assert ours.clip_pixels == duality["bound"]["bounded_input"]
    assert training("duality").epochs == duality["epochs"]
    assert training("duality").optimizer.weight_decay == duality["weight_decay"]["value"]
    boxes, ours = theirs["abstract_interpretation"], runs["abstract_interpretation"].method
    assert (ours.verified_weight, ours.verifier, ours.clip_pixels) == (boxes["tot_weight"], "interval", False)
    assert f"epochs 1..{ours.clean_epochs:.0f} " in boxes["warmup"]
    assert training("abstract_interpretation").epochs == boxes["epochs"] - 1  # the latest model saved
    for fraction in re.findall(r"fraction about ([0-9.]+)", boxes["width_schedule"]):
        assert ours.epsilon_schedule.fraction(ours.clean_epochs) == pytest.approx(float(fraction), abs=0.002)
    (batch, epoch) = map(int, re.search(r"1\.0 from batch (\d+) of epoch (\d+)", boxes["width_schedule"]).groups())
    steps = members // boxes["batch_size"]
    assert ours.epsilon_schedule.end == pytest.approx(epoch - 1 + batch / steps, abs=0.01)
    propagation, ours = theirs["ibp"], runs["ibp"].method
    steps = members / propagation["batch_size"]
    assert ours.epsilon_schedule.start_epoch * steps == pytest.approx(propagation["warmup_steps"], rel=1e-3)
    assert ours.epsilon_schedule.rise_epochs * steps == pytest.approx(propagation["rampup_steps"], rel=1e-3)
    assert ours.nominal_weight == propagation["loss_weights"]["nominal"]["final"]
    assert training("ibp").optimizer.weight_decay == propagation["l2_scale"]
    boundaries = [round(epoch * steps) for epoch in training("ibp").schedule.epochs]
    assert boundaries == pytest.approx(propagation["lr"]["step_boundaries"], rel=1e-3)


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        ({"epsilon": 0.05}, ["benign", "adversarial", "targeted"]),
        ({"epsilon": 0.1}, ["benign", "adversarial", "targeted"]),
        ({"epsilon": 0.1, "norm": "l2"}, ["benign", "adversarial", "targeted"]),
        ({"epsilon": 0.11}, ["benign", "targeted"]),
    ],
)
def test_signals_in_the_verified_ball_are_checked_against_it(attack, expected):
    raw = default()
    raw["datasets"]["digits"]["signals"]["adversarial"] |= attack
    assert specs_of(read_config(raw)).infer("digits", "ibp", "0")["in_verified_ball"] == expected
    raw["datasets"]["digits"]["signals"]["verified"] = None
    assert specs_of(read_config(raw)).infer("digits", "ibp", "0")["in_verified_ball"] == []


def test_the_verifiers_that_can_be_asked_for_are_those_there_are():
    assert get_args(Verifier) == tuple(VERIFIERS)


def test_epsilon_reaches_every_job_from_the_threat_model(tmp_path):
    raw = default(results_dir=str(tmp_path))
    raw["datasets"]["digits"]["threat_model"]["epsilon"] = 0.07
    specs = specs_of(read_config(raw))
    for run in ("pgd", "trades", "duality", "abstract_interpretation", "ibp"):
        spec = specs.train("digits", run, "0")
        assert spec["method"]["settings"]["epsilon"] == spec["training"]["monitor"]["epsilon"] == 0.07
    for signal in ("adversarial", "targeted", "verified"):
        assert specs.signals("digits", "pgd", "0", signal)["signals"][signal]["settings"]["epsilon"] == 0.07
    raw["datasets"]["digits"]["runs"]["pgd"]["method"]["epsilon"] = 0.02
    specs = specs_of(read_config(raw))
    assert specs.train("digits", "pgd", "0")["method"]["settings"]["epsilon"] == 0.02
    assert specs.train("digits", "trades", "0")["method"]["settings"]["epsilon"] == 0.07


def test_the_engine_is_part_of_every_job_that_runs_a_network(tmp_path):
    raw = default(results_dir=str(tmp_path), shadow_models=6)
    raw["datasets"]["digits"]["engine"] = {"precision": "bfloat16"}
    specs = specs_of(read_config(raw))
    target = ("digits", "pgd", "0")
    for spec in (
        *(specs.train(*target), specs.signals(*target, "benign+adversarial")),
        *(specs.shadow_train(*target, "0"), specs.shadow_signals(*target, "0", "benign")),
    ):
        assert spec["engine"] == {"precision": "bfloat16", "compile": False}


def test_a_runs_changes_are_laid_over_its_data_set(tmp_path):
    raw = default(results_dir=str(tmp_path))
    raw["datasets"]["digits"]["runs"]["wide"] = {
        "method": {"name": "natural"},
        "architecture": {"width": 64},
        "training": {"epochs": 7, "optimizer": {"name": "adam", "learning_rate": 0.001}},
    }
    config = read_config(raw)
    specs = specs_of(config)
    train = specs.train("digits", "wide", "0")
    assert train["architecture"]["settings"]["width"] == 64
    assert specs.signals("digits", "wide", "0", "benign")["architecture"] == train["architecture"]
    assert (train["training"]["epochs"], train["training"]["batch_size"]) == (7, 64)
    assert train["training"]["optimizer"]["settings"]["name"] == "adam"
    epochs = raw["datasets"]["digits"]["training"]["epochs"]
    assert specs.train("digits", "natural", "0")["training"]["epochs"] == epochs
    assert Targets(config, Paths("results")).runs("digits") == [
        "natural", "wide", "pgd", "distributional", "trades", "duality", "abstract_interpretation", "ibp",
    ]  # fmt: skip


def checkpoint(folder: Path, key: str = "results_dir", value: Any = None) -> str:
    """Where pgd of the default configuration keeps its state, with one dotted key changed."""
    raw = default()
    *groups, last = key.split(".")
    reduce(getitem, groups, raw)[last] = value
    return specs_of(read_config(raw | {"results_dir": str(folder)})).checkpoint("digits", "pgd", "0")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("datasets.digits.source", {"name": "cifar10"}),
        ("datasets.digits.split.max_members", 100),
        ("datasets.digits.architecture.width", 7),
        ("datasets.digits.training.epochs", 61),
        ("datasets.digits.threat_model.epsilon", 0.07),
        (f"{PGD}.epsilon", 0.07),
    ],
)
def test_a_checkpoint_is_keyed_by_whatever_decides_the_weights(tmp_path, key, value):
    assert checkpoint(tmp_path, key, value) != checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("datasets.digits.signals.adversarial.steps", 7),
        ("datasets.digits.runs.trades.method.epsilon", 0.07),
        ("figures.roc.width", 7.0),
    ],
)
def test_a_checkpoint_is_not_keyed_by_what_others_do(tmp_path, key, value):
    assert checkpoint(tmp_path, key, value) == checkpoint(tmp_path)


def test_a_checkpoint_is_keyed_by_the_code(tmp_path, monkeypatch):
    before = checkpoint(tmp_path)
    monkeypatch.setattr("robustmia.workflow.specs.code_digest", lambda *given: "other")
    assert checkpoint(tmp_path) != before


def test_more_shadow_models_change_no_spec_where_members_are_half_of_the_records():
    """Elsewhere their number may keep them from having as many members as the target, so that it belongs to the spec."""
    for split, kept in (
        ({"member_fraction": 0.5}, True),
        ({"max_members": 100}, False),
        ({"members_per_class": 50}, False),
    ):
        raw = default()
        raw["datasets"]["digits"]["split"] = split
        eight, twelve = (
            specs_of(read_config(raw | {"shadow_models": models})).shadow_train("digits", "pgd", "0", "0")
            for models in (8, 12)
        )
        assert (eight == twelve) == kept
        assert (eight | {"shadow_models": 12} == twelve) == (not kept)


def test_shadow_models_draw_no_figure_again_but_through_its_table():
    without, eight = (specs_of(read_config(default() | {"shadow_models": models})) for models in (0, 8))
    for figure in ("training_curves", "attack_auc"):
        assert without.figure("digits", figure) == eight.figure("digits", figure)


@pytest.mark.parametrize("monitored", ["data set", "one run", "nothing"])
def test_training_curves_are_drawn_only_where_a_training_has_a_monitor(monitored):
    raw = default()
    digits = raw["datasets"]["digits"]
    digits["training"]["monitor"] = {"every": 1} if monitored == "data set" else None
    if monitored == "one run":
        digits["runs"]["pgd"]["training"] = {"monitor": {"every": 1}}
    figures = specs_of(read_config(raw)).targets.figures("digits")
    assert ("training_curves" in figures) == (monitored != "nothing")
    assert "trade_off" in figures
