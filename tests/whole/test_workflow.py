"""The whole workflow on the smoke configuration: complete, and the same twice."""

from __future__ import annotations

import ast
import json
import re

import numpy as np
import pandas as pd
import yaml

from helpers import (
    FIGURE_NAMES,
    NEEDS_SHADOWS,
    ROOT,
    RUNS,
    SHADOW_RUNS,
    SMOKE,
    TOGETHER,
    at,
    smoke_results,
    theirs,
)
from robustmia.config.registry import COLUMNS, FIGURES, METHODS, NETWORKS, SIGNALS, SOURCES, STRATEGIES
from robustmia.studies.settings import OF_OUTPUTS, TRANSFERRED
from robustmia.workflow.code_digest import used_modules
from robustmia.workflow.specs import AUDIT_FIGURES

OWN_VERIFIER = {"duality": "dual", "abstract_interpretation": "interval", "ibp": "interval"}
SHADOW = (*SMOKE, "shadow.yaml")
AUDIT = ("--configfile", "a.yaml")


# ---------------------------------------------------------------- whole, and the same twice


def test_every_result_is_there(smoke):
    folder = smoke_results(smoke)
    for run in RUNS:
        target = f"digits/{run}/seed0"
        for name in (
            f"models/{target}/model.safetensors",
            f"models/{target}/history.csv",
            f"signals/{target}/{TOGETHER}.npz",
        ):
            assert (folder / name).stat().st_size > 0
        spec = json.loads((folder / "models" / target / "spec.json").read_text())
        assert spec["spec"]["method"]["settings"]["name"] == run
        assert spec["versions"]["torch"]
        assert spec["device"]
        assert spec["seconds"] > 0
    for figure in FIGURE_NAMES:
        assert (folder / "figures" / "digits" / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
        assert (folder / "figures" / "digits" / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.glob("checkpoints/*"))


def test_the_tables_are_long_and_tidy(smoke):
    membership = pd.read_csv(smoke_results(smoke) / "tables" / "membership_inference.csv")
    assert list(membership.run.unique()) == list(RUNS)
    own = {"I_B": "benign", "I_A": "adversarial", "mean_log_odds": "targeted", "I_V": "verified"}
    for run in RUNS:
        rows = membership[membership.run == run]
        for strategy, signal in own.items():
            assert list(rows[rows.strategy == strategy].signal) == [signal] * 3  # threshold rules
        assert set(rows[rows.strategy == "modified_entropy"].signal) == set(SIGNALS)
        assert set(rows[rows.strategy == "I_T"].threshold_rule) == {"split"}
        assert not set(rows.strategy) & {
            "lira_online",
            "rmia_online",
            "privacy_risk",
            "I_T_shadow",
            "joint",
            "log_odds",
        }
    assert set(membership[membership.strategy == "I_V"].run) == set(RUNS)
    assert set(membership[membership.strategy == "I_V_own"].run) == set(OWN_VERIFIER)
    assert (membership.members == 120).all()
    assert (membership.nonmembers == 100).all()
    robustness = pd.read_csv(smoke_results(smoke) / "tables" / "robustness.csv")
    assert robustness.columns.tolist() == [
        "dataset",
        "run",
        "method",
        "seed",
        "train_accuracy",
        "test_accuracy",
        "adv_train_accuracy",
        "adv_test_accuracy",
        "verified_train_accuracy",
        "verified_test_accuracy",
        "own_verified_train_accuracy",
        "own_verified_test_accuracy",
    ]
    assert robustness.verified_test_accuracy.notna().all()
    assert set(robustness.run[robustness.own_verified_test_accuracy.notna()]) == set(OWN_VERIFIER)
    assert (robustness.verified_test_accuracy <= robustness.adv_test_accuracy).all()
    verification = pd.read_csv(smoke_results(smoke) / "tables" / "digits" / "verification.csv")
    verifiers = verification.groupby("run").verifier.apply(list)
    chosen = ["interval", "crown_interval", "crown", "tightest"]
    assert verifiers.drop("duality").map(lambda names: names == chosen).all()
    assert verifiers["duality"] == ["interval", "crown_interval", "dual", "crown", "tightest"]
    own = verification[verification.is_own_verifier]
    assert dict(zip(own.run, own.verifier, strict=True)) == OWN_VERIFIER
    markdown = (smoke_results(smoke) / "tables" / "digits" / "paper.md").read_text()
    assert all(f"| {run} " in markdown for run in RUNS)
    latex = (smoke_results(smoke) / "tables" / "digits" / "paper.tex").read_text()
    assert r"\toprule" in latex
    assert r"$\mathcal{I}_\mathrm{A}$ split" in latex


def test_the_report_has_every_figure_with_live_settings(smoke):
    report = (smoke_results(smoke) / "report.html").read_text()
    for figure in FIGURE_NAMES:
        assert f'id="figure-digits-{figure}"' in report
    assert "3 steps" in report  # of the smoke configuration's evaluation attack
    config = yaml.safe_load((smoke_results(smoke) / "config.yaml").read_text())
    assert config["datasets"]["digits"]["signals"]["adversarial"] == {
        "steps": 3,
        "step_size": None,
        "random_start": False,
        "restarts": 1,
        "loss": "cross_entropy",
    }


def test_a_second_run_has_nothing_to_do(smoke):
    done = smoke.run(*SMOKE)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def test_another_run_gives_the_same_bytes(smoke, shadow):
    """What both finished runs have in common: seed 0 of three of the runs."""
    compared = 0
    for run in SHADOW_RUNS:
        for kind in ("models", "signals"):
            for path in (smoke_results(smoke) / kind / "digits" / run / "seed0").iterdir():
                if path.suffix != ".json":
                    assert (
                        path.read_bytes()
                        == (smoke_results(shadow) / path.relative_to(smoke_results(smoke))).read_bytes()
                    ), path
                    compared += 1
    assert compared == len(SHADOW_RUNS) * 3


def test_the_terminal_shows_a_line_for_each_job(smoke):
    lines = (smoke.folder / "printed").read_text().splitlines()
    done = [line for line in lines if re.match(r"\[\d+/\d+\] ", line)]
    total = int(done[0].partition("/")[2].partition("]")[0])
    assert [line.partition("]")[0] for line in done] == [f"[{number}/{total}" for number in range(1, total + 1)]
    assert len(lines) - total < 45
    pages = [line.rpartition(" ")[2] for line in lines if "to be read in a browser" in line]
    assert pages == [f"results/smoke/{name}.html" for name in ("report", "provenance")]
    assert max(map(len, lines)) < 200
    planned = smoke.run("all", "provenance", "--dry-run", "--forceall", *SMOKE).stdout.splitlines()
    assert any(line.split() == ["total", str(total)] for line in planned)
    assert len(planned) < 45


def test_a_job_says_how_far_it_is(smoke):
    log = (smoke_results(smoke) / "logs" / "signals" / "digits" / "pgd" / f"seed0_{TOGETHER}.log").read_text()
    assert "adversarial: 220 of 220 images" in log


def test_a_script_runs_by_hand(smoke):
    path = smoke_results(smoke) / "inference" / "digits" / "natural" / "seed0" / "robustness.csv"
    before = path.read_bytes()
    relative = str(path.relative_to(smoke.folder))
    done = smoke.python("-m", "robustmia.workflow.by_hand", relative, *SMOKE)
    assert done.returncode == 0, done.stdout
    assert "infer digits natural 0 took" in done.stdout
    assert path.read_bytes() == before
    assert smoke.python("-m", "robustmia.workflow.by_hand", "results/smoke/nothing", *SMOKE).returncode == 1


def test_the_summary_shows_the_table(smoke):
    from robustmia.workflow.summary import summary

    config = yaml.safe_load((smoke_results(smoke) / "config.yaml").read_text()) | {
        "results_dir": str(smoke_results(smoke))
    }
    (smoke.folder / "summary.yaml").write_text(yaml.safe_dump(config))
    shown = summary(smoke.folder / "summary.yaml")
    assert "| natural " in shown
    assert "Compared with natural training (" in shown
    assert f"report   {smoke_results(smoke) / 'report.html'}" in shown


# ---------------------------------------------------------------- shadow models


def test_shadow_models_add_attacks_to_the_same_tables_figures_and_report(shadow):
    tables = smoke_results(shadow) / "tables"
    attacks = pd.read_csv(tables / "membership_inference.csv")
    per_signal = {"lira_online", "lira_offline", "rmia_online", "rmia_offline", "modified_entropy", "privacy_risk"}
    own = {
        "benign": {"I_B", "correctness"},
        "adversarial": {"I_A", "correctness"},
        "targeted": {"mean_log_odds", "I_T", "I_T_shadow"},
        "verified": {"I_V", "correctness"},
    }
    for (run, seed), rows in attacks.groupby(["run", "seed"]):
        assert run in SHADOW_RUNS
        assert seed in (0, 1)
        for signal, names in own.items():
            assert set(rows[rows.signal == signal].strategy) == names | per_signal
        joint = rows[rows.signal == "all"]
        assert set(joint.threshold_rule) == {"oracle", "split", "split_by_class", "shadow", "shadow_by_class"}
        assert set(joint.strategy) == {"joint"}
    for run in SHADOW_RUNS:
        records = pd.read_csv(smoke_results(shadow) / "inference" / "digits" / run / "seed1" / "records.csv")
        assert len(records) == 220
        assert records.member.sum() == 120
        assert ("risk_change_all_joint" in records) == (run != "natural")
    assert len(pd.read_csv(tables / "digits" / "record_risk.csv")) == 220 * 2 * len(SHADOW_RUNS)
    assert set(pd.read_csv(tables / "digits" / "risk_agreement.csv").kind) == {"methods", "seeds"}
    conclusions = pd.read_csv(tables / "digits" / "conclusions.csv")
    assert list(conclusions.run) == list(SHADOW_RUNS)
    assert conclusions.difference_low.isna().tolist() == [True, False, False]
    assert conclusions.p_holm.isna().all()  # of two seeds there is no test
    report = (smoke_results(shadow) / "report.html").read_text()
    for figure in (*FIGURE_NAMES, *NEEDS_SHADOWS):
        assert (smoke_results(shadow) / "figures" / "digits" / f"{figure}.pdf").exists()
        assert f'id="figure-digits-{figure}"' in report
    assert "Two seeds are too few for a test" in report  # it begins with the conclusions
    assert not list(smoke_results(shadow).glob("checkpoints/*"))


def test_rows_without_shadow_models_are_the_same_with_them(smoke, shadow):
    keys = ["run", "seed", "signal", "strategy", "threshold_rule"]
    without, with_shadows = (
        pd.read_csv(smoke_results(workflow) / "tables" / "membership_inference.csv").set_index(keys)
        for workflow in (smoke, shadow)
    )
    without = without[without.index.get_level_values("run").isin(SHADOW_RUNS)]
    pd.testing.assert_frame_equal(with_shadows.loc[without.index], without, check_exact=True)


def test_more_shadow_models_train_all_again_where_they_can_be_more_like_the_target(shadow):
    """Targets have 120 of 1,797 records; six shadow models have 599 each, and eight would have 450. See test_specs for halves."""
    planned = shadow.planned("shadow_all", *SHADOW, "--config", "shadow_models=8")
    batches = {("shadow_train", "digits", run, seed, batch) for run in SHADOW_RUNS for seed in "01" for batch in "012"}
    assert planned == batches | {("shadow_all",)}


def test_without_shadow_models_nothing_is_trained_again(shadow):
    rules = {job[0] for job in shadow.planned(*SHADOW, "--config", "shadow_models=0")}
    assert "infer" in rules
    assert not {"train", "signals", "shadow_train", "shadow_signals", "records", "record_risk"} & rules


def test_shadow_trainings_do_not_depend_on_signals():
    modules = used_modules("shadow_train")
    assert not [module for module in modules if ".signals" in module]


def test_settings_of_attacks_rerun_inference_alone(shadow):
    (shadow.folder / "other.yaml").write_text(
        yaml.safe_dump(at("datasets.digits.attacks.targeted_classifier", "random_forest"))
    )
    rules = {job[0] for job in shadow.planned("tables", *SHADOW, "other.yaml")}
    assert "infer" in rules
    assert not {"train", "signals", "shadow_train", "shadow_signals"} & rules


# ---------------------------------------------------------------- audits


def test_audits_run_through_the_workflow(audited):
    folder = audited.folder / "results" / "audit"
    for name in ("their_predictions", "their_checkpoint"):
        membership = pd.read_csv(folder / name / "membership_inference.csv")
        assert set(membership.run) == {name}
        assert f"Audit of {name}" in (folder / name / "report.html").read_text()
        assert (folder / name / "robustness.csv").exists()
        records = pd.read_csv(folder / name / "records.csv")
        assert len(records) == membership.members.iloc[0] + membership.nonmembers.iloc[0]
        assert records.name.is_unique
    assert audited.planned("audit", *AUDIT) == set()
    arrays = theirs()
    arrays["output_train_benign"] = arrays["output_train_benign"][::-1]
    np.savez(audited.folder / "p.npz", **arrays)
    assert {job[0] for job in audited.planned("audit", *AUDIT)} == {
        *("audit_predictions", "audit_infer", "audit_page", "audit"),
    }
    (audited.folder / "weights.safetensors").rename(audited.folder / "away")
    done = audited.run("audit", *AUDIT)
    assert done.returncode
    assert "robustmia: config: audits.their_checkpoint.weights: weights.safetensors" in done.stdout
    (audited.folder / "away").rename(audited.folder / "weights.safetensors")


# ---------------------------------------------------------------- the modules that a digest covers


def test_the_digest_of_each_script_covers_what_it_imports(smoke, shadow, audited, studied, trace):
    """Modules that a job really imported, against those its digest is made of: neither more nor fewer."""
    packages = {".".join(path.parent.relative_to(ROOT / "scripts").parts) for path in PACKAGE.rglob("__init__.py")}
    imported: dict[str, set[str]] = {}
    for path in trace.glob("tmp*.py"):
        script = re.fullmatch(r"tmp\w+\.(\w+)\.py", path.name).group(1)
        modules = {name for name in path.read_text().split() if not name.startswith("robustmia.workflow")}
        imported.setdefault(script, set()).update(modules - packages)
    modules_of = {
        name: [path.partition(":")[0] for path in registry.values()]
        for name, registry in (("method", METHODS), ("signal", SIGNALS), ("strategy", STRATEGIES), ("column", COLUMNS))
    }
    networks = [NETWORKS["small_cnn"].partition(":")[0]]
    training = [*networks, "robustmia.training.optimizers", "robustmia.training.schedules"]
    figures = [FIGURES[name].partition(":")[0] for name in (*FIGURE_NAMES, *NEEDS_SHADOWS)]
    chosen = {
        "fetch": [SOURCES["digits"].partition(":")[0]],
        "train": [*modules_of["method"], *training],
        "shadow_train": [*(METHODS[run].partition(":")[0] for run in SHADOW_RUNS), *training],
        "signals": [*modules_of["signal"], *networks],
        "shadow_signals": [*modules_of["signal"], *networks],
        "infer": [*modules_of["strategy"], *modules_of["column"]],
        "audit_infer": [*modules_of["strategy"], *modules_of["column"]],
        "audit_checkpoint": [*modules_of["signal"], *networks],
        "figure": figures,
        "audit_page": [FIGURES[name].partition(":")[0] for name in AUDIT_FIGURES],
        "boundary": networks,
        "retrain": [
            *(METHODS[run].partition(":")[0] for run in ("natural", "pgd")),
            *training,
            *modules_of["signal"][:2],
        ],
        "transfer": [STRATEGIES[name].partition(":")[0] for name in TRANSFERRED],
        "outputs": [STRATEGIES[name].partition(":")[0] for name in OF_OUTPUTS],
    }
    scripts = {path.stem for path in (smoke.folder / "scripts").glob("*.py")}
    assert set(imported) == scripts - {"published_table"}  # which digits have no use for
    # The context manager around every script imports these two itself.
    surroundings = {"robustmia.errors", "robustmia.files.atomic"}
    for script in imported:
        named = set(used_modules(script, *chosen.get(script, [])))
        assert imported[script] - surroundings == named - surroundings, script


def test_a_method_is_in_its_own_digest_alone():
    trades, pgd = (set(used_modules("train", f"robustmia.methods.{name}")) for name in ("trades", "pgd"))
    assert trades - pgd == {"robustmia.methods.trades"}
    assert pgd - trades == {"robustmia.methods.pgd"}
    assert not [module for module in trades if module.startswith(("robustmia.config", "robustmia.reporting"))]


PACKAGE = ROOT / "scripts" / "robustmia"


def test_nothing_outside_the_workflow_package_imports_it():
    for path in PACKAGE.rglob("*.py"):
        if path.parent != PACKAGE / "workflow":
            assert "robustmia.workflow" not in [
                ".".join(name.split(".")[:2])
                for node in ast.walk(ast.parse(path.read_text()))
                for name in (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else []
                )
            ], path


def test_packages_hold_no_code():
    """But for the door of `robustmia.bounds` for other projects, which opens when it is asked for."""
    for path in set(PACKAGE.rglob("__init__.py")) - {PACKAGE / "bounds" / "__init__.py"}:
        for node in ast.parse(path.read_text()).body:
            assert isinstance(node, ast.Expr | ast.Assign), path
