"""Jobs that fail by themselves: what is said, and that no older table passes as up to date."""

from __future__ import annotations

import yaml

from fault_helpers import GIVEN, OVERLAYS, few, finish, tables
from helpers import Workflow


def test_failures_are_summed_up_with_how_to_get_tables_without_them(tmp_path, undisturbed):
    workflow = few(tmp_path)
    failing = {"runs": {"pgd": {"training": {"optimizer": {"learning_rate": 1e30}}}}}
    (workflow.folder / "failing.yaml").write_text(yaml.safe_dump({"datasets": {"digits": failing}}))
    done = workflow.run("--keep-going", *GIVEN, "failing.yaml")
    assert done.returncode
    assert "Traceback" not in done.stdout
    summary = done.stdout[done.stdout.index("robustmia: 1 job failed") :]
    assert "  train digits pgd 0: digits/pgd/seed0: the loss became nan in epoch 1, batch 2 of 2" in summary
    assert "    log: results/smoke/logs/train/digits/pgd/seed0.log" in summary
    assert "set datasets.digits.runs.pgd to null" in summary
    (workflow.folder / "without.yaml").write_text(yaml.safe_dump({"datasets": {"digits": {"runs": {"pgd": None}}}}))
    assert "| natural " in finish_and_read(workflow, *GIVEN, "without.yaml")
    finish(workflow)
    assert tables(workflow).items() >= undisturbed.items()


def finish_and_read(workflow: Workflow, *arguments: str) -> str:
    finish(workflow, *arguments)
    return (workflow.folder / "results" / "smoke" / "tables" / "digits" / "paper.md").read_text()


def test_tables_from_before_a_change_that_fails_do_not_pass_as_up_to_date(finished, undisturbed):
    failing = {"runs": {"pgd": {"training": {"optimizer": {"learning_rate": 1e30}}}}}
    (finished.folder / "failing.yaml").write_text(yaml.safe_dump({"datasets": {"digits": failing}}))
    for _ in range(2):
        done = finished.run(*GIVEN, "failing.yaml")
        assert done.returncode
        assert "the loss became nan" in done.stdout
    finish(finished)
    assert tables(finished) == undisturbed


def test_tables_from_before_a_training_that_failed_by_itself_do_not_pass_as_up_to_date(finished, undisturbed):
    """A model is asked for alone and fails; then the tables are, with settings that do not fail."""
    path = finished.folder / "overlay.yaml"
    for learning_rate, target, fails in ((1e30, "train_all", True), (0.01, "tables", False)):
        changed = {"runs": {"pgd": {"training": {"optimizer": {"learning_rate": learning_rate}}}}}
        path.write_text(yaml.safe_dump({"datasets": {"digits": changed}}))
        done = finished.run(target, *OVERLAYS, "overlay.yaml")
        assert bool(done.returncode) == fails, done.stdout
    now, table = tables(finished), "tables/membership_inference.csv"
    assert now[table] != undisturbed[table]
