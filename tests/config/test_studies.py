"""Studies as configuration: the points that they have, what each changes, and mistakes in one line."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from helpers import ROOT
from robustmia.config.reading import read_config
from robustmia.config.studies import Point, read_points
from robustmia.errors import UserError


def points_of(**study: Any) -> list[Point]:
    """The points of one study on digits."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    raw["studies"] = {"mine": {"dataset": "digits", **study}}
    return read_points(raw, read_config(raw))["mine"]


def test_a_list_under_a_key_is_as_many_points():
    points = points_of(vary={"threat_model.epsilon": [0.02, 0.05]}, runs=["natural", "pgd"])
    assert [point.name for point in points] == ["threat_model.epsilon = 0.02", "threat_model.epsilon = 0.05"]
    for point, epsilon in zip(points, (0.02, 0.05), strict=True):
        settings = point.settings
        assert point.plain_values == {"threat_model.epsilon": epsilon}
        assert list(settings.runs) == ["natural", "pgd"]
        assert settings.runs["pgd"].method.epsilon == epsilon
        assert settings.signals["adversarial"].epsilon == epsilon
        assert settings.signals["verified"].epsilon == epsilon
        assert settings.training.monitor.epsilon == epsilon


def test_two_lists_are_a_grid_or_go_side_by_side():
    vary = {"threat_model.epsilon": [0.05, 0.1], "architecture.width": [4, 8]}
    grid, pairs = points_of(vary=vary), points_of(vary=vary, zip=True)
    assert [tuple(point.values.values()) for point in grid] == [(0.05, 4), (0.05, 8), (0.1, 4), (0.1, 8)]
    assert [tuple(point.values.values()) for point in pairs] == [(0.05, 4), (0.1, 8)]
    assert pairs[1].settings.runs["trades"].architecture.width == 8


def test_named_points_change_what_they_list():
    points = points_of(
        runs=["natural", "pgd", "ibp"],
        change={"training.epochs": 40},
        points={"none": {}, "decay": {"training.optimizer.weight_decay": 0.5}},
    )
    assert [point.name for point in points] == ["none", "decay"]
    plain, decay = (point.settings.runs for point in points)
    for run in ("natural", "pgd", "ibp"):
        assert plain[run].training.epochs == decay[run].training.epochs == 40
        assert plain[run].training.optimizer.weight_decay == 0.0
        assert decay[run].training.optimizer.weight_decay == 0.5
    assert decay["ibp"].training.optimizer.name == "adam"


def test_a_key_of_methods_changes_those_that_have_it():
    """The others stay as they are, to be compared with."""
    (point,) = points_of(runs=["natural", "pgd", "trades"], change={"method.steps": 3})
    assert (point.settings.runs["pgd"].method.steps, point.settings.runs["trades"].method.steps) == (3, 3)
    assert point.settings.runs["natural"].method.name == "natural"
    (point,) = points_of(runs=["natural", "pgd"], change={"method.epsilon": 0.03})
    assert (point.settings.runs["pgd"].method.epsilon, point.settings.signals["adversarial"].epsilon) == (0.03, 0.1)


def test_signals_may_be_left_out_and_single_runs_changed():
    (point,) = points_of(change={"signals.verified": None, "runs.pgd.method.steps": 2}, runs=["pgd", "trades"])
    assert list(point.settings.signals) == ["benign", "adversarial", "targeted"]
    assert (point.settings.runs["pgd"].method.steps, point.settings.runs["trades"].method.steps) == (2, 7)


def test_values_are_written_as_in_yaml():
    named = points_of(vary={"method.random_start": [True, False]}, runs=["pgd"])
    assert [point.plain_values for point in named] == [
        {"method.random_start": "true"},
        {"method.random_start": "false"},
    ]


@pytest.mark.parametrize("files", [["studies"], ["paper/cifar10", "paper/yale", "paper/studies"]])
def test_the_studies_that_are_shipped_have_points(files):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name in files:
        update_config(raw, yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text()))
    config = read_config(raw)
    points = read_points(raw, config)
    assert list(points) == list(config.studies)
    assert {study.kind for study in config.studies.values()} == {"sweep", "transfer", "outputs", "sensitivity"}
    for name, study in config.studies.items():
        if study.kind == "sweep":
            assert (
                len({point.settings.model_dump_json() for point in points[name]})
                == len(points[name])
                > 2 - (name == "verifiable")
            )


BAD = {
    "data set": ({"dataset": "mnist"}, "studies.mine.dataset", "no data set 'mnist'"),
    "run": ({"runs": ["pgdd"]}, "studies.mine.runs", "no run 'pgdd'"),
    "kind": ({"kind": "sweeep"}, "studies.mine.kind", "'sweeep'"),
    "other records where there are none": (
        {"kind": "transfer", "shadow_models": 8, "other_records": True},
        "studies.mine.other_records",
        "split.max_nonmembers",
    ),
    "size of jobs": (
        {"change": {"resources.shadow_models_per_job": 2}},
        "resources.shadow_models_per_job",
        "changes no result",
    ),
    "run of other studies": (
        {"runs": ["natural"], "change": {"runs.pgd.method.steps": 3}},
        "runs.pgd.method.steps",
        "one of the study's runs, as in runs.natural.",
    ),
    "new run": ({"change": {"runs.extra": {"method": {"name": "natural"}}}}, "runs.extra", "one of the study's runs"),
    "run left out": ({"change": {"runs.pgd": None}}, "runs.pgd", "one of the study's runs"),
    "point twice": ({"vary": {"threat_model.epsilon": [0.1, "0.1"]}}, "studies.mine", "a point is given twice"),
    "run twice": ({"runs": ["pgd", "pgd"]}, "studies.mine.runs", "a value is given twice"),
    "temperature twice": (
        {"kind": "outputs", "temperatures": [2.0, 2]},
        "studies.mine.temperatures",
        "a value is given twice",
    ),
    "zip of one list": ({"vary": {"training.epochs": [70, 80]}, "zip": True}, "studies.mine", "two lists under vary"),
    "zip of points": ({"points": {"a": {}, "b": {}}, "zip": True}, "studies.mine", "two lists under vary"),
    "many points by name": (
        {"points": {str(k): {} for k in range(51)}},
        "studies.mine",
        "51 points are more than max_points",
    ),
    "attacks of a transfer": (
        {"kind": "transfer", "shadow_models": 8, "vary": {"attacks.rmia_gamma": [1.0, 2.0]}},
        "studies.mine",
        "the same settings of attacks",
    ),
    "early stopping that does not look at the end": (
        {"change": {"training.early_stopping": {"every": 4}, "training.stop_after": 6}},
        "training",
        "no multiple of early_stopping.every, 4",
    ),
    "private mixed batches": (
        {
            "runs": ["pgd"],
            "change": {"training.privacy": {"noise_multiplier": 1.0}, "method.adversarial_fraction": 0.5},
        },
        "studies.mine",
        "adversarial_fraction of 0 or 1",
    ),
    "name on two lines": ({"points": {"a\nb": {}}}, "studies.mine.points", "on one line"),
    "long name": ({"points": {"a" * 61: {}}}, "studies.mine.points", "60 characters"),
    "value on two lines": ({"vary": {"method.name": ["a\nb"]}}, "a\\nb", "method"),
    "class twice": ({"change": {"split.classes": [1, 1]}}, "split.classes", "a class is given twice"),
    "seed twice": ({"seeds": [1, 1]}, "studies.mine.seeds", "twice"),
    "value of every run": (
        {"change": {"architecture.width": {"a": 1}}},
        "architecture.width",
        "it should be a whole number",
    ),
    "norm that bounds lack": (
        {"vary": {"threat_model.norm": ["l2"]}, "runs": ["pgd"]},
        "signals.verified.norm",
        "'linf'",
    ),
    "key of the study": ({"varry": {}}, "studies.mine.varry", "vary"),
    "key of the data set": ({"vary": {"threat_model.epsilom": [1]}}, "threat_model.epsilom", "did you mean"),
    "key of a method": ({"vary": {"method.betta": [1]}}, "method.betta", "no method of these runs has this setting"),
    "key inside a number": (
        {"change": {"threat_model.epsilon.x": 1}},
        "threat_model.epsilon.x",
        "no group of settings",
    ),
    "type": (
        {"runs": ["pgd"], "vary": {"training.epochs": [5, "many"]}},
        "point training.epochs = many: datasets.digits",
        "'many'",
    ),
    "value": ({"vary": {"threat_model.epsilon": [-0.1]}}, "point threat_model.epsilon = -0.1", "-0.1"),
    "no list": ({"vary": {"training.epochs": 5}}, "studies.mine.vary.training.epochs", "a list"),
    "empty list": ({"vary": {"training.epochs": []}}, "studies.mine.vary.training.epochs", "at least one"),
    "lengths": ({"vary": {"training.epochs": [1], "method.steps": [1, 2]}, "zip": True}, "studies.mine", "one length"),
    "both": ({"vary": {"training.epochs": [70]}, "points": {"a": {}}}, "studies.mine", "give one of them"),
    "no shadow models": ({"kind": "transfer"}, "studies.mine.shadow_models", "needs shadow models"),
    "too few shadow models": ({"shadow_models": 2}, "studies.mine.shadow_models", "too few"),
    "other images": (
        {"kind": "transfer", "shadow_models": 8, "points": {"a": {}, "b": {"source": {"name": "cifar10"}}}},
        "studies.mine",
        "of one source",
    ),
    "other signals": (
        {"kind": "transfer", "shadow_models": 8, "points": {"a": {}, "b": {"signals.verified": None}}},
        "studies.mine",
        "the same signals",
    ),
    "points of a study that has one": (
        {"kind": "sensitivity", "vary": {"training.epochs": [70]}},
        "studies.mine.vary",
        "not a setting of this group",
    ),
    "thousands": (
        {"vary": {"training.epochs": list(range(70, 170)), "method.steps": list(range(1, 100))}},
        "studies.mine",
        "9900 points are more than max_points, 50",
    ),
}


@pytest.mark.parametrize(("study", "key", "said"), BAD.values(), ids=BAD.keys())
def test_mistakes_are_one_line_that_names_the_key(study, key, said):
    with pytest.raises(UserError) as caught:
        points_of(**({"dataset": "digits"} | study))
    (line,) = str(caught.value).splitlines()
    assert line.startswith("config: ")
    assert key in line
    assert said in line


@pytest.mark.parametrize("name", ["a.b", "explanation.md", "é", "1"])
def test_names_of_studies_are_those_of_targets_and_folders(name):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    raw["studies"] = {name: {"dataset": "digits"}}
    with pytest.raises(UserError, match="letters, digits, '_' and '-' only"):
        read_config(raw)


def test_a_run_whose_name_has_dots_is_found_by_the_longest_name():
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    raw["datasets"]["digits"]["runs"]["pgd.v2"] = {"method": {"name": "pgd"}}
    raw["studies"] = {"mine": {"dataset": "digits", "change": {"runs.pgd.v2.method.steps": 3}}}
    (point,) = read_points(raw, read_config(raw))["mine"]
    runs = point.settings.runs
    assert (runs["pgd.v2"].method.steps, runs["pgd"].method.steps) == (3, 7)
