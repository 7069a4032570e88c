"""Bad input to a whole workflow: one line that names the file, before any job where that is possible, and nothing lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from helpers import ROOT, Workflow, at, dataset, put_fashion_mnist, put_images, shared
from robustmia.config.registry import METHODS
from robustmia.data.split import Split
from robustmia.files.signals import load_signals, save_signals

NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


def complaint(workflow: Workflow, overlay: dict, *arguments: str, **environment: str) -> str:
    """What a run that fails prints: a line that begins with `robustmia: `, and what belongs to it."""
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run(*arguments, "--configfile", "overlay.yaml", **environment)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    assert "robustmia: " in done.stdout, done.stdout
    return done.stdout[done.stdout.index("robustmia: ") :]


def test_a_bad_setting_is_named_before_any_job(workflow):
    overlay = at("datasets.digits.runs.pgd.method.stepz", 3)
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run("--configfile", "overlay.yaml")
    assert done.returncode == 1
    assert "robustmia: config: datasets.digits.runs.pgd.method.stepz: " in done.stdout
    assert "Job stats" not in done.stdout
    assert not (workflow.folder / "results").exists()


@pytest.mark.parametrize(
    ("target", "missing"), [("audit", "audits"), ("shadow_all", "shadow models"), ("studies", "studies")]
)
def test_a_target_of_which_the_configuration_has_nothing_says_so(workflow, target, missing):
    done = workflow.run(target, "--dry-run")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("robustmia: ")]
    assert f"there are no {missing} in this configuration" in line


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


BAD_FILES: dict[str, tuple[Callable[[Path], dict], tuple[str, ...]]] = {
    "damaged zip": (corrupt_zip, ("fetch mine: ", "CroppedYale.zip")),
    "damaged image": (corrupt_image, ("fetch mine: ", "faces/bob/1.png")),
    "too few images": (too_few_images, ("split mine 0: ", "'bob'", "members_per_class")),
    "no training set": (no_own_split, ("split mine 0: ", "member_fraction", "members_per_class")),
    "channels": (wrong_channels, ("train mine natural 0: ", "input_mean")),
    "loss not a number": (loss_explodes, ("train mine natural 0: ", "training.optimizer.learning_rate")),
    "no network": (no_download, ("fetch mine: ", "data/FashionMNIST/raw")),
    "wrong checksum": (wrong_checksum, ("fetch mine: ", "data/FashionMNIST/raw", "checksum")),
    "truncated download": (truncated_download, ("fetch mine: ", "data/FashionMNIST/raw")),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_named(workflow, case):
    prepare, words = BAD_FILES[case]
    said = complaint(workflow, prepare(workflow.folder) | {"seeds": [0]}, "train_all", **NO_NETWORK)
    assert said.startswith("robustmia: 1 job failed")
    assert not [word for word in words if word not in said], said
    assert "    log: results/logs/" in said


@pytest.mark.parametrize(
    ("damaged", "target"),
    [
        ("results/data/digits/dataset.npz", "train_all"),
        (
            "results/models/digits/natural/seed0/model.safetensors",
            "results/signals/digits/natural/seed0/benign+adversarial+targeted+verified.npz",
        ),
        ("results/inference/digits/natural/seed0/robustness.csv", "tables"),
    ],
)
def test_a_damaged_result_is_named(one_run, damaged, target):
    """The file is damaged just when it is next read: what comes after it is not there yet. One more command makes it again."""
    workflow = one_run(damaged)
    said = complaint(workflow, ONE_RUN, target)
    assert f"{damaged}: damaged" in said
    assert f"{damaged}.damaged" in said
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
    file = "results/signals/digits/natural/seed0/benign+adversarial+targeted+verified.npz"
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(ONE_RUN))
    assert workflow.run(file, "--configfile", "overlay.yaml").returncode == 0
    signals = load_signals([workflow.folder / file])
    bounds = signals["verified"]
    certain = np.where(np.arange(10) == bounds.member_labels[:, None], 0, -1).astype(np.float32)
    save_signals(workflow.folder / file, signals | {"verified": replace(bounds, members=certain)})
    said = complaint(workflow, ONE_RUN, "tables")
    assert "infer digits natural 0: SoundnessError: digits/natural/seed0: member " in said


@pytest.mark.parametrize("place", ["-s", "--directory"])
def test_defaults_do_not_depend_on_where_snakemake_is_started(workflow, tmp_path, place):
    """The default configuration is the one beside the Snakefile; a dry run leaves no file behind."""
    elsewhere = Workflow(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    (elsewhere.folder / "config.yaml").write_text("seeds: [7]\n")
    here = elsewhere if place == "-s" else workflow
    arguments = (
        "-s",
        str(workflow.folder / "Snakefile"),
        *(("--directory", str(elsewhere.folder)) if place != "-s" else ()),
    )
    expected = workflow.planned()
    assert here.planned(*arguments) == expected
    assert {path.name for path in elsewhere.folder.iterdir()} == {"config.yaml", ".snakemake"}
    assert not (workflow.folder / "results").exists()


def test_paths_with_a_home_and_variables_are_those_of_the_shell(workflow, tmp_path):
    overlay = {"results_dir": "~/out", "data_dir": "$MY_DATA/images"} | dataset(
        {"name": "image_folder", "path": "${SET}"}
    )
    put_images(tmp_path / "d" / "images" / "faces", {"ann": 4, "bob": 4})
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay | {"seeds": [0]}))
    environment = {"HOME": str(tmp_path / "home"), "MY_DATA": str(tmp_path / "d"), "SET": "faces"}
    done = workflow.run("train_all", "--configfile", "overlay.yaml", **environment)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "home" / "out" / "models" / "mine" / "natural" / "seed0" / "model.safetensors").exists()
    assert not (workflow.folder / "~").exists()


def test_files_that_are_left_out_are_named_on_the_terminal(workflow):
    put_images(workflow.folder / "data" / "faces", {"ann": 4, "bob": 4})
    (workflow.folder / "data" / "faces" / "bob" / "notes.txt").write_text("no image")
    overlay = dataset({"name": "image_folder", "path": "faces"})
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run("results/data/mine/dataset.npz", "--configfile", "overlay.yaml")
    assert done.returncode == 0, done.stdout
    assert "fetch mine: 1 file left out, without the suffix of an image: data/faces/bob/notes.txt" in done.stdout


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(workflow, tmp_path):
    """A clone on a read-only disk: it can be used from another folder."""
    if subprocess.run(["mount", "--bind", workflow.folder, workflow.folder], check=False).returncode:
        pytest.skip("a folder cannot be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", workflow.folder], check=True)
        done = workflow.run("--dry-run")
        assert done.returncode == 1
        assert f"robustmia: {workflow.folder} cannot be written" in done.stdout
        assert "Traceback" not in done.stdout
        (tmp_path / "mine").mkdir()
        assert Workflow(tmp_path / "mine").planned("-s", str(workflow.folder / "Snakefile"))
    finally:
        subprocess.run(["umount", workflow.folder], check=True)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("seeds: [0]\nseeds: [1]\n", "overlay.yaml:2: seeds: "),
        ("datasets:\n  digits:\n    runs: {no: {}}\n", "overlay.yaml:3: "),
    ],
)
def test_a_mistake_that_yaml_forgives_is_named(workflow, text, named):
    (workflow.folder / "overlay.yaml").write_text(text)
    done = workflow.run("--dry-run", "--configfile", "overlay.yaml")
    assert done.returncode == 1
    assert "robustmia: config: " in done.stdout
    assert named in done.stdout


def test_a_class_named_like_a_formula_costs_no_figure(workflow):
    put_images(workflow.folder / "data" / "faces", {"$$": 6, "a_{b}$c": 6, "<b>": 6}, size=(8, 8))
    overlay = dataset({"name": "image_folder", "path": "faces"}) | {"seeds": [0]}
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run("--configfile", "overlay.yaml")
    assert done.returncode == 0, done.stdout


# ---------------------------------------------------------------- what is good


OVERLAYS = sorted(str(path.relative_to(ROOT / "configs")) for path in (ROOT / "configs").rglob("*.yaml"))


@pytest.mark.parametrize("overlay", sorted(set(OVERLAYS) - {"paper/studies.yaml"}))  # which needs two others
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
    if overlay == "studies.yaml":
        assert names == {"digits"}
        assert {"natural", "pgd"} <= {run for run in trained if "@" not in run} <= set(METHODS)
        return
    named = yaml.safe_load((ROOT / "configs" / overlay).read_text()).get("datasets", {})
    assert names == ({name for name, settings in named.items() if settings} or {"digits"})
    assert any(job[0] == "shadow_train" for job in jobs) == (overlay == "shadow.yaml")
    verifiable = {"duality", "abstract_interpretation", "ibp"}
    for name in names:
        of_name = {job[2] for job in jobs if job[:2] == ("train", name)}
        assert of_name == set(METHODS) - (verifiable if name == "cifar10" else set())


def test_the_workflow_runs_from_another_folder(tmp_path):
    """The profile is found beside the Snakefile, so that nothing depends on where one stands."""
    elsewhere = Workflow(tmp_path)
    done = elsewhere.run("--dry-run", "-s", str(ROOT / "Snakefile"), "--configfile", str(ROOT / "config.yaml"))
    assert done.returncode == 0, done.stdout
    assert "profiles/default" in done.stdout


def test_yale_runs_from_the_zip(workflow):
    (workflow.folder / "data").mkdir()
    (workflow.folder / "data" / "CroppedYale.zip").symlink_to(shared("data", "CroppedYale.zip"))
    overlay = yaml.safe_load((workflow.folder / "configs" / "paper" / "yale.yaml").read_text())
    overlay["datasets"]["yale"] |= {
        "architecture": {"name": "yale_net", "width": 1},
        "training": {"epochs": 1, "batch_size": 64, "optimizer": {"name": "adam", "learning_rate": 1e-3}},
        "signals": {"benign": {}, "adversarial": {"steps": 1}},
        "runs": {"natural": {"method": {"name": "natural"}}},
    }
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run("tables", "figures", "--configfile", "overlay.yaml")
    assert done.returncode == 0, done.stdout
    table = (workflow.folder / "results" / "tables" / "robustness.csv").read_text().splitlines()
    assert table[1].startswith("yale,natural,natural,0,")
    folder = workflow.folder / "results" / "signals" / "yale" / "natural" / "seed0"
    benign = load_signals([folder / "benign.npz"])["benign"]
    assert benign.members.shape == (1900, 38)
    assert benign.nonmembers.shape == (514, 38)
    beside = pd.read_csv(workflow.folder / "results" / "tables" / "yale" / "published.csv")
    assert beside.inputs.tolist() == ["benign", "adversarial"]
    assert beside.published.round(4).tolist() == [0.5585, 0.5427]
    assert (workflow.folder / "results" / "figures" / "yale" / "published.png").stat().st_size > 0


def test_fashion_mnist_runs_from_local_files(workflow):
    put_fashion_mnist(workflow.folder / "data")
    overlay = dataset({"name": "fashion_mnist"}, split={"max_members": 300, "max_nonmembers": 200}) | {"seeds": [0]}
    (workflow.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run("tables", "--configfile", "overlay.yaml", **NO_NETWORK)
    assert done.returncode == 0, done.stdout
    split = Split.load(workflow.folder / "results" / "data" / "mine" / "split_seed0.npz")
    sizes = {name: len(rows) for name, rows in vars(split).items()}
    assert sizes == {"members": 300, "nonmembers": 200, "shadow_pool": 69_500}
