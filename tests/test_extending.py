"""docs/extending.md, followed to the letter."""

from __future__ import annotations

import re

import pandas as pd
import pytest
import yaml

from conftest import ROOT, Workflow
from robustmia.registry import METHODS

pytestmark = pytest.mark.xdist_group("extending")

FEWER = set(METHODS) - {"natural", "pgd"}  # runs that are left out, to be quick
PAGE = (ROOT / "docs" / "extending.md").read_text()
LISTS = {
    "METHODS": ("scripts/robustmia/registry.py", "METHODS = {\n", "}"),
    "SOURCES": ("scripts/robustmia/registry.py", "SOURCES = {\n", "}"),
    "SIGNALS": ("scripts/robustmia/registry.py", "SIGNALS = {\n", "}"),
    "STRATEGIES": ("scripts/robustmia/inference/strategies.py", "STRATEGIES = (\n", ")"),
}


def follow(workflow: Workflow, *, strategy: bool) -> None:
    """Write the page's files and lines; the strategy's line only if asked for."""
    for place, text in re.findall(r"(?ms)^```(?:python|yaml) (\S+)\n(.*?)^```$", PAGE):
        if place not in LISTS:
            (workflow.folder / place).write_text(text)
        elif place != "STRATEGIES" or strategy:
            name, opening, closing = LISTS[place]
            path = workflow.folder / name
            before, inside = path.read_text().split(opening)
            entries, after = inside.split(f"\n{closing}\n", 1)
            path.write_text(f"{before}{opening}{entries}\n{text.rstrip()}\n{closing}\n{after}")


def test_the_page_works_and_reruns_nothing_else(workflow):
    """Files and registry lines first, which rerun nothing; then the strategy's line, which reruns inference; then all."""
    (workflow.folder / "fewer.yaml").write_text(
        yaml.safe_dump({"datasets": {"digits": {"runs": dict.fromkeys(FEWER)}}})
    )
    smoke = ("--configfile", "configs/smoke.yaml", "fewer.yaml")
    assert workflow.run("tables", *smoke).returncode == 0
    follow(workflow, strategy=False)
    assert workflow.planned("tables", *smoke) == set()
    follow_strategy = {job[0] for job in planned_after_strategy(workflow, smoke)}
    assert "infer" in follow_strategy
    assert not {"fetch", "split", "train", "signal"} & follow_strategy
    mine = (*smoke, "configs/mine.yaml")
    jobs = workflow.planned(*mine)
    assert {job[1:3] for job in jobs if job[0] == "train"} == {
        ("digits", "fast"),
        ("wine", "natural"),
        ("wine", "fast"),
    }
    done = workflow.run("tables", "figures", *mine)
    assert done.returncode == 0, done.stdout
    table = pd.read_csv(workflow.folder / "results" / "smoke" / "tables" / "membership_inference.csv")
    assert set(table[table.run == "fast"].dataset) == {"digits", "wine"}
    assert set(table[table.strategy == "I_noisy"].run) == {"natural", "pgd", "fast"}


def planned_after_strategy(workflow: Workflow, arguments: tuple[str, ...]) -> set[tuple[str, ...]]:
    path = workflow.folder / "scripts" / "robustmia" / "registry.py"
    registry = path.read_text()
    follow(workflow, strategy=True)
    path.write_text(registry)  # its lines are there already
    return workflow.planned("tables", *arguments)
