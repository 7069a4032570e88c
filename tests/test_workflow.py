"""The whole workflow on the smoke configuration: complete, the same twice, and rerun only where an edit reaches."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import Workflow
from robustmia.code import used_modules
from robustmia.registry import METHODS, SIGNALS, SOURCES
from test_audit import SMALL, checkpoint, theirs

pytestmark = pytest.mark.xdist_group("workflow")

RUNS = ("natural", "pgd", "distributional", "trades", "duality", "abstract_interpretation", "ibp")
OWN_VERIFIER = {"duality": "dual", "abstract_interpretation": "interval", "ibp": "interval"}
SMOKE = ("--configfile", "configs/smoke.yaml")
FIGURES = (
    "inference_accuracy",
    "accuracies",
    "roc",
    "loss_histogram",
    "margin_histogram",
    "leakage_and_gap",
    "training_curves",
    "examples",
)

# Written into every Python process of the run: which of our modules it ended up with, by the rule's script.
TRACE = """
import atexit, os, sys
def write():
    names = sorted(name for name in sys.modules if name.startswith("robustmia"))
    script = os.path.basename(sys.argv[0])
    if names and script.startswith("tmp"):
        with open(os.path.join(os.environ["TRACE"], script), "w") as file:
            file.write(os.linesep.join(names))
atexit.register(write)
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trace")
    (folder / "sitecustomize.py").write_text(TRACE)
    return folder


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory, trace: Path) -> Workflow:
    """A finished run."""
    workflow = Workflow.copy(tmp_path_factory.mktemp("smoke") / "workflow")
    done = workflow.run(*SMOKE, PYTHONPATH=str(trace), TRACE=str(trace))
    assert done.returncode == 0, done.stdout
    return workflow


STRONG = (*SMOKE, "strong.yaml")
STRONG_RUNS = ("natural", "pgd", "ibp")


@pytest.fixture(scope="module")
def strong(tmp_path_factory: pytest.TempPathFactory, trace: Path) -> Workflow:
    """A finished run of the strong attacks, on some of the runs and two seeds."""
    workflow = Workflow.copy(tmp_path_factory.mktemp("strong") / "workflow")
    runs = {run: None for run in RUNS if run not in STRONG_RUNS}
    settings = {"seeds": [0, 1], **digits(runs=runs)}
    (workflow.folder / "strong.yaml").write_text(yaml.safe_dump(settings))
    done = workflow.run("strong_attacks", *STRONG, PYTHONPATH=str(trace), TRACE=str(trace))
    assert done.returncode == 0, done.stdout
    return workflow


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, trace: Path) -> Workflow:
    """A finished run of two audits."""
    workflow = Workflow.copy(tmp_path_factory.mktemp("audited") / "workflow")
    checkpoint(workflow.folder)
    np.savez(workflow.folder / "p.npz", **theirs())
    settings = {"model": SMALL, "weights": "weights.safetensors", "dataset": "digits", "split": "split.npz"}
    settings |= {"epsilon": 0.05, "steps": 2}
    audits = {"their_predictions": {"predictions": "p.npz"}, "their_checkpoint": settings}
    (workflow.folder / "a.yaml").write_text(yaml.safe_dump({"audits": audits}))
    done = workflow.run("audit", *AUDIT, PYTHONPATH=str(trace), TRACE=str(trace))
    assert done.returncode == 0, done.stdout
    return workflow


AUDIT = ("--configfile", "a.yaml")


def digits(**settings: object) -> dict:
    return {"datasets": {"digits": settings}}


def results(workflow: Workflow) -> Path:
    return workflow.folder / "results" / "smoke"


# ---------------------------------------------------------------- whole, and the same twice


def test_every_result_is_there(smoke):
    folder = results(smoke)
    for run in RUNS:
        target = f"digits/{run}/seed0"
        for name in (
            f"models/{target}/model.safetensors",
            f"models/{target}/history.csv",
            f"signals/{target}/benign.npz",
            f"signals/{target}/adversarial.npz",
            f"signals/{target}/verified.npz",
        ):
            assert (folder / name).stat().st_size > 0
        spec = json.loads((folder / "models" / target / "spec.json").read_text())
        assert spec["spec"]["method"]["settings"]["name"] == run
        assert spec["versions"]["torch"]
        assert spec["device"]
        assert spec["seconds"] > 0
    for figure in FIGURES:
        assert (folder / "figures" / "digits" / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
        assert (folder / "figures" / "digits" / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.glob("checkpoints/*"))


def test_the_tables_are_long_and_tidy(smoke):
    membership = pd.read_csv(results(smoke) / "tables" / "membership_inference.csv")
    assert list(membership.run.unique()) == list(RUNS)
    assert len(membership) == len(RUNS) * 3 * 4 + len(OWN_VERIFIER) * 4  # signals, and three rules and correctness
    assert set(membership[membership.strategy == "I_V"].run) == set(RUNS)
    assert set(membership[membership.strategy == "I_V_own"].run) == set(OWN_VERIFIER)
    assert (membership.members == 120).all()
    assert (membership.nonmembers == 100).all()
    robustness = pd.read_csv(results(smoke) / "tables" / "robustness.csv")
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
    verification = pd.read_csv(results(smoke) / "tables" / "digits" / "verification.csv")
    verifiers = verification.groupby("run").verifier.apply(list)
    assert all(names == ["interval", "zonotope", "dual", "tightest"] for names in verifiers)
    own = verification[verification.is_own]
    assert dict(zip(own.run, own.verifier, strict=True)) == OWN_VERIFIER
    markdown = (results(smoke) / "tables" / "digits" / "paper.md").read_text()
    assert all(f"| {run} " in markdown for run in RUNS)
    latex = (results(smoke) / "tables" / "digits" / "paper.tex").read_text()
    assert r"\toprule" in latex
    assert r"$\mathcal{I}_\mathrm{A}$ split" in latex


def test_the_report_has_every_figure_with_live_settings(smoke):
    report = (results(smoke) / "report.html").read_text()
    for figure in FIGURES:
        assert f"{figure}.png" in report
    assert "3 steps" in report  # of the smoke configuration's evaluation attack
    config = yaml.safe_load((results(smoke) / "config.yaml").read_text())
    assert config["datasets"]["digits"]["signals"]["adversarial"] == {
        "norm": "linf",
        "epsilon": 0.1,
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


def test_another_run_gives_the_same_bytes(smoke, workflow):
    done = workflow.run(*SMOKE)
    assert done.returncode == 0, done.stdout
    compared = 0
    for kind in ("tables/**/*.*", "figures/**/*.*", "models/**/*.safetensors", "models/**/history.csv"):
        for path in results(smoke).glob(kind):
            assert path.read_bytes() == (results(workflow) / path.relative_to(results(smoke))).read_bytes(), path
            compared += 1
    assert compared >= 12 + 16 + 14


def test_the_summary_shows_the_table(smoke):
    from robustmia.show import summary

    config = yaml.safe_load((results(smoke) / "config.yaml").read_text()) | {"results_dir": str(results(smoke))}
    (smoke.folder / "summary.yaml").write_text(yaml.safe_dump(config))
    shown = summary(smoke.folder / "summary.yaml")
    assert "| natural " in shown
    assert "Against natural training (" in shown
    assert f"report   {results(smoke) / 'report.html'}" in shown


# ---------------------------------------------------------------- what an edit reaches


def target_jobs(run: str, seed: int = 0) -> set[tuple[str, ...]]:
    jobs = {(rule, "digits", run, str(seed)) for rule in ("train", "infer")}
    return jobs.union(*(signal_jobs(signal, run, seed) for signal in ("benign", "adversarial", "verified")))


def signal_jobs(signal: str, run: str, seed: int = 0) -> set[tuple[str, ...]]:
    """The jobs of one signal; attacked images to look at are made for the first seed only."""
    jobs = {("signal", "digits", run, str(seed), signal)}
    return jobs | ({("attack_examples", "digits", run, str(seed))} if signal == "adversarial" and seed == 0 else set())


def tables(*names: str) -> set[tuple[str, ...]]:
    return {
        ("collect", "digits", name)
        for name in names
        or ("membership_inference", "robustness", "roc", "loss_histogram", "verification", "margin_histogram")
    }


HISTORY = {("collect_history", "digits")}
SUMMARIES = {("all_datasets", "membership_inference"), ("all_datasets", "robustness")} | {
    (table, "digits") for table in ("paper_table", "verification_table", "findings")
}
REPORT = {("report",), ("all",)}


def figures(*names: str) -> set[tuple[str, ...]]:
    return {(name, "digits") for name in names or FIGURES}


AFTER_TRAINING = tables() | HISTORY | SUMMARIES | figures() | REPORT
Edit = Callable[[Workflow], "contextlib.AbstractContextManager[tuple[str, ...]]"]


def overlay(change: dict) -> Edit:
    """A change of settings."""

    @contextlib.contextmanager
    def edit(workflow: Workflow) -> Iterator[tuple[str, ...]]:
        (workflow.folder / "change.yaml").write_text(yaml.safe_dump(change))
        yield (*SMOKE, "change.yaml")

    return edit


def rewrite(name: str, change: Callable[[str], str]) -> Edit:
    """A change of a file, taken back afterwards."""

    @contextlib.contextmanager
    def edit(workflow: Workflow) -> Iterator[tuple[str, ...]]:
        path = workflow.folder / name
        before, times = path.read_text(), (path.stat().st_atime, path.stat().st_mtime)
        path.write_text(change(before))
        yield SMOKE
        path.write_text(before)
        os.utime(path, times)

    return edit


@contextlib.contextmanager
def touched_scripts(workflow: Workflow) -> Iterator[tuple[str, ...]]:
    for path in (workflow.folder / "scripts").rglob("*.py"):
        os.utime(path, (time.time() + 60, time.time() + 60))
    yield SMOKE


@contextlib.contextmanager
def deleted_model(workflow: Workflow) -> Iterator[tuple[str, ...]]:
    model = results(workflow) / "models" / "digits" / "pgd" / "seed0" / "model.safetensors"
    model.rename(model.with_suffix(".away"))
    yield SMOKE
    model.with_suffix(".away").rename(model)


EDITS: dict[str, tuple[Edit, set[tuple[str, ...]]]] = {
    "a method's setting": (
        overlay(digits(runs={"trades": {"method": {"beta": 2.0}}})),
        target_jobs("trades") | AFTER_TRAINING,
    ),
    "a figure's style": (overlay({"figures": {"roc": {"height": 3.0}}}), figures("roc") | REPORT),
    "methods/trades.py": (
        rewrite("scripts/robustmia/methods/trades.py", lambda text: text.replace("self.beta *", "1.0 * self.beta *")),
        target_jobs("trades") | AFTER_TRAINING,
    ),
    "plots.py": (
        rewrite("scripts/robustmia/plots.py", lambda text: text.replace('GREY = "0.45"', 'GREY = "0.5"')),
        figures() | REPORT,
    ),
    "data/digits.py": (
        rewrite("scripts/robustmia/data/digits.py", lambda text: text + "\n"),
        {("fetch", "digits"), ("split", "digits", "0")}
        | {job for run in RUNS for job in target_jobs(run)}
        | AFTER_TRAINING,
    ),
    "data/yale.py": (rewrite("scripts/robustmia/data/yale.py", lambda text: text + "\n"), set()),
    "tables.py": (
        rewrite("scripts/robustmia/tables.py", lambda text: text.replace("adv. train", "adv train")),
        AFTER_TRAINING - figures("examples"),
    ),
    "another seed": (
        overlay({"seeds": [0, 1]}),
        {("split", "digits", "1")}
        | {job for run in RUNS for job in target_jobs(run, 1)}
        | (AFTER_TRAINING - figures("examples")),
    ),
    "another method": (
        overlay(digits(runs={"mixed": {"method": {"name": "pgd", "epsilon": 0.1, "adversarial_fraction": 0.5}}})),
        target_jobs("mixed") | AFTER_TRAINING,
    ),
    "scripts/split.py": (
        rewrite("scripts/split.py", lambda text: text + "\n"),
        {("split", "digits", "0")} | {job for run in RUNS for job in target_jobs(run)} | AFTER_TRAINING,
    ),
    "signals/benign.py": (
        rewrite("scripts/robustmia/signals/benign.py", lambda text: text + "\n"),
        {job for run in RUNS for job in signal_jobs("benign", run) | {("infer", "digits", run, "0")}}
        | tables()
        | SUMMARIES
        | (figures() - figures("training_curves", "examples"))
        | REPORT,
    ),
    "bounds/zonotope.py": (
        rewrite("scripts/robustmia/bounds/zonotope.py", lambda text: text + "\n"),
        {job for run in RUNS for job in signal_jobs("verified", run) | {("infer", "digits", run, "0")}}
        | target_jobs("abstract_interpretation")
        | AFTER_TRAINING,
    ),
    "the verified ball": (
        overlay(digits(signals={"verified": {"epsilon": 0.05}})),
        {job for run in RUNS for job in signal_jobs("verified", run) | {("infer", "digits", run, "0")}}
        | tables()
        | SUMMARIES
        | (figures() - figures("training_curves", "examples"))
        | REPORT,
    ),
    "no verified signal": (
        overlay(digits(signals={"verified": None})),
        {("infer", "digits", run, "0") for run in RUNS}
        | (tables() - tables("verification", "margin_histogram"))
        | (SUMMARIES - {("verification_table", "digits")})
        | (figures() - figures("training_curves", "examples", "margin_histogram"))
        | REPORT,
    ),
    "touched scripts": (touched_scripts, set()),
    "a deleted model": (deleted_model, target_jobs("pgd") | AFTER_TRAINING),
    "the evaluation attack": (
        overlay(digits(signals={"adversarial": {"steps": 4}})),
        {("infer", "digits", run, "0") for run in RUNS}
        | {job for run in RUNS for job in signal_jobs("adversarial", run)}
        | tables()
        | SUMMARIES
        | (figures() - figures("training_curves"))
        | REPORT,
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reruns_what_it_reaches_and_nothing_else(smoke, edit):
    change, expected = EDITS[edit]
    with change(smoke) as arguments:
        assert smoke.planned(*arguments) == expected
    assert smoke.planned(*SMOKE) == set()


# ---------------------------------------------------------------- strong attacks


def test_the_strong_attacks_are_whole(strong):
    tables = results(strong) / "tables"
    attacks = pd.read_csv(tables / "strong_attacks.csv")
    assert attacks.equals(pd.read_csv(tables / "digits" / "strong_attacks.csv"))
    per_signal = {"lira_online", "lira_offline"} | {
        "modified_entropy",
        "lira_online_fixed",
        "lira_offline_fixed",
        "rmia_online",
        "rmia_offline",
        "privacy_risk",
    }
    own = {
        "benign": {"I_B", "correctness"},
        "adversarial": {"I_A", "correctness"},
        "targeted": {"mean_log_odds", "I_T", "I_T_shadow"},
        "verified": {"I_V", "correctness"},
    }
    for (run, seed), rows in attacks.groupby(["run", "seed"]):
        assert run in STRONG_RUNS
        assert seed in (0, 1)
        for signal, names in own.items():
            assert set(rows[rows.signal == signal].strategy) == names | per_signal
        joint = rows[rows.signal == "all"]
        assert set(joint.threshold_rule) == {"oracle", "split", "split_by_class", "shadow", "shadow_by_class"}
        assert set(joint.strategy) == {"joint"}
    columns = pd.read_csv(tables / "membership_inference.csv").columns
    assert list(attacks.columns) == list(columns)
    for run in STRONG_RUNS:
        records = pd.read_csv(results(strong) / "strong" / "digits" / run / "seed1" / "records.csv")
        assert len(records) == 220
        assert records.member.sum() == 120
        assert ("risk_change_all_joint" in records) == (run != "natural")
    exposure = pd.read_csv(tables / "digits" / "exposure.csv")
    assert len(exposure) == 220 * 2 * len(STRONG_RUNS)
    agreement = pd.read_csv(tables / "digits" / "exposure_agreement.csv")
    assert set(agreement.kind) == {"methods", "seeds"}
    for prefix in ("", "strong_"):
        findings = pd.read_csv(tables / "digits" / f"{prefix}findings.csv")
        assert list(findings.run) == list(STRONG_RUNS)
        assert findings.p_holm.isna().tolist() == [True, False, False]
        assert "Against natural training" in (tables / "digits" / f"{prefix}findings.md").read_text()
    report = (results(strong) / "strong_report.html").read_text()
    for figure in ("attacks", "exposed", "exposure_agreement", "inference_accuracy"):
        assert (results(strong) / "figures" / "digits" / f"{figure}.pdf").exists()
        assert f"{figure}.png" in report
    assert "corrected for the number of defenses" in report  # the first page has the findings
    assert not list(results(strong).glob("checkpoints/*"))


def test_more_shadow_models_leave_those_there_are(strong):
    (strong.folder / "more.yaml").write_text(yaml.safe_dump(digits(strong_attacks={"shadow_models": 8})))
    planned = strong.planned("shadow_all", *STRONG, "more.yaml")
    assert planned == {("shadow_train", "digits", run, b) for run in STRONG_RUNS for b in "23"} | {("shadow_all",)}


def test_strong_attacks_of_no_data_set_are_one_line(strong):
    (strong.folder / "none.yaml").write_text(
        yaml.safe_dump({**digits(strong_attacks=None), "results_dir": "results/none"})
    )
    done = strong.run("results/none/tables/strong_attacks.csv", *STRONG, "none.yaml")
    assert done.returncode
    assert "robustmia: all_strong: no data set has this table; for the strong attacks give datasets.NAME" in done.stdout


def test_shadow_trainings_do_not_depend_on_signals():
    assert not [module for module in used_modules("shadow_train") if ".signals" in module or module.endswith(".logits")]


def test_the_classifier_of_i_t_reruns_inference_alone(strong):
    (strong.folder / "other.yaml").write_text(yaml.safe_dump(digits(strong_attacks={"classifier": "random_forest"})))
    rules = {job[0] for job in strong.planned("strong_results", *STRONG, "other.yaml")}
    assert "strong_infer" in rules
    assert not {"train", "signal", "shadow_train", "shadow_signal", "infer"} & rules


# ---------------------------------------------------------------- audits


def test_audits_run_through_the_workflow(audited):
    folder = audited.folder / "results" / "audit"
    for name in ("their_predictions", "their_checkpoint"):
        membership = pd.read_csv(folder / name / "membership_inference.csv")
        assert set(membership.run) == {name}
        assert (folder / name / "report.md").read_text().startswith(f"# Audit of {name}")
        assert (folder / name / "robustness.csv").exists()
    assert audited.planned("audit", *AUDIT) == set()
    np.savez(audited.folder / "p.npz", **theirs())
    assert {job[0] for job in audited.planned("audit", *AUDIT)} == {"audit_predictions", "audit_infer", "audit"}
    (audited.folder / "weights.safetensors").rename(audited.folder / "away")
    done = audited.run("audit", *AUDIT)
    assert done.returncode
    assert "robustmia: config: audits.their_checkpoint.weights: weights.safetensors is not there" in done.stdout
    (audited.folder / "away").rename(audited.folder / "weights.safetensors")


# ---------------------------------------------------------------- the modules that a digest covers


def test_the_digest_of_each_script_covers_what_it_imports(smoke, strong, audited, trace):
    """Modules that a job really imported, against those its digest is made of: neither more nor fewer."""
    always = {
        "robustmia",
        "robustmia.jobs",
        "robustmia.lifeline",
        "robustmia.outputs",
        "robustmia.bounds",
        "robustmia.data",
        "robustmia.methods",
        "robustmia.inference",
        "robustmia.signals",
        "robustmia.audit",
    }
    imported: dict[str, set[str]] = {}
    for path in trace.glob("tmp*.py"):
        script = re.fullmatch(r"tmp\w+\.(\w+)\.py", path.name)
        imported.setdefault(script.group(1), set()).update(set(path.read_text().split()) - always)
    chosen = {
        "fetch": [SOURCES["digits"].partition(":")[0]],
        "train": [METHODS[run].partition(":")[0] for run in RUNS],
        "shadow_train": [METHODS[run].partition(":")[0] for run in STRONG_RUNS],
        "compute_signal": [path.partition(":")[0] for path in SIGNALS.values()],
        "shadow_signal": [path.partition(":")[0] for path in SIGNALS.values()],
    }
    scripts = {path.stem for path in (smoke.folder / "scripts").glob("*.py")}
    assert set(imported) == scripts
    for script in scripts:
        named = set(used_modules(script, *chosen.get(script, [])))
        surroundings = {
            "robustmia.errors",
            "robustmia.locks",
            "robustmia.gpus",
            "robustmia.device",
            "robustmia.data.records",
        }  # also imported by robustmia.jobs
        assert imported[script] - surroundings == named - surroundings, script


def test_a_method_is_in_its_own_digest_alone():
    trades, pgd = (set(used_modules("train", f"robustmia.methods.{name}")) for name in ("trades", "pgd"))
    assert trades - pgd == {"robustmia.methods.trades"}
    assert pgd - trades == {"robustmia.methods.pgd"}
    assert not {"robustmia.registry", "robustmia.config", "robustmia.plots", "robustmia.tables"} & trades


def test_a_digest_of_nothing_is_an_error():
    with pytest.raises(FileNotFoundError):
        used_modules("no_such_script")
    with pytest.raises(FileNotFoundError):
        used_modules("train", "robustmia.methods.no_such_method")


def test_packages_hold_no_code():
    import ast

    for path in (Path(__file__).parent.parent / "scripts" / "robustmia").rglob("__init__.py"):
        for node in ast.parse(path.read_text()).body:
            assert isinstance(node, ast.Expr | ast.Assign), path
