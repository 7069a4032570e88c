"""What an edit of settings or code runs again: what it reaches, and nothing else."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

import pytest
import yaml

from helpers import FIGURE_NAMES, RUNS, SMOKE, TOGETHER, Workflow, smoke_results


def digits(**settings: object) -> dict:
    return {"datasets": {"digits": settings}}


def target_jobs(run: str, seed: int = 0) -> set[tuple[str, ...]]:
    return {("train", "digits", run, str(seed))} | from_signals(run, seed)


def from_signals(run: str, seed: int = 0, signals: str = TOGETHER) -> set[tuple[str, ...]]:
    """The job of some signals of a target model, and the inference that follows."""
    return {("signals", "digits", run, str(seed), signals), ("infer", "digits", run, str(seed))}


def tables(*names: str) -> set[tuple[str, ...]]:
    return {
        ("collect", "digits", name)
        for name in names
        or ("membership_inference", "robustness", "roc", "loss_histogram", "verification", "margin_histogram")
    }


HISTORY = {("collect", "digits", "training_history")}
SUMMARIES = {("all_datasets", "membership_inference"), ("all_datasets", "robustness")} | {
    (table, "digits") for table in ("paper_table", "verification_table", "conclusions")
}
REPORT = {("report",), ("all",)}


def figures(*names: str) -> set[tuple[str, ...]]:
    return {(f"figure_{name}", "digits") for name in names or FIGURE_NAMES}


AFTER_TRAINING = tables() | HISTORY | SUMMARIES | figures() | REPORT
AFTER_SIGNALS = {job for run in RUNS for job in from_signals(run)} | AFTER_TRAINING - HISTORY - figures(
    "training_curves"
)
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
    model = smoke_results(workflow) / "models" / "digits" / "pgd" / "seed0" / "model.safetensors"
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
    "a display constant": (
        rewrite(
            "scripts/robustmia/reporting/figures/style.py", lambda text: text.replace('GREY = "0.45"', 'GREY = "0.5"')
        ),
        figures() | REPORT,
    ),
    "a lock": (
        rewrite("scripts/robustmia/workflow/gpu_lock.py", lambda text: text.replace("PAUSE = 0.5", "PAUSE = 0.7")),
        set(),
    ),
    "a message": (
        rewrite("scripts/robustmia/workflow/job.py", lambda text: text.replace("%s starts", "%s begins")),
        set(),
    ),
    "figures/roc.py": (
        rewrite("scripts/robustmia/reporting/figures/roc.py", lambda text: text + "\n"),
        figures("roc") | REPORT,
    ),
    "data/digits.py": (
        rewrite("scripts/robustmia/data/digits.py", lambda text: text + "\n"),
        {("fetch", "digits"), ("split", "digits", "0")}
        | {job for run in RUNS for job in target_jobs(run)}
        | AFTER_TRAINING,
    ),
    "data/yale.py": (rewrite("scripts/robustmia/data/yale.py", lambda text: text + "\n"), set()),
    "tables.py": (
        rewrite("scripts/robustmia/reporting/tables.py", lambda text: text.replace("adv. train", "adv train")),
        AFTER_TRAINING - figures("examples"),
    ),
    "another seed": (
        overlay({"seeds": [0, 1]}),
        {("split", "digits", "1")}
        | {job for run in RUNS for job in target_jobs(run, 1)}
        | (AFTER_TRAINING - figures("examples")),
    ),
    "another method": (
        overlay(digits(runs={"mixed": {"method": {"name": "pgd", "adversarial_fraction": 0.5}}})),
        target_jobs("mixed") | AFTER_TRAINING,
    ),
    "scripts/split.py": (
        rewrite("scripts/split.py", lambda text: text + "\n"),
        {("split", "digits", "0")} | {job for run in RUNS for job in target_jobs(run)} | AFTER_TRAINING,
    ),
    "signals/benign.py": (
        rewrite("scripts/robustmia/signals/benign.py", lambda text: text + "\n"),
        AFTER_SIGNALS,
    ),
    "bounds/alpha_crown.py": (
        rewrite("scripts/robustmia/bounds/alpha_crown.py", lambda text: text + "\n"),
        AFTER_SIGNALS,
    ),
    "the verified ball": (
        overlay(digits(signals={"verified": {"epsilon": 0.05}})),
        AFTER_SIGNALS,
    ),
    "no verified signal": (
        overlay(digits(signals={"verified": None})),
        {job for run in RUNS for job in from_signals(run, signals="benign+adversarial+targeted")}
        | (tables() - tables("verification", "margin_histogram"))
        | (SUMMARIES - {("verification_table", "digits")})
        | (figures() - figures("training_curves", "margin_distribution"))
        | REPORT,
    ),
    "touched scripts": (touched_scripts, set()),
    "a deleted model": (deleted_model, target_jobs("pgd") | AFTER_TRAINING),
    "the evaluation attack": (
        overlay(digits(signals={"adversarial": {"steps": 4}})),
        AFTER_SIGNALS,
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reruns_what_it_reaches_and_nothing_else(smoke, edit):
    change, expected = EDITS[edit]
    with change(smoke) as arguments:
        assert smoke.planned(*arguments) == expected


def test_after_all_edits_are_taken_back_nothing_is_to_be_done(smoke):
    assert smoke.planned(*SMOKE) == set()
