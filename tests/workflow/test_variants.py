"""Where the results of studies are: what is equal is shared, and nothing else."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
import yaml

from helpers import ROOT
from robustmia.config.reading import read_config
from robustmia.config.studies import read_points
from robustmia.workflow.paths import Paths
from robustmia.workflow.specs import Specs
from robustmia.workflow.study_jobs import StudyJobs
from robustmia.workflow.targets import Targets
from robustmia.workflow.variants import Variant

PATHS = Paths("results")
STAGES = ("split", "train", "signals", "infer")


def targets_with(**studies: Any) -> Targets:
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    raw["studies"] = {name: {"dataset": "digits", **study} for name, study in studies.items()}
    config = read_config(raw)
    return Targets(config, PATHS, read_points(raw, config))


def names(targets: Targets, variant: Variant) -> dict[str, str]:
    found = {stage: targets.variants.names(stage, variant) for stage in STAGES}
    return {stage: name["dataset" if stage == "split" else "run"] for stage, name in found.items()}


def variants(targets: Targets, study: str) -> dict[str, list[Variant]]:
    """By run, one for each point."""
    of_points = targets.variants.of_studies[study]
    return {own[0].run: list(own) for own in zip(*of_points, strict=True)}


def test_what_a_point_leaves_as_it_is_is_the_runs_own():
    targets = targets_with(a={"vary": {"threat_model.epsilon": [0.1, 0.05]}, "runs": ["natural", "pgd"]})
    of_runs = variants(targets, "a")
    for run in ("natural", "pgd"):
        assert names(targets, of_runs[run][0]) == {"split": "digits", "train": run, "signals": run, "infer": run}
    natural, pgd = (names(targets, of_runs[run][1]) for run in ("natural", "pgd"))
    assert (natural["split"], natural["train"]) == ("digits", "natural")
    assert natural["signals"].startswith("natural@")
    assert natural["infer"].startswith("natural@")
    assert pgd["split"] == "digits"
    assert len({pgd[stage] for stage in ("train", "signals", "infer")}) == 3


def test_results_of_a_point_are_known_by_study_and_point():
    targets = targets_with(radius={"vary": {"threat_model.epsilon": [0.1, 0.05]}, "runs": ["pgd"]})
    own, other = variants(targets, "radius")["pgd"]
    place = targets.variants.place
    for stage in ("train", "signals", "infer"):
        assert place(**targets.variants.names(stage, own)) is None
        assert place(**targets.variants.names(stage, other)) == "study radius, threat_model.epsilon = 0.05"


def test_points_of_several_studies_share_what_is_equal():
    vary = {"threat_model.epsilon": [0.03, 0.05]}
    targets = targets_with(
        a={"vary": vary, "runs": ["pgd"]}, b={"vary": {"threat_model.epsilon": [0.05, 0.2]}, "runs": ["pgd"]}
    )
    a, b = (variants(targets, study)["pgd"] for study in ("a", "b"))
    assert names(targets, a[1]) == names(targets, b[0])
    assert len({names(targets, variant)["infer"] for variant in (*a, *b)}) == 3
    assert len(StudyJobs(targets).results("a")) == 2 * 5


def test_other_points_change_no_name():
    """Nor do other studies, other seeds or the order of points."""
    one = targets_with(a={"vary": {"architecture.width": [4, 8]}, "runs": ["pgd"]})
    more = targets_with(
        b={"change": {"training.epochs": 70}},
        a={"vary": {"architecture.width": [8, 6, 4]}, "runs": ["natural", "pgd"], "seeds": [7]},
    )
    there = {name for variant in variants(more, "a")["pgd"] for name in names(more, variant).values()}
    for variant in variants(one, "a")["pgd"]:
        assert set(names(one, variant).values()) <= there


def test_the_split_is_another_where_members_are():
    targets = targets_with(a={"change": {"split.max_members": 100}, "runs": ["pgd"]})
    (variant,) = variants(targets, "a")["pgd"]
    found = names(targets, variant)
    assert found["split"].startswith("digits@")
    assert targets.variants.names("fetch", variant) == {"dataset": "digits", "run": "pgd"}
    run = found["train"]
    assert targets.located(PATHS.split, dataset="digits", run=run, seed="3") == (
        f"results/data/{found['split']}/split_seed3.npz"
    )
    assert targets.located(PATHS.records, dataset="digits", run=run) == "results/data/digits/dataset.npz"


def test_every_name_leads_to_the_settings_of_its_point():
    targets = targets_with(a={"vary": {"training.epochs": [70, 80]}, "runs": ["pgd"], "shadow_models": 8})
    specs = Specs(targets)
    for variant, epochs in zip(variants(targets, "a")["pgd"], (70, 80), strict=True):
        for stage in ("train", "signals", "infer", "shadow_train", "shadow_signals"):
            name = targets.variants.names(stage, variant)["run"]
            assert specs.train("digits", name, "0")["training"]["epochs"] == epochs
        assert len(targets.files(PATHS.shadow_models, variant)) == 2 * 5
        assert specs.infer("digits", targets.variants.names("infer", variant)["run"], "0")["shadow_models"] == 8


def test_shadow_models_leave_targets_and_signals_alone():
    targets = targets_with(a={"runs": ["pgd"], "shadow_models": 8})
    (variant,) = variants(targets, "a")["pgd"]
    found = names(targets, variant)
    assert (found["train"], found["signals"]) == ("pgd", "pgd")
    assert found["infer"].startswith("pgd@")


def test_the_spec_of_a_sweep_names_the_results_of_every_target():
    targets = targets_with(
        a={"vary": {"threat_model.epsilon": [0.1, 0.05]}, "runs": ["natural", "pgd"], "seeds": [4, 2]}
    )
    spec, files = StudyJobs(targets).sweep("a"), StudyJobs(targets).results("a")
    assert {file for target in spec["targets"] for file in target["results"]} == set(files)
    assert [(target["point"], target["run"]) for target in spec["targets"]] == [
        (f"threat_model.epsilon = {epsilon}", run) for epsilon in (0.1, 0.05) for run in ("natural", "pgd")
    ]
    assert spec["seeds"] == 2
    for target in spec["targets"]:
        assert target["private"] is None
        assert target["is_shown"]
        for seed, file in zip((4, 2), target["results"], strict=True):
            assert f"/{target['run']}" in file
            assert f"/seed{seed}/" in file
    assert not spec["is_evaluated_alike"]


def test_what_ends_a_training_early_is_only_in_the_end_of_its_checkpoints_name():
    vary, changes = {"training.stop_after": [10, 20, None]}, {"training.epochs": 70}
    targets = targets_with(a={"vary": vary, "change": changes, "runs": ["pgd"]})
    specs = Specs(targets)
    *short, whole = [
        specs.checkpoint("digits", targets.variants.names("train", variant)["run"], "0")
        for variant in variants(targets, "a")["pgd"]
    ]
    stem = whole.removesuffix(".pt")
    assert short == [f"{stem}-after10.pt", f"{stem}-after20.pt"]


def test_the_monitor_shares_and_changes_no_training():
    """A point's radius is the monitor's too, which evaluates and trains nothing; trainings of studies have none."""
    targets = targets_with(
        a={"vary": {"threat_model.epsilon": [0.03, 0.05]}, "change": {"architecture.width": 8}, "runs": ["natural"]}
    )
    found = {names(targets, variant)["train"] for variant in variants(targets, "a")["natural"]}
    assert len(found) == 1
    assert Specs(targets).train("digits", found.pop(), "0")["training"]["monitor"] is None
    assert Specs(targets).train("digits", "natural", "0")["training"]["monitor"] is not None


def test_shadow_models_of_other_records_are_others_of_the_same_targets():
    targets = targets_with(
        a={
            "kind": "transfer",
            "runs": ["pgd"],
            "shadow_models": 8,
            "other_records": True,
            "change": {"split.max_members": 400},
        }
    )
    ((own, other),) = targets.variants.of_studies["a"]
    assert (own.other_records, other.other_records) == (False, True)
    for stage in ("train", "signals"):
        assert targets.variants.names(stage, own) == targets.variants.names(stage, other)
    for stage in ("shadow_train", "shadow_signals"):
        name = targets.variants.names(stage, other)["run"]
        assert name != targets.variants.names(stage, own)["run"]
        spec = getattr(Specs(targets), stage)(
            "digits", name, "0", "0", *(["benign"] if stage == "shadow_signals" else [])
        )
        assert (spec["other_records"], spec["shadow_models"]) == (True, 8)
    kinds = StudyJobs(targets).transfer("a")["kinds"]
    assert [kind["other_records"] for kind in kinds] == [False, True]
    assert [files["split"] for files in kinds[0]["files"]] == [files["split"] for files in kinds[1]["files"]]


def test_the_search_for_the_boundary_is_decided_by_the_ball_of_the_adversarial_signal_alone():
    def found(adversarial: dict[str, Any]) -> dict:
        study = {"kind": "outputs", "runs": ["pgd"], "change": adversarial}
        return StudyJobs(targets_with(a=study)).boundary("a", "pgd", "0")

    assert found({"signals.adversarial.steps": 20}) == found({"signals.adversarial.steps": 40})
    assert found({"signals.adversarial.epsilon": 0.1})["search"]["farthest"] == pytest.approx(0.3)
    assert found({"signals.adversarial.epsilon": 0.2})["search"]["farthest"] == pytest.approx(0.6)


def test_the_spec_of_a_sweep_names_the_history_of_private_trainings():
    points = {"none": {}, "private": {"training.privacy": {"noise_multiplier": 2.0, "delta": 1e-5}}}
    targets = targets_with(a={"points": points, "runs": ["natural", "pgd"], "seeds": [4, 2]})
    histories, spec = StudyJobs(targets).private_histories("a"), StudyJobs(targets).sweep("a")
    private = {(one["run"], one["point"]): one["private"] for one in spec["targets"]}
    assert private["pgd", "none"] is private["natural", "none"] is None
    for run in ("natural", "pgd"):
        found = private[run, "private"]
        assert found["delta"] == 1e-5
        assert f"/{run}@" in found["history"]
        assert "/seed4/" in found["history"]
        assert found["history"] in histories
    assert len(histories) == 2


def test_a_run_that_a_named_point_leaves_as_it_is_is_compared_with_and_not_shown_again():
    points = {"none": {}, "wide": {"runs.pgd.architecture.width": 9}}
    spec = StudyJobs(targets_with(a={"points": points, "runs": ["natural", "pgd"]})).sweep("a")
    shown = {(one["run"], one["point"]): one["is_shown"] for one in spec["targets"]}
    assert shown == {
        ("natural", "none"): True,
        ("pgd", "none"): True,
        ("natural", "wide"): False,
        ("pgd", "wide"): True,
    }
    assert spec["targets"][0]["results"] == spec["targets"][2]["results"]


def test_records_held_out_for_early_stopping_decide_those_of_shadow_models():
    stopping = {"records": 50, "every": 1, "steps": 2}
    targets = targets_with(
        a={
            "change": {"split.max_nonmembers": 700, "training.early_stopping": stopping},
            "runs": ["pgd"],
            "shadow_models": 8,
        }
    )
    (variant,) = variants(targets, "a")["pgd"]
    run = targets.variants.names("shadow_signals", variant)["run"]
    for spec in (
        Specs(targets).shadow_train("digits", targets.variants.names("shadow_train", variant)["run"], "0", "0"),
        Specs(targets).shadow_signals("digits", run, "0", "0", "benign"),
    ):
        assert (spec["held_out"], spec["shadow_models"]) == (50, 8)


@pytest.mark.parametrize("seeds", [1, 3])
def test_captions_say_that_intervals_include_the_variation_between_trainings_where_they_do(seeds):
    jobs = StudyJobs(targets_with(a={"runs": ["natural", "pgd"], "seeds": list(range(seeds))}))
    caption = jinja2.Template((ROOT / "report" / "sweep.rst").read_text())
    for spec in (jobs.sweep("a"), jobs.sweep_figure("a")):
        said = caption.render(snakemake={"wildcards": {"study": "a"}, "params": {"spec": spec}})
        assert ("variation between trainings" in said) == (seeds > 1)
