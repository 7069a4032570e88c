"""Mistakes in the configuration: one line each, which names the key, before any job starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from helpers import ROOT, at, dataset
from robustmia.config.reading import read_config
from robustmia.config.registry import METHODS
from robustmia.config.schema import Config
from robustmia.errors import UserError

DIGITS = "datasets.digits"
PGD, RUNS, TRAINING = f"{DIGITS}.runs.pgd.method", f"{DIGITS}.runs", f"{DIGITS}.training"
VERIFIED, SCHEDULE = f"{DIGITS}.signals.verified", f"{DIGITS}.runs.ibp.method.epsilon_schedule"


def config_with(overlay: dict) -> Config:
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(raw, overlay)
    return read_config(raw)


# What is given, the key that the line names, and words that it must contain.
BAD: dict[str, tuple[dict, str, tuple[str, ...]]] = {
    "unknown key": ({"sedes": [0]}, "sedes", ("seeds",)),
    "misspelt setting of a method": (at(f"{PGD}.stepz", 3), f"{PGD}.stepz", ("steps",)),
    "misspelt and empty": (at(f"{PGD}.stepz", None), f"{PGD}.stepz", ("steps",)),
    "nothing like any key": (at(f"{TRAINING}.qqqq", 3), f"{TRAINING}.qqqq", ()),
    "setting of another optimiser": (
        at(f"{TRAINING}.optimizer", {"name": "adam"}),
        f"{TRAINING}.optimizer.momentum",
        ("null",),
    ),
    "unknown data set": (at(f"{DIGITS}.source.name", "imagenet"), f"{DIGITS}.source.name", ("'imagenet'", "'digits'")),
    "unknown method": (at(f"{PGD}.name", "fgsm"), f"{PGD}.name", ("'fgsm'", "'natural'")),
    "unknown network": (
        at(f"{DIGITS}.architecture.name", "vgg"),
        f"{DIGITS}.architecture.name",
        ("'vgg'", "'small_cnn'"),
    ),
    "unknown optimiser": (at(f"{TRAINING}.optimizer.name", "lion"), f"{TRAINING}.optimizer.name", ("'lion'", "'sgd'")),
    "unknown schedule": (at(f"{TRAINING}.schedule.name", "step"), f"{TRAINING}.schedule.name", ("'step'", "'cosine'")),
    "unknown signal": (at(f"{DIGITS}.signals.noise", {}), f"{DIGITS}.signals.noise", ("'noise'", "'benign'")),
    "no name": (at(f"{RUNS}.mine", {"method": {"steps": 3}}), f"{RUNS}.mine.method", ("name",)),
    "name in place of a group": (at(PGD, "pgd"), PGD, ("'pgd'",)),
    "text for a number": (at(f"{TRAINING}.epochs", "many"), f"{TRAINING}.epochs", ("'many'", "whole number")),
    "fraction for a whole number": (at(f"{TRAINING}.epochs", 1.5), f"{TRAINING}.epochs", ("1.5",)),
    "no epoch": (at(f"{TRAINING}.epochs", 0), f"{TRAINING}.epochs", ("greater than 0",)),
    "no batch size": (at(f"{TRAINING}.batch_size", None), f"{TRAINING}.batch_size", ("None",)),
    "negative radius": (at(f"{PGD}.epsilon", -0.1), f"{PGD}.epsilon", ("-0.1",)),
    "negative radius of all": (at(f"{DIGITS}.threat_model.epsilon", -0.1), f"{DIGITS}.threat_model.epsilon", ("-0.1",)),
    "unknown verifier": (at(f"{VERIFIED}.verifiers", ["ibp"]), f"{VERIFIED}.verifiers.0", ("'ibp'", "'interval'")),
    "no verifier": (at(f"{VERIFIED}.verifiers", []), f"{VERIFIED}.verifiers", ("[]",)),
    "verifier twice": (at(f"{VERIFIED}.verifiers", ["dual", "dual"]), f"{VERIFIED}.verifiers", ("twice",)),
    "no budget": (at(f"{VERIFIED}.budget", 0), f"{VERIFIED}.budget", ("greater than 0",)),
    "bounds in an l2 ball": (at(f"{VERIFIED}.norm", "l2"), f"{VERIFIED}.norm", ("'l2'", "'linf'")),
    "training with bounds in an l2 ball": (
        at(f"{RUNS}.ibp.method.norm", "l2"),
        f"{RUNS}.ibp.method.norm",
        ("'l2'", "'linf'"),
    ),
    "misspelt schedule": (at(f"{SCHEDULE}.rise_epoch", 2), f"{SCHEDULE}.rise_epoch", ("rise_epochs",)),
    "schedule that does not rise": (
        at(SCHEDULE, {"initial_epsilon": 0.01, "rise_epochs": 0}),
        SCHEDULE,
        ("initial_epsilon", "rise_epochs"),
    ),
    "schedule that falls": (
        at(SCHEDULE, {"initial_epsilon": 0.2}),
        f"{RUNS}.ibp.method",
        ("initial_epsilon", "0.2"),
    ),
    "no projection": (
        at(f"{RUNS}.duality.method.projections", 0),
        f"{RUNS}.duality.method.projections",
        ("at least 1",),
    ),
    "rise longer than the training": (
        at(f"{RUNS}.ibp.training.epochs", 32),
        DIGITS,
        ("runs.ibp.method", "32", "training.epochs"),
    ),
    "rise of as many epochs as the training": (
        at(f"{RUNS}.duality.training.epochs", 9),
        DIGITS,
        ("runs.duality.method", "9", "training.epochs"),
    ),
    "infinite radius": (at(f"{PGD}.epsilon", float("inf")), f"{PGD}.epsilon", ("finite",)),
    "unknown norm": (at(f"{PGD}.norm", "l1"), f"{PGD}.norm", ("'l1'", "'linf'", "'l2'")),
    "fraction above 1": (at(f"{PGD}.adversarial_fraction", 1.5), f"{PGD}.adversarial_fraction", ("1.5",)),
    "setting of a group inside": (
        at(f"{RUNS}.pgd.training.learning_rate", 0.1),
        f"{RUNS}.pgd.training.learning_rate",
        ("did you mean optimizer.learning_rate?",),
    ),
    "no seed": ({"seeds": []}, "seeds", ("[]",)),
    "a seed twice": ({"seeds": [0, 1, 0]}, "seeds", ("twice",)),
    "seeds not in a list": ({"seeds": 3}, "seeds", ("3", "a list")),
    "negative seed": ({"seeds": [-1]}, "seeds.0", ("-1",)),
    "too few shadow models": ({"shadow_models": 4}, "shadow_models", ("4", "6")),
    "everyone a member": (at(f"{DIGITS}.split.member_fraction", 1.0), f"{DIGITS}.split.member_fraction", ("1.0",)),
    "two rules for the split": (
        at(f"{DIGITS}.split.members_per_class", 5),
        f"{DIGITS}.split",
        ("member_fraction", "members_per_class"),
    ),
    "restarts that repeat": (
        at(f"{DIGITS}.signals.adversarial.restarts", 2),
        f"{DIGITS}.signals.adversarial",
        ("restarts", "random_start"),
    ),
    "depth that is no wide ResNet's": (
        at(f"{DIGITS}.architecture", {"name": "wide_resnet", "depth": 20}),
        f"{DIGITS}.architecture",
        ("depth", "20"),
    ),
    "mean without deviation": (
        at(f"{DIGITS}.architecture.input_mean", [0.5]),
        f"{DIGITS}.architecture",
        ("input_mean", "input_std"),
    ),
    "learning rates that do not match": (
        at(f"{RUNS}.pgd.training.schedule", {"name": "piecewise", "epochs": [1, 2], "factors": [0.1]}),
        f"{RUNS}.pgd.training.schedule",
        ("2", "1"),
    ),
    "learning rates out of order": (
        at(f"{RUNS}.pgd.training.schedule", {"name": "piecewise", "epochs": [3, 2], "factors": [0.1, 0.2]}),
        f"{RUNS}.pgd.training.schedule",
        ("epochs",),
    ),
    "boolean for a number": (at(f"{TRAINING}.epochs", True), TRAINING, ("epochs", "true")),
    "boolean among seeds": ({"seeds": [True]}, "the configuration", ("seeds", "true")),
    "seed too large": ({"seeds": [2**32]}, "seeds.0", ("4294967296",)),
    "one non-member": (at(f"{DIGITS}.split.max_nonmembers", 1), f"{DIGITS}.split.max_nonmembers", ("1",)),
    "brace in a folder": ({"results_dir": "res{a}ults"}, "results_dir", ("res{a}ults",)),
    "number for a folder": ({"results_dir": 3}, "results_dir", ("3", "a path")),
    "name with a slash": (
        {"datasets": {"a/b": dataset({"name": "digits"})["datasets"]["mine"]}},
        "datasets.a/b",
        ("'a/b'",),
    ),
    "name with a space": (at(f"{RUNS}.my run", {"method": {"name": "natural"}}), f"{RUNS}.my run", ("'my run'",)),
    "no data set": (at(DIGITS, None), "datasets", ("{}",)),
    "data sets in a list": ({"datasets": ["digits"]}, "datasets", ("['digits']",)),
    "no run": (at(RUNS, dict.fromkeys(METHODS)), RUNS, ("{}",)),
    "no path": (dataset({"name": "image_folder"}), "datasets.mine.source.path", ("missing",)),
    "no clean signal": (at(f"{DIGITS}.signals.benign", None), f"{DIGITS}.signals", ("benign",)),
    "unknown figure": (at("figures.rock.width", 2), "figures.rock", ("roc",)),
    "figure without width": (at("figures.roc.width", 0), "figures.roc.width", ("at least 1",)),
    "figure as wide as a wall": (at("figures.roc.width", 5000), "figures.roc.width", ("at most 50",)),
    "unknown palette": (at("figures.roc.palette", "rainbowish"), "figures.roc.palette", ("'rainbowish'", "colorblind")),
    "a radius in 255ths": (
        at(f"{DIGITS}.threat_model", {"norm": "linf", "epsilon": 8}),
        f"{DIGITS}.threat_model",
        ("8/255",),
    ),
    "a radius in 255ths, of a method": (at(f"{PGD}.epsilon", 16), PGD, ("16/255",)),
    "a step in 255ths": (at(f"{DIGITS}.signals.adversarial.step_size", 2), f"{DIGITS}.signals.adversarial", ("2/255",)),
    "a ratio without end": (at(f"{PGD}.epsilon", "1/0"), f"{PGD}.epsilon", ("'1/0'", "a number")),
    "one number for a size": (
        dataset({"name": "image_folder", "path": "faces", "size": [64]}),
        "datasets.mine.source.size",
        ("[64]", "length"),
    ),
    "three numbers for a size": (
        dataset({"name": "image_folder", "path": "faces", "size": [64, 64, 3]}),
        "datasets.mine.source.size",
        ("[64, 64, 3]", "length"),
    ),
    "no folder of results": ({"results_dir": ""}, "results_dir", ("of its own",)),
    "results among the code": ({"results_dir": "."}, "results_dir", ("of its own",)),
    "results above": ({"results_dir": "data/../.."}, "results_dir", ("of its own",)),
    "a folder on two lines": ({"results_dir": "a\nb"}, "results_dir", ("control characters",)),
    "a folder with NUL": ({"data_dir": "a\x00b"}, "data_dir", ("control characters",)),
    "a folder without end": ({"data_dir": "x/" * 5000}, "data_dir", ("characters",)),
    "an unknown variable": ({"data_dir": "$NOWHERE_AT_ALL/x"}, "data_dir", ("$NOWHERE_AT_ALL",)),
    "an unknown user": ({"data_dir": "~nobody_at_all/x"}, "data_dir", ("no such user",)),
    "a data set named like a table": (
        {"datasets": {"robustness.csv": dataset({"name": "digits"})["datasets"]["mine"]}},
        "datasets",
        ("robustness.csv",),
    ),
    "shadow models without end": ({"shadow_models": 10**12}, "shadow_models", ("10000",)),
    "epochs beyond any number": (at(f"{TRAINING}.epochs", 10**40), TRAINING, ("epochs",)),
    "a rate beyond any number": (
        at(f"{TRAINING}.optimizer.learning_rate", 1e39),
        f"{TRAINING}.optimizer",
        ("learning_rate", "1e+30"),
    ),
    "layers without end": (
        at(f"{DIGITS}.architecture", {"name": "wide_resnet", "depth": 6 * 10**6 + 4}),
        f"{DIGITS}.architecture.depth",
        ("10000",),
    ),
    "no monitor": (at(f"{TRAINING}.monitor", False), TRAINING, ("monitor", "null")),
    "no signal": (at(f"{DIGITS}.signals.targeted", False), f"{DIGITS}.signals.targeted", ("False", "null")),
    "an audit that is a text": ({"audits": {"theirs": "p.npz"}}, "audits.theirs", ("'p.npz'", "group of settings")),
    "an audit that is a list": ({"audits": {"theirs": ["p.npz"]}}, "audits.theirs", ("group of settings",)),
    "a data set that is a number": (at(DIGITS, 3), DIGITS, ("3", "group of settings")),
    "a near miss at the top": ({"dataset": {}}, "dataset", ("did you mean datasets",)),
    "a near miss of a data set": (at(f"{DIGITS}.signal", {}), f"{DIGITS}.signal", ("did you mean signals",)),
    "a name that is a number": ({"datasets": {1: {}}}, "datasets", ("1", "quotes")),
    "a run named true": (at(RUNS, {True: {"method": {"name": "natural"}}}), RUNS, ("True", "quotes")),
    "statistics of one side": (
        {"audits": {"a": {"model": "x:y", "dataset": "digits", "threat_model": {"epsilon": 0.1}, "mean": [0.5]}}},
        "audits.a",
        ("mean", "std"),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_setting_is_one_line_that_names_the_key(case):
    overlay, key, words = BAD[case]
    with pytest.raises(UserError) as caught:
        config_with(overlay)
    line = str(caught.value)
    assert len(line.splitlines()) == 1, line
    assert line.startswith(f"config: {key}: "), line
    assert not [word for word in words if word not in line], line


def test_every_mistake_has_its_line():
    with pytest.raises(UserError) as caught:
        config_with({"sedes": 1, "seeds": []})
    assert {line.split(": ")[1] for line in str(caught.value).splitlines()} == {"sedes", "seeds"}


def test_the_default_names_every_key():
    """config.yaml explains every setting: nothing that the models know is left to a default there, but for what is inherited."""
    text = (ROOT / "config.yaml").read_text()
    raw = yaml.safe_load(text)
    full = read_config(raw).model_dump(mode="json", exclude_none=False)
    inherited = ("norm", "epsilon", "name")
    schedule_said_once = r"\.epsilon_schedule$"

    def missing(given: Any, complete: Any, path: str) -> Iterator[str]:
        laid_over = re.search(r"\.runs\.\w+\.(architecture|training)$", path)
        if not isinstance(complete, dict) or laid_over or (re.search(schedule_said_once, path) and ".pgd." not in path):
            return
        for key, value in complete.items():
            if key in (given or {}):
                yield from missing(given[key], value, f"{path}.{key}")
            elif not (key in inherited and re.search(r"\.(method|monitor|signals\.\w+)$", path)):
                yield f"{path}.{key}"

    optional = (".architecture", ".training", ".epsilon_schedule")
    assert [name for name in missing(raw, full, "") if not name.endswith(optional)] == []
    unexplained = set(re.findall(r"^ *([a-z_]+):(?!.*#)", text, flags=re.M)) - set(
        re.findall(r"^ *([a-z_]+):.*#", text, flags=re.M)
    )
    groups = {"datasets", "source", "optimizer", "schedule", "augmentation", "method"}
    assert unexplained - groups - set(full["figures"]) - set(full["datasets"]["digits"]["runs"]) == set()
