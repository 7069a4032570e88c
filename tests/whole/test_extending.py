"""docs/how-to/extending.md and docs/tutorial/own-defense.md, followed to the letter."""

from __future__ import annotations

import re
import shutil

import pandas as pd
import yaml

from helpers import ROOT, Workflow, list_in_registry
from robustmia.config.registry import METHODS

FEWER = set(METHODS) - {"natural", "pgd"}  # runs that are left out, to be quick
PAGES = (ROOT / "docs" / "tutorial" / "own-defense.md", ROOT / "docs" / "how-to" / "extending.md")
BLOCKS = [
    block for page in PAGES for block in re.findall(r"(?ms)^```(?:python|yaml|rst) (\S+)\n(.*?)^```$", page.read_text())
]
RERUN_NOTHING = {"METHODS", "SOURCES", "NETWORKS", "OPTIMIZERS", "SCHEDULES", "SIGNALS"}
RERUN_INFERENCE = {"STRATEGIES", "COLUMNS"}
DRAW_ONE_MORE = {"FIGURES"}
SMOKE = ("--configfile", "configs/smoke.yaml", "fewer.yaml")


def write_files(workflow: Workflow) -> None:
    for place, text in BLOCKS:
        if "/" in place:
            (workflow.folder / place).write_text(text)


def add_lines(workflow: Workflow, lists: set[str]) -> None:
    """The pages' lines for some of the lists of the registry."""
    for name, line in BLOCKS:
        if name in lists:
            list_in_registry(workflow.folder, name, line)


def rules_of(workflow: Workflow, *arguments: str) -> set[str]:
    return {job[0] for job in workflow.planned(*arguments)}


def test_the_pages_have_a_line_for_every_list():
    assert {name for name, _ in BLOCKS if "/" not in name} == RERUN_NOTHING | RERUN_INFERENCE | DRAW_ONE_MORE


def test_the_pages_work_and_rerun_nothing_else(smoke, tmp_path):
    """Lines that rerun nothing first; then a figure, which is drawn; then a strategy and a column, which rerun inference; then all."""
    shutil.copytree(smoke.folder, tmp_path / "workflow")
    workflow = Workflow(tmp_path / "workflow")
    (workflow.folder / "fewer.yaml").write_text(
        yaml.safe_dump({"datasets": {"digits": {"runs": dict.fromkeys(FEWER)}}})
    )
    done = workflow.run("tables", "figures", *SMOKE)
    assert done.returncode == 0, done.stdout
    write_files(workflow)
    add_lines(workflow, RERUN_NOTHING)
    assert rules_of(workflow, "tables", "figures", *SMOKE) == set()
    add_lines(workflow, DRAW_ONE_MORE)
    drawn = rules_of(workflow, "tables", "figures", *SMOKE) - {"figures"}
    assert len(drawn) == 1
    assert drawn.pop().startswith("figure_")
    add_lines(workflow, RERUN_INFERENCE)
    rules = rules_of(workflow, "tables", *SMOKE)
    assert "infer" in rules
    assert not {"fetch", "split", "train", "signals"} & rules
    mine = (*SMOKE, "configs/mine.yaml")
    trained = {job[1:3] for job in workflow.planned(*mine) if job[0] == "train"}
    assert ("digits", "fast") in trained
    assert ("wine", "natural") in trained
    assert not {("digits", "natural"), ("digits", "pgd")} & trained
    done = workflow.run("tables", "figures", *mine)
    assert done.returncode == 0, done.stdout
    table = pd.read_csv(workflow.folder / "results" / "smoke" / "tables" / "membership_inference.csv")
    assert set(table[table.run == "fast"].dataset) == {"digits", "wine"}
    noisy = table[table.signal == "noisy"]
    assert {"log_odds", "modified_entropy", "correctness"} < set(noisy.strategy)
    assert len(set(table.strategy) - set(STRATEGIES_BEFORE)) == 1
    new_columns = set(table.columns) - set(COLUMNS_BEFORE)
    assert len(new_columns) == 1
    assert table[new_columns.pop()].notna().all()


STRATEGIES_BEFORE = {"I_B", "I_A", "I_V", "I_T", "mean_log_odds", "log_odds", "modified_entropy", "correctness"}
COLUMNS_BEFORE = [
    *("dataset", "run", "method", "seed", "signal", "strategy", "threshold_rule"),
    *("accuracy", "accuracy_low", "accuracy_high", "threshold_saw_records", "chance_accuracy", "chance_accuracy_95th"),
    *("true_positive_rate", "false_positive_rate", "advantage", "auc", "auc_low", "auc_high"),
    *("tpr_at_1pct_fpr", "tpr_at_1pct_fpr_low", "tpr_at_1pct_fpr_high"),
    *("tpr_at_0.1pct_fpr", "tpr_at_0.1pct_fpr_low", "tpr_at_0.1pct_fpr_high"),
    *("unresolved", "members", "nonmembers"),
]
