"""Bad input: one line that names the key or the file, before any job where that is possible, and nothing lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml
from snakemake.utils import update_config

from conftest import ROOT, Workflow, shared
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.config import read_config
from robustmia.config_docs import configuration_page
from robustmia.data.split import Split
from robustmia.logits import SignalLogits
from robustmia.plan import Plan, missing_targets
from robustmia.registry import METHODS
from robustmia.settings import TrainingSettings, Verifier
from test_data import put_fashion_mnist, put_images

PGD = "datasets.digits.runs.pgd.method"
RUNS, VERIFIED = "datasets.digits.runs", "datasets.digits.signals.verified"
TRAINING = "datasets.digits.training"
NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


def at(key: str, value: Any) -> dict:
    """The overlay that sets one dotted key."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def dataset(source: dict, **more: Any) -> dict:
    """An overlay with one data set of one's own in place of digits, and a training of one step."""
    smallest = {
        "source": source,
        "split": {"member_fraction": 0.5},
        "architecture": {"name": "small_cnn", "width": 2},
        "training": {"epochs": 1, "optimizer": {"name": "sgd", "learning_rate": 0.1}},
        "signals": {"benign": {}, "adversarial": {"epsilon": 0.1, "steps": 1}},
        "runs": {"natural": {"method": {"name": "natural"}}},
    }
    return {"datasets": {"digits": None, "mine": smallest | more}}


# What is given, and what the one line says.
BAD_SETTINGS: dict[str, tuple[dict, str]] = {
    "unknown key": ({"sedes": [0]}, r"config: sedes: unknown key; did you mean seeds\?"),
    "misspelt setting of a method": (
        at(f"{PGD}.stepz", 3),
        rf"config: {PGD}\.stepz: unknown key; did you mean steps\?",
    ),
    "misspelt and empty": (at(f"{PGD}.stepz", None), rf"config: {PGD}\.stepz: unknown key; did you mean steps\?"),
    "nothing like any key": (at(f"{TRAINING}.qqqq", 3), r"training\.qqqq: unknown key; remove it"),
    "setting of another optimiser": (
        at(f"{TRAINING}.optimizer", {"name": "adam"}),
        r"training\.optimizer\.momentum: not a setting of this group; remove it, or set it to null",
    ),
    "unknown data set": (
        at("datasets.digits.source.name", "imagenet"),
        r"datasets\.digits\.source\.name: unknown name 'imagenet'; use one of 'digits', 'fashion_mnist'",
    ),
    "unknown method": (at(f"{PGD}.name", "fgsm"), rf"{PGD}\.name: unknown name 'fgsm'; use one of 'natural', 'pgd'"),
    "unknown network": (at("datasets.digits.architecture.name", "vgg"), r"architecture\.name: unknown name 'vgg'"),
    "unknown optimiser": (at(f"{TRAINING}.optimizer.name", "lion"), r"optimizer\.name: unknown name 'lion'"),
    "unknown schedule": (at(f"{TRAINING}.schedule.name", "step"), r"schedule\.name: unknown name 'step'"),
    "no name": (
        {"datasets": {"digits": {"runs": {"mine": {"method": {"steps": 3}}}}}},
        r"runs\.mine\.method: needs a name; give it as method: \{name: \.\.\.\}",
    ),
    "name in place of a group": (at(PGD, "pgd"), rf"{PGD}: 'pgd' will not do"),
    "text for a number": (at(f"{TRAINING}.epochs", "many"), r"training\.epochs: 'many' will not do; .* integer"),
    "fraction for a whole number": (at(f"{TRAINING}.epochs", 1.5), r"training\.epochs: 1\.5 will not do"),
    "no epoch": (at(f"{TRAINING}.epochs", 0), r"training\.epochs: 0 will not do; it should be greater than 0"),
    "no batch size": (at(f"{TRAINING}.batch_size", None), r"training\.batch_size: None will not do"),
    "negative radius": (at(f"{PGD}.epsilon", -0.1), rf"{PGD}\.epsilon: -0\.1 will not do"),
    "unknown verifier": (
        at(f"{VERIFIED}.verifiers", ["ibp"]),
        r"verifiers\.0: 'ibp' will not do; .*'interval', 'zonotope'",
    ),
    "no verifier": (at(f"{VERIFIED}.verifiers", []), r"verified\.verifiers: \[\] will not do"),
    "verifier twice": (
        at(f"{VERIFIED}.verifiers", ["dual", "dual"]),
        r"verified\.verifiers: a verifier is given twice",
    ),
    "no memory": (at(f"{VERIFIED}.memory_mib", 0), r"verified\.memory_mib: 0 will not do"),
    "no verified radius": (at(f"{VERIFIED}.epsilon", None), r"verified\.epsilon: None will not do"),
    "unknown domain": (
        at(f"{RUNS}.abstract_interpretation.method.domain", "box"),
        r"method\.domain: 'box' will not do",
    ),
    "misspelt ramp": (
        at(f"{RUNS}.ibp.method.ramp.lenght", 2),
        r"method\.ramp\.lenght: unknown key; did you mean length\?",
    ),
    "no projection": (
        at(f"{RUNS}.duality.method.projections", 0),
        r"method\.projections: 0 will not do; .* greater than 0",
    ),
    "ramp longer than the training": (
        at(f"{RUNS}.ibp.training.epochs", 32),
        r"datasets\.digits: runs\.ibp\.method is at its full radius and weights after 32 epochs only, but trains for 32",
    ),
    "rise longer than the training": (
        at(f"{RUNS}.duality.training.epochs", 9),
        r"runs\.duality\.method is at its full radius and weights after 9 epochs only, but trains for 9",
    ),
    "infinite radius": (at(f"{PGD}.epsilon", float("inf")), rf"{PGD}\.epsilon: inf will not do; .* finite"),
    "unknown norm": (at(f"{PGD}.norm", "l1"), rf"{PGD}\.norm: 'l1' will not do; it should be 'linf' or 'l2'"),
    "fraction above 1": (at(f"{PGD}.adversarial_fraction", 1.5), r"adversarial_fraction: 1\.5 will not do"),
    "no seed": ({"seeds": []}, r"config: seeds: \[\] will not do"),
    "a seed twice": ({"seeds": [0, 1, 0]}, r"config: seeds: a seed is given twice"),
    "seeds not in a list": ({"seeds": 3}, r"config: seeds: 3 will not do"),
    "negative seed": ({"seeds": [-1]}, r"config: seeds\.0: -1 will not do"),
    "everyone a member": (at("datasets.digits.split.member_fraction", 1.0), r"member_fraction: 1\.0 will not do"),
    "two rules for the split": (
        at("datasets.digits.split.members_per_class", 5),
        r"datasets\.digits\.split: give member_fraction or members_per_class, not both",
    ),
    "restarts that repeat": (
        at("datasets.digits.signals.adversarial.restarts", 2),
        r"signals\.adversarial: restarts above 1 repeat the same attack unless random_start is true",
    ),
    "depth that is no wide ResNet's": (
        at("datasets.digits.architecture", {"name": "wide_resnet", "depth": 20}),
        r"architecture: depth 20 is not 6 n \+ 4",
    ),
    "mean without deviation": (
        at("datasets.digits.architecture.input_mean", [0.5]),
        r"architecture: input_mean and input_std need one number per channel",
    ),
    "schedule that does not match": (
        at("datasets.digits.runs.pgd.training.schedule", {"name": "piecewise", "epochs": [1, 2], "factors": [0.1]}),
        r"schedule: 2 epochs need as many factors, not 1",
    ),
    "schedule that falls": (
        at(
            "datasets.digits.runs.pgd.training.schedule", {"name": "piecewise", "epochs": [3, 2], "factors": [0.1, 0.2]}
        ),
        r"schedule: epochs must rise",
    ),
    "truth for a number": (at(f"{TRAINING}.epochs", True), r"digits\.training: epochs is true; give a number"),
    "truth among seeds": ({"seeds": [True]}, r"config: the configuration: seeds is \[true\]; give a number"),
    "seed too large": ({"seeds": [2**32]}, r"config: seeds\.0: 4294967296 will not do; it should be less than"),
    "one non-member": (at("datasets.digits.split.max_nonmembers", 1), r"split\.max_nonmembers: 1 will not do"),
    "brace in a folder": ({"results_dir": "res{a}ults"}, r"results_dir: res\{a\}ults has a brace"),
    "number for a folder": ({"results_dir": 3}, r"results_dir: 3 will not do; it should be a path"),
    "name with a slash": (
        {"datasets": {"a/b": dataset({"name": "digits"})["datasets"]["mine"]}},
        r"config: datasets\.a/b: a name starts with a letter .* rename 'a/b'",
    ),
    "name with a space": (at("datasets.digits.runs.my run", {"method": {"name": "natural"}}), r"rename 'my run'"),
    "no data set": (at("datasets.digits", None), r"config: datasets: \{\} will not do"),
    "data sets in a list": ({"datasets": ["digits"]}, r"config: datasets: \['digits'\] will not do"),
    "no run": (
        at("datasets.digits.runs", dict.fromkeys(METHODS)),
        r"config: datasets\.digits\.runs: \{\} will not do",
    ),
    "no path": (dataset({"name": "image_folder"}), r"config: datasets\.mine\.source\.path: missing; add it"),
    "unknown figure": (at("figures.rock.width", 2), r"config: figures\.rock: unknown key; did you mean roc\?"),
    "figure without width": (at("figures.roc.width", 0), r"config: figures\.roc\.width: 0 will not do"),
    "results in a file": (
        {"results_dir": "config.yaml"},
        r"results_dir: config\.yaml cannot be written \(File exists\)",
    ),
    "results where nothing can be": (
        {"results_dir": "/proc/results"},
        r"results_dir: /proc/results cannot be written .* name another folder",
    ),
    "no Yale": (dataset({"name": "yale"}), r"data/CroppedYale\.zip: no such folder or zip file; get the cropped"),
    "no image folder": (
        dataset({"name": "image_folder", "path": "faces"}),
        r"data/faces: no such folder or zip file; put the images there",
    ),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A workflow whose digits are already there."""
    workflow = Workflow.copy(tmp_path_factory.mktemp("bad") / "workflow")
    done = workflow.run("results/data/digits/split_seed0.npz")
    assert done.returncode == 0, done.stdout
    return workflow


def complaint(workflow: Workflow, overlay: dict, *arguments: str, **environment: str) -> tuple[str, str]:
    """The one line that a run complains with, and all that it printed."""
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run(*arguments, "--configfile", "overlay.yaml", **environment)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    first, *rest = [line for line in done.stdout.splitlines() if line.startswith("robustmia: ")]
    if rest:  # a job failed, and the end of the output says it once more
        assert rest == ["robustmia: 1 job failed"], done.stdout
        assert f"  {first.removeprefix('robustmia: ').partition(' (traceback')[0]}\n    log: results/" in done.stdout
    return first, done.stdout


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_a_bad_setting_is_named_before_any_job(finished, case):
    overlay, expected = BAD_SETTINGS[case]
    kept = {path: path.read_bytes() for path in (finished.folder / "results").rglob("*") if path.is_file()}
    line, output = complaint(finished, overlay)
    assert re.search(expected, line), line
    assert "rule " not in output
    assert {path: path.read_bytes() for path in kept} == kept


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def corrupt_zip(folder: Path) -> dict:
    (folder / "data").mkdir()
    (folder / "data" / "CroppedYale.zip").write_bytes(b"PK\x03\x04 no zip")
    return dataset({"name": "yale"})


def corrupt_image(folder: Path) -> dict:
    put_images(folder / "data" / "faces", {"ann": 3, "bob": 3}, size=(20, 20))
    truncate(folder / "data" / "faces" / "bob" / "1.png")
    return dataset({"name": "image_folder", "path": "faces"})


def too_few_images(folder: Path) -> dict:
    put_images(folder / "data" / "faces", {"ann": 9, "bob": 3})
    return dataset({"name": "image_folder", "path": "faces"}, split={"members_per_class": 3})


def no_own_split(folder: Path) -> dict:
    put_images(folder / "data" / "faces", {"ann": 3, "bob": 3})
    return dataset({"name": "image_folder", "path": "faces"}, split={})


def wrong_channels(folder: Path) -> dict:
    put_images(folder / "data" / "faces", {"ann": 3, "bob": 3}, size=(8, 8))
    network = {"name": "small_cnn", "width": 2, "input_mean": [0.5] * 3, "input_std": [1.0] * 3}
    return dataset({"name": "image_folder", "path": "faces"}, architecture=network)


def loss_explodes(folder: Path) -> dict:
    put_images(folder / "data" / "faces", {"ann": 40, "bob": 40}, size=(8, 8))
    training = {"epochs": 9, "batch_size": 8, "optimizer": {"name": "sgd", "learning_rate": 1e20}}
    return dataset({"name": "image_folder", "path": "faces"}, training=training)


def no_download(folder: Path) -> dict:
    return dataset({"name": "fashion_mnist"}, split={})


def wrong_checksum(folder: Path) -> dict:
    raw = put_fashion_mnist(folder / "data")
    content = bytearray((raw / "train-images-idx3-ubyte").read_bytes())
    content[5000] ^= 1
    (raw / "train-images-idx3-ubyte").write_bytes(content)
    return dataset({"name": "fashion_mnist"}, split={})


def truncated_download(folder: Path) -> dict:
    truncate(put_fashion_mnist(folder / "data") / "train-images-idx3-ubyte")
    return dataset({"name": "fashion_mnist"}, split={})


BAD_FILES: dict[str, tuple[Callable[[Path], dict], str]] = {
    "damaged zip": (corrupt_zip, r"CroppedYale\.zip: neither a folder nor a readable zip"),
    "damaged image": (corrupt_image, r"faces/bob/1\.png: damaged image \(.*\); restore or remove it"),
    "too few images": (too_few_images, r"class 'bob' has 3 images, too few for 3 members and at least one non-member"),
    "no training set": (no_own_split, r"no training set of its own; give member_fraction or members_per_class"),
    "channels": (wrong_channels, r"input_mean: 3 numbers, but the images have 1 channels"),
    "loss not a number": (
        loss_explodes,
        r"mine/natural/seed0: the loss became (nan|inf) in epoch \d, batch \d+ of 5; lower training\.optimizer\.learning_rate",
    ),
    "no network": (no_download, r"data/FashionMNIST/raw: FashionMNIST is neither whole there nor to be downloaded"),
    "wrong checksum": (
        wrong_checksum,
        r"data/FashionMNIST/raw: wrong checksum, the files are not the published data set",
    ),
    "truncated download": (truncated_download, r"data/FashionMNIST/raw: FashionMNIST is neither whole there"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_named(workflow, case):
    prepare, expected = BAD_FILES[case]
    overlay = prepare(workflow.folder) | {"seeds": [0]}
    line, output = complaint(workflow, overlay, "train_all", **NO_NETWORK)
    assert re.search(expected, line), line
    assert "results/logs" in output  # Snakemake says where the log is


@pytest.mark.parametrize(
    ("damaged", "target", "expected"),
    [
        (
            "results/data/digits/dataset.npz",
            "train_all",
            r"dataset\.npz: damaged .* moved to .*dataset\.npz\.damaged; the same command",
        ),
        ("results/data/digits/split_seed0.npz", "train_all", r"split_seed0\.npz: damaged"),
        (
            "results/models/digits/natural/seed0/model.safetensors",
            "results/signals/digits/natural/seed0/benign.npz",
            r"model\.safetensors: damaged",
        ),
        ("results/signals/digits/natural/seed0/benign.npz", "tables", r"benign\.npz: damaged"),
        ("results/inference/digits/natural/seed0/robustness.csv", "tables", r"robustness\.csv: damaged"),
    ],
)
def test_a_damaged_result_is_named(one_run, damaged, target, expected):
    """The file is damaged just when it is next read: what comes after it is not there yet. One more command mends it."""
    workflow = one_run(damaged)
    line, _ = complaint(workflow, ONE_RUN, target)
    assert re.search(expected, line), line
    done = workflow.run(target, "--configfile", "overlay.yaml")
    assert done.returncode == 0, done.stdout
    assert (workflow.folder / damaged).exists()


ONE_RUN = {
    "seeds": [0],
    "datasets": {
        "digits": {
            "architecture": {"width": 2},
            "training": {"epochs": 1, "monitor": None},
            "signals": {"adversarial": {"steps": 1}},
            "runs": dict.fromkeys(set(METHODS) - {"natural"}),
        }
    },
}


@pytest.fixture
def one_run(workflow: Workflow) -> Callable[[str], Workflow]:
    """A workflow that has come as far as one file, which is then damaged."""

    def make(damaged: str) -> Workflow:
        (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(ONE_RUN))
        done = workflow.run(damaged, "--configfile", "overlay.yaml")
        assert done.returncode == 0, done.stdout
        path = workflow.folder / damaged
        path.write_bytes(b"\xff\xfe\x00" if path.suffix == ".csv" else path.read_bytes()[:-100])
        return workflow

    return make


def test_a_bound_that_an_attack_breaks_stops_the_pipeline(workflow):
    """Bounds that certify every record, of a model that hardly learned: the first record that is wrong is named."""
    verified = "results/signals/digits/natural/seed0/verified.npz"
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(ONE_RUN))
    assert workflow.run(verified, "--configfile", "overlay.yaml").returncode == 0
    bounds = SignalLogits.load(workflow.folder / verified)
    certain = np.where(np.arange(10) == bounds.member_labels[:, None], 0, -1).astype(np.float32)
    replace(bounds, members=certain).save(workflow.folder / verified)
    line, _ = complaint(workflow, ONE_RUN, "tables")
    expected = r"infer digits natural 0: SoundnessError: digits/natural/seed0: member \d+ of class \d: the \w+ signal puts class"
    assert re.search(expected, line), line


def test_an_unknown_palette_is_named(workflow):
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(ONE_RUN))
    line, _ = complaint(workflow, ONE_RUN | at("figures.roc.palette", "rainbowish"), "figures")
    assert re.search(r"figures\.\*\.palette: 'rainbowish' is not a valid palette name", line), line


def test_every_mistake_has_its_line():
    raw = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"sedes": 1, "seeds": []}
    with pytest.raises(Exception, match="sedes") as caught:
        read_config(raw)
    assert len(str(caught.value).splitlines()) == 2


# ---------------------------------------------------------------- what is good


@pytest.mark.parametrize("overlay", sorted(path.name for path in (ROOT / "configs").glob("*.yaml")))
def test_every_overlay_makes_a_plan(workflow, overlay):
    (workflow.folder / "data").mkdir()
    (workflow.folder / "data" / "CroppedYale.zip").write_bytes(b"only looked for")
    jobs = workflow.planned("--configfile", f"configs/{overlay}")
    names = {job[1] for job in jobs if job[0] == "fetch"}
    trained = {job[2] for job in jobs if job[0] == "train"}
    if overlay == "digits_search.yaml":
        assert names == {"digits"}
        assert {run.partition("_")[0] for run in trained} == {"duality", "ai", "ibp"}
        return
    assert names == {"digits" if overlay == "smoke.yaml" else overlay.removesuffix(".yaml")}
    assert trained == set(METHODS) - (
        {"duality", "abstract_interpretation", "ibp"} if overlay == "cifar10.yaml" else set()
    )


def test_the_settings_found_by_the_search_are_those_of_the_default():
    """What docs/bounds.md says of the runs called chosen holds for config.yaml."""
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
    update_config(raw, yaml.safe_load((ROOT / "configs" / f"{dataset}.yaml").read_text()))
    settings = read_config(raw).datasets[dataset]
    members, runs = {"yale": 1900, "fashion_mnist": 60_000}[dataset], settings.runs

    def training(name: str) -> TrainingSettings:
        return runs[name].training or settings.training

    for name in ("duality", "abstract_interpretation", "ibp"):
        assert runs[name].method.epsilon == theirs[name]["epsilon"]
        assert training(name).batch_size == theirs[name]["batch_size"]
        assert training(name).gradient_clip == theirs[name].get("gradient_norm_clip")
    duality, ours = theirs["duality"], runs["duality"].method
    assert (ours.starting_epsilon, ours.projections) == (duality["starting_epsilon"], duality["bound"]["projections"])
    assert f"{ours.rise_epochs} equally spaced values" in duality["epsilon_schedule"]
    assert ours.clip_pixels == duality["bound"]["bounded_input"]
    assert training("duality").epochs == duality["epochs"]
    assert training("duality").optimizer.weight_decay == duality["weight_decay"]["value"]
    boxes, ours = theirs["abstract_interpretation"], runs["abstract_interpretation"].method
    assert (ours.verified_weight, ours.domain, ours.clip_pixels) == (boxes["tot_weight"], "interval", False)
    assert f"epochs 1..{ours.warmup_epochs:.0f} " in boxes["warmup"]
    assert training("abstract_interpretation").epochs == boxes["epochs"] - 1  # the latest model saved
    for fraction in re.findall(r"fraction about ([0-9.]+)", boxes["width_schedule"]):
        assert ours.ramp.at(ours.warmup_epochs) == pytest.approx(float(fraction), abs=0.002)
    (batch, epoch) = map(int, re.search(r"1\.0 from batch (\d+) of epoch (\d+)", boxes["width_schedule"]).groups())
    steps = members // boxes["batch_size"]
    assert ours.ramp.end == pytest.approx(epoch - 1 + batch / steps, abs=0.01)
    propagation, ours = theirs["ibp"], runs["ibp"].method
    steps = members / propagation["batch_size"]
    assert ours.ramp.start * steps == pytest.approx(propagation["warmup_steps"], rel=1e-3)
    assert ours.ramp.length * steps == pytest.approx(propagation["rampup_steps"], rel=1e-3)
    assert ours.nominal_weight == propagation["loss_weights"]["nominal"]["final"]
    assert training("ibp").optimizer.weight_decay == propagation["l2_scale"]
    boundaries = [round(epoch * steps) for epoch in training("ibp").schedule.epochs]
    assert boundaries == pytest.approx(propagation["lr"]["step_boundaries"], rel=1e-3)


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        ({"epsilon": 0.05}, ["benign", "adversarial"]),
        ({"epsilon": 0.1}, ["benign", "adversarial"]),
        ({"epsilon": 0.1, "norm": "l2"}, ["benign", "adversarial"]),
        ({"epsilon": 0.11}, ["benign"]),
    ],
)
def test_signals_in_the_verified_ball_are_held_against_it(attack, expected):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    raw["datasets"]["digits"]["signals"]["adversarial"] |= attack
    assert Plan(read_config(raw)).infer("digits", "ibp", 0)["in_verified_ball"] == expected
    raw["datasets"]["digits"]["signals"]["verified"] = None
    assert Plan(read_config(raw)).infer("digits", "ibp", 0)["in_verified_ball"] == []


def test_the_verifiers_that_can_be_asked_for_are_those_there_are():
    assert get_args(Verifier) == tuple(VERIFIERS)


def test_a_runs_changes_are_laid_over_its_data_set(tmp_path):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"results_dir": str(tmp_path)}
    raw["datasets"]["digits"]["runs"]["wide"] = {
        "method": {"name": "natural"},
        "architecture": {"width": 64},
        "training": {"epochs": 7, "optimizer": {"name": "adam", "learning_rate": 0.001}},
    }
    config = read_config(raw)
    plan = Plan(config)
    assert plan.train("digits", "wide", 0)["architecture"]["width"] == 64
    assert plan.signal("digits", "wide", 0, "benign")["architecture"]["width"] == 64
    assert plan.train("digits", "wide", 0)["training"]["epochs"] == 7
    assert plan.train("digits", "natural", 0)["training"]["epochs"] == raw["datasets"]["digits"]["training"]["epochs"]
    assert plan.runs("digits") == [
        "natural", "wide", "pgd", "distributional", "trades", "duality", "abstract_interpretation", "ibp",
    ]  # fmt: skip
    wide = config.datasets["digits"].runs["wide"]
    assert (wide.architecture.name, wide.architecture.width) == ("small_cnn", 64)
    assert (wide.training.epochs, wide.training.batch_size, wide.training.optimizer.name) == (7, 64, "adam")


def test_the_default_names_every_key():
    """config.yaml explains every setting: nothing that the models know is left to a default there."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    full = read_config(raw).model_dump(mode="json", exclude_none=False)

    def missing(given: Any, complete: Any, path: str) -> list[str]:
        if not isinstance(complete, dict) or re.search(
            r"\.runs\.\w+\.(architecture|training)$", path
        ):  # laid over the data set's
            return []
        lacking = [f"{path}.{key}" for key in complete if key not in (given or {})]
        inner = [missing(given[key], complete[key], f"{path}.{key}") for key in complete if key in (given or {})]
        return lacking + [name for names in inner for name in names]

    lacking = [
        name
        for name in missing(raw, full, "")
        if not name.endswith(
            (".architecture", ".training", "benign.name", "adversarial.name", "verified.name", "targeted.name")
        )
    ]
    assert lacking == []
    comments = re.findall(r"^ *([a-z_]+):(?!.*#)", (ROOT / "config.yaml").read_text(), flags=re.M)
    explained = set(re.findall(r"^ *([a-z_]+):.*#", (ROOT / "config.yaml").read_text(), flags=re.M))
    groups = {"datasets", "source", "optimizer", "schedule", "augmentation", "method"}
    figures = set(full["figures"])
    assert set(comments) - explained - groups - figures - set(full["datasets"]["digits"]["runs"]) == set()


def test_the_configuration_page_is_in_step():
    assert (ROOT / "docs" / "configuration.md").read_text() == configuration_page(), "run make docs"


def test_yale_runs_from_the_zip(workflow):
    (workflow.folder / "data").mkdir()
    (workflow.folder / "data" / "CroppedYale.zip").symlink_to(shared("data", "CroppedYale.zip"))
    overlay = yaml.safe_load((workflow.folder / "configs" / "yale.yaml").read_text())
    overlay["datasets"]["yale"] |= {
        "architecture": {"name": "yale_net", "width": 1},
        "training": {"epochs": 1, "batch_size": 64, "optimizer": {"name": "adam", "learning_rate": 1e-3}},
        "signals": {"benign": {}, "adversarial": {"epsilon": 0.0314, "steps": 1}},
        "runs": {"natural": {"method": {"name": "natural"}}},
    }
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run("tables", "figures", "--configfile", "overlay.yaml")
    assert done.returncode == 0, done.stdout
    table = (workflow.folder / "results" / "tables" / "robustness.csv").read_text().splitlines()
    assert table[1].startswith("yale,natural,natural,0,")
    with np.load(workflow.folder / "results" / "signals" / "yale" / "natural" / "seed0" / "benign.npz") as signal:
        assert signal["members"].shape == (1900, 38)
        assert signal["nonmembers"].shape == (514, 38)


def test_fashion_mnist_runs_from_local_files(workflow):
    put_fashion_mnist(workflow.folder / "data")
    overlay = dataset({"name": "fashion_mnist"}, split={"max_members": 300, "max_nonmembers": 200}) | {"seeds": [0]}
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run("tables", "--configfile", "overlay.yaml", **NO_NETWORK)
    assert done.returncode == 0, done.stdout
    split = Split.load(workflow.folder / "results" / "data" / "mine" / "split_seed0.npz")
    sizes = {name: len(rows) for name, rows in vars(split).items()}
    assert sizes == {"members": 300, "nonmembers": 200, "shadow_pool": 69_500}


def test_a_checkpoint_is_keyed_by_the_split_and_by_the_code(tmp_path, monkeypatch):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"results_dir": str(tmp_path)}
    before = Plan(read_config(raw)).checkpoint("digits", "pgd", 0)
    assert Plan(read_config(raw)).checkpoint("digits", "pgd", 0) == before
    monkeypatch.setattr(Plan, "code", lambda *arguments: "other")
    assert Plan(read_config(raw)).checkpoint("digits", "pgd", 0) != before
    monkeypatch.undo()
    raw["datasets"]["digits"]["split"]["max_members"] = 100
    assert Plan(read_config(raw)).checkpoint("digits", "pgd", 0) != before


def checkpoint(folder: Path, key: str = "results_dir", value: Any = None) -> str:
    """Where pgd of the default configuration keeps its state, with one dotted key changed."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    *groups, last = key.split(".")
    group = reduce(getitem, groups, raw)
    group[last] = value
    return Plan(read_config(raw | {"results_dir": str(folder)})).checkpoint("digits", "pgd", 0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("datasets.digits.source", {"name": "cifar10"}),
        ("datasets.digits.split.max_members", 100),
        ("datasets.digits.architecture.width", 7),
        ("datasets.digits.training.epochs", 61),
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


def test_a_checkpoint_is_keyed_by_the_code_of_its_own_method(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("robustmia.plan.code_digest", lambda *modules: str(asked.append(modules)))
    checkpoint(tmp_path)
    assert asked == [("train", "robustmia.methods.pgd")]


def plan_without(*lost: tuple[str, int], stage: str = "inference") -> Plan:
    """The plan of the default configuration without the results of some runs and seeds."""
    config = read_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    said = json.dumps({stage: [["digits", run, seed] for run, seed in lost]})
    return Plan(config, missing_targets(said))


def test_a_target_without_results_is_left_out_of_what_puts_targets_together():
    plan = plan_without(("pgd", 1), ("ibp", 0), ("ibp", 1), ("ibp", 2))
    collected = plan.each_target("{run}/{seed}", "digits")
    assert len(collected) == 7 * 3 - 4
    assert not {"pgd/1", "ibp/0"} & set(collected)
    assert "ibp" not in plan.shown_runs("digits")
    assert plan.common_seeds("digits") == [0, 2]
    comparison = plan.comparison("digits", "inference")
    assert (list(comparison["methods"]), comparison["seeds"]) == (plan.shown_runs("digits"), [0, 2])
    assert len(plan.judged("digits", "inference")) == 6 * 2
    assert plan.missing_words("digits") == ["seed 1 of pgd", "ibp"]
    assert {place: (lost["run"], lost["seed"]) for place, lost in plan.missing_targets("digits").items()} == {
        "4": ("pgd", 1),
        **{str(18 + seed): ("ibp", seed) for seed in range(3)},
    }
    assert plan.figure("digits", "roc")["missing"] == ["seed 1 of pgd", "ibp"]
    assert plan.strong_datasets == ["digits"]  # whose results are another stage's


def test_without_the_natural_run_nothing_is_compared_with_it():
    plan = plan_without(*(("natural", seed) for seed in range(3)))
    assert plan.comparison("digits", "inference")["natural"] is None
    strong = plan_without(("natural", 1), stage="strong")
    assert strong.natural_of("digits", "pgd", 1) == []
    assert len(strong.natural_of("digits", "pgd", 0)) == 1


def test_a_data_set_is_not_shown_when_nothing_of_it_can_be_compared():
    assert plan_without(("pgd", 0), ("ibp", 1), ("trades", 2)).datasets == []
    assert plan_without().missing_words("digits") == []
    lost = plan_without(("pgd", 0), stage="examples")
    assert len(lost.examples("digits")) == 6
    assert "pgd" not in lost.figure("digits", "examples")["runs"]
    assert "pgd" in lost.figure("digits", "roc")["runs"]
