"""Snippets of the README and of docs/: complete files, each run with the command that the page has for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from helpers import ROOT, Workflow, put_audited, put_images

TUTORIAL = sorted((ROOT / "docs" / "tutorial").glob("*.md"))  # test_docs_commands.py runs it
PAGES = [ROOT / "README.md", *(page for page in (ROOT / "docs").rglob("*.md") if page not in TUTORIAL)]
BLOCK = re.compile(
    r"(?ms)^```(?:yaml|py) ([^/\s]+)\n(.*?)^```$"
)  # of files beside the Snakefile; test_extending.py writes others
OF_TUTORIAL = {name: text for page in TUTORIAL for name, text in BLOCK.findall(page.read_text())}
FOUND = [(name, text) for page in PAGES for name, text in BLOCK.findall(page.read_text())]
FILES = {name: text for name, text in FOUND if name not in OF_TUTORIAL}
COMMANDS = {
    found[2]: found[1].split()
    for page in PAGES
    for found in re.finditer(r"`snakemake --cores \d+ ?((?:\w+ )*)--configfile (\w+\.yaml)`", page.read_text())
    if found[2] not in OF_TUTORIAL
}

ROBUSTBENCH = """
import torch
from torch import nn


class Normalized(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5))
        self.conv = nn.Conv2d(3, 4, 3, stride=4)
        self.linear = nn.Linear(4 * 64, 10)

    def forward(self, x):
        return self.linear(torch.relu(self.conv(x - self.mean)).flatten(1))


def load_model(model_name, model_dir="./models", dataset="cifar10", threat_model="Linf"):
    assert (model_name, dataset, threat_model) == ("Carmon2019Unlabeled", "cifar10", "Linf")
    torch.manual_seed(0)
    return Normalized()
"""


def prepare_robustbench(folder: Path) -> None:
    """A package that is called like RobustBench, and images in place of CIFAR-10, which cannot be downloaded here."""
    (folder / "robustbench").mkdir()
    (folder / "robustbench" / "__init__.py").write_text("")
    (folder / "robustbench" / "utils.py").write_text(ROBUSTBENCH)
    for part in ("train", "test"):
        put_images(
            folder / "data" / "cifar" / part, {f"class{label}": 4 for label in range(10)}, size=(32, 32), mode="RGB"
        )
    text = (folder / "robustbench.yaml").read_text()
    assert "dataset: cifar10 " in text
    (folder / "robustbench.yaml").write_text(
        text.replace("dataset: cifar10 ", "dataset: {name: image_folder, path: cifar} ")
    )


PREPARE: dict[str, tuple[Callable[[Path], None], str]] = {
    "audits.yaml": (put_audited, "results/audit/their_checkpoint/membership_inference.csv"),
    "robustbench.yaml": (prepare_robustbench, "results/audit/carmon2019/membership_inference.csv"),
}


def test_a_snippet_of_the_tutorial_is_the_same_elsewhere():
    assert all(OF_TUTORIAL.get(name, text) == text for name, text in FOUND)


def test_every_snippet_of_a_configuration_is_run():
    assert {name for name in FILES if name.endswith(".yaml")} == set(PREPARE) == set(COMMANDS)


@pytest.mark.parametrize("name", PREPARE)
def test_a_snippet_runs_as_the_page_says(workflow: Workflow, name):
    prepare, result = PREPARE[name]
    for file, text in FILES.items():
        (workflow.folder / file).write_text(text)
    prepare(workflow.folder)
    done = workflow.run(*COMMANDS[name], "--configfile", name)
    assert done.returncode == 0, done.stdout
    table = pd.read_csv(workflow.folder / result)
    assert len(table)
    assert "digits" not in set(table.dataset) or name == "audits.yaml"


# ---------------------------------------------------------------- the columns of tables


TABLES_PAGE = (ROOT / "docs" / "reference" / "tables.md").read_text()
VARYING = re.compile(
    r"(score|risk|risk_change)_(benign|adversarial|targeted|verified|own_verified|all)_\w+|\w+(\.\w+)+"
)
"""Columns of each attack on each signal, and of each key that a study changes."""


@pytest.mark.parametrize("run", ["smoke", "shadow", "studied", "audited"])
def test_every_table_and_column_is_explained(run, request):
    """In `reference/tables.md`; of a column of standard deviations in the paper's layout, that there is one."""
    named = {name.removesuffix(" sd") for name in re.findall(r"`([^`]+)`", TABLES_PAGE)}
    named |= {f"{strategy} {rule}" for strategy in ("I_B", "I_A", "I_V") for rule in ("oracle", "split")}
    tables = list((request.getfixturevalue(run).folder / "results").rglob("*.csv"))
    assert tables
    for path in tables:
        assert path.name in TABLES_PAGE, path
        columns = {column.removesuffix(" sd") for column in pd.read_csv(path, nrows=0).columns}
        assert {column for column in columns - named if not VARYING.fullmatch(column)} == set(), path
