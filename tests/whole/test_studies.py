"""Studies of every kind at the smoke size: whole, shared, and rerun only where an edit reaches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from helpers import ROOT, SMOKE, STUDIES, Workflow
from robustmia.inference.over_seeds import measure
from robustmia.inference.record_results import RecordResults
from robustmia.studies.transfer import ATTACKS

FILE = STUDIES[-1]
KINDS = {
    "sweep": "sweep",
    "grid": "sweep",
    "points": "sweep",
    "alone": "sensitivity",
    "matrix": "transfer",
    "records": "transfer",
    "answers": "outputs",
}


def folder_of(workflow: Workflow, study: str) -> Path:
    return workflow.folder / "results" / "smoke" / "studies" / study


def planned(workflow: Workflow, change: Callable[[dict], None]) -> set[tuple[str, ...]]:
    """The jobs after an edit of the studies' file."""
    raw = yaml.safe_load((ROOT / "tests" / "whole" / FILE).read_text())
    change(raw["studies"])
    (workflow.folder / "edited.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    return workflow.planned("studies", *SMOKE, "edited.yaml")


def rules(jobs: set[tuple[str, ...]]) -> set[str]:
    return {job[0] for job in jobs} - {"studies"}


def test_every_study_has_its_table_page_and_figure(studied):
    for study, kind in KINDS.items():
        folder = folder_of(studied, study)
        assert (folder / f"{kind}.pdf").read_bytes().startswith(b"%PDF"), study
        assert (folder / f"{kind}.png").read_bytes().startswith(b"\x89PNG"), study
        assert "<svg" in (folder / f"{kind}.svg").read_text(), study
        assert len(pd.read_csv(folder / f"{kind}.csv")) > 0
        assert "| " in (folder / "study.md").read_text()
    assert "adversarial margin" in (folder.parent / "explanation.md").read_text()
    assert (folder.parent / "explanation.png").read_bytes().startswith(b"\x89PNG")
    assert studied.planned(*STUDIES) == set()


def test_points_share_what_is_equal(studied):
    """Natural training has no radius; a point at the configured radius is the run itself."""
    models = {path.name for path in (studied.folder / "results/smoke/models/digits").iterdir()}
    assert {"natural", "pgd"} <= models
    table = pd.read_csv(folder_of(studied, "sweep") / "sweep.csv")
    clean = table[(table.run == "natural") & (table.quantity == "benign test accuracy")]
    assert clean["mean"].nunique() == 1
    assert sorted(table["threat_model.epsilon"].unique()) == [0.05, 0.1]
    points = pd.read_csv(folder_of(studied, "points") / "sweep.csv")
    assert not ((points.point == "AWP") & (points.run == "natural")).any()  # which changes nothing there
    assert ((points.point == "private") & (points.run == "natural")).any()


def test_private_trainings_say_what_they_spent(studied):
    histories = [pd.read_csv(path) for path in studied.folder.glob("results/smoke/models/digits/*/seed0/history.csv")]
    spent = [history.privacy_epsilon.iloc[-1] for history in histories if "privacy_epsilon" in history]
    assert len(spent) == 2
    assert all(epsilon > 0 for epsilon in spent)


def test_on_its_diagonal_a_transfer_is_the_shadow_attack_itself(studied):
    """As inference gives it for the same targets with the same shadow models."""
    raw = yaml.safe_load((ROOT / "tests" / "whole" / FILE).read_text())["studies"]["matrix"]
    same = {"dataset": "digits", "runs": raw["runs"], "change": raw["change"], "shadow_models": 6}
    (studied.folder / "same.yaml").write_text(yaml.safe_dump({"studies": {"same": same}}))
    done = studied.run("study_same", *SMOKE, "same.yaml")
    assert done.returncode == 0, done.stdout
    assert "shadow_train" not in done.stdout
    table = pd.read_csv(folder_of(studied, "matrix") / "transfer.csv").set_index(["attack", "target", "shadow"])
    found = [
        RecordResults.load(path)
        for path in studied.folder.glob("results/smoke/inference/digits/*/seed0/record_results.npz")
    ]
    with_shadows = [part for part in found if "adversarial/lira_online" in part.attacks]
    assert len(with_shadows) == 2
    for attack, (key, *_) in ATTACKS.items():
        expected = sorted(measure(part, key).value for part in with_shadows)
        diagonal = sorted(table.loc[attack, run, run]["mean"] for run in raw["runs"])
        assert diagonal == pytest.approx(expected, abs=1e-12), attack


def test_shadow_models_of_other_records_and_classes_attack_by_thresholds_and_offline(studied):
    table = pd.read_csv(folder_of(studied, "records") / "transfer.csv")
    assert set(table.target) == {"pgd, ten classes", "pgd, five classes"}
    other = table[table.other_records]
    assert set(zip(other.target, other.shadow, strict=True)) >= {
        (f"pgd, {classes} classes", f"pgd, {classes} classes, other records") for classes in ("ten", "five")
    }
    assert set(other.strategy) == {"lira_offline", "rmia_offline", "I_A", "I_B", "I_T_shadow"}
    assert set(other.attack) == set(ATTACKS)


def test_a_new_point_or_seed_computes_itself_alone(studied):
    jobs = planned(studied, lambda studies: studies["sweep"]["vary"]["threat_model.epsilon"].append(0.2))
    assert {job[0] for job in jobs if job[0] in ("train", "infer", "signals")} == {"train", "infer", "signals"}
    assert sum(job[0] == "train" for job in jobs) == 2  # pgd, two seeds; natural is there
    assert sum(job[0] == "infer" for job in jobs) == 4
    assert rules(jobs) == {"train", "signals", "infer", "sweep", "sweep_figure", "explanation"}
    jobs = planned(studied, lambda studies: studies["grid"].update(seeds=[0, 1]))
    assert sum(job[0] == "train" for job in jobs) == 4
    assert {job[-1] for job in jobs if job[0] == "sweep"} == {"grid"}


def test_a_point_that_is_removed_leaves_the_others(studied):
    jobs = planned(studied, lambda studies: studies["points"]["points"].pop("dropout"))
    assert rules(jobs) == {"sweep", "sweep_figure", "explanation"}
    assert rules(planned(studied, lambda studies: studies.pop("sweep"))) == {"explanation"}


def test_more_records_are_left_out_without_training_targets_again(studied):
    jobs = planned(studied, lambda studies: studies["alone"].update(retrainings=4))
    assert rules(jobs) == {"retrain", "sensitivity"}
    assert {job[3] for job in jobs if job[0] == "retrain"} == {"again"}


def test_other_temperatures_compute_no_signal_again(studied):
    jobs = planned(studied, lambda studies: studies["answers"].update(temperatures=[3.0]))
    assert rules(jobs) == {"outputs"}


def test_an_unknown_study_is_refused(studied):
    done = studied.run("study_unknown", *SMOKE, FILE)
    assert done.returncode != 0
    assert "study_unknown" in done.stdout


def test_a_study_on_a_folder_of_images_needs_nothing_but_configuration(tmp_path):
    """Two classes of noise of different brightness."""
    import numpy as np
    from PIL import Image

    workflow = Workflow.copy(tmp_path / "own")
    random = np.random.default_rng(0)
    for label, brightness in (("dark", 60), ("light", 180)):
        folder = workflow.folder / "images" / label
        folder.mkdir(parents=True)
        for number in range(40):
            pixels = (brightness + random.integers(-50, 50, (8, 8))).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    own = yaml.safe_load((workflow.folder / "configs" / "smoke.yaml").read_text())["datasets"]["digits"]
    default = yaml.safe_load((workflow.folder / "config.yaml").read_text())["datasets"]["digits"]
    mine = {
        key: default[key] for key in ("threat_model", "architecture", "training", "signals", "attacks", "resources")
    }
    mine |= {"source": {"name": "image_folder", "path": str(workflow.folder / "images"), "size": [8, 8]}}
    mine |= {"split": {"member_fraction": 0.5}, "runs": {name: default["runs"][name] for name in ("natural", "pgd")}}
    mine["training"] |= own["training"] | {"monitor": None}
    mine["architecture"] |= own["architecture"]
    study = {"dataset": "mine", "vary": {"method.epsilon": [0.05, 0.1]}, "change": {"signals.verified": None}}
    overlay = {
        "results_dir": "results/own",
        "seeds": [0],
        "datasets": {"digits": None, "mine": mine},
        "studies": {"radius": study},
    }
    (workflow.folder / "own.yaml").write_text(yaml.safe_dump(overlay))
    done = workflow.run("study_radius", "--configfile", "own.yaml")
    assert done.returncode == 0, done.stdout
    table = pd.read_csv(workflow.folder / "results/own/studies/radius/sweep.csv")
    assert set(table.run) == {"natural", "pgd"}
    assert set(table["method.epsilon"]) == {0.05, 0.1}
