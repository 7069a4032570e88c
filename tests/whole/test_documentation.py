"""Snippets of the README and of docs/: complete files, each run with the command that the page has for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import ROOT, Workflow, put_images, theirs

PAGES = (ROOT / "README.md", *(page for page in (ROOT / "docs").glob("*.md") if page.name != "extending.md"))
BLOCK = re.compile(r"(?ms)^```(?:yaml|py) (\S+)\n(.*?)^```$")
FILES = {name: text for page in PAGES for name, text in BLOCK.findall(page.read_text())}
COMMANDS = {
    found[2]: found[1].split()
    for page in PAGES
    for found in re.finditer(r"`snakemake --cores \d+ ?((?:\w+ )*)--configfile (\w+\.yaml)`", page.read_text())
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


def prepare_faces(folder: Path) -> None:
    """Two classes of images in a zip."""
    import shutil

    put_images(folder / "faces", {"ann": 24, "bob": 24}, size=(40, 40), mode="RGB")
    shutil.make_archive(str(folder / "data" / "faces"), "zip", folder, "faces")


def prepare_audits(folder: Path) -> None:
    """Predictions, and a checkpoint of a data-parallel training with its code."""
    np.savez(folder / "predictions.npz", **theirs())
    np.savez(folder / "split.npz", members=np.arange(100), nonmembers=np.arange(100, 180))
    (folder / "their_code.py").write_text(
        "from torch import nn\n\ndef network():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    torch.save(
        {"state_dict": {"module.1.weight": torch.rand(10, 64), "module.1.bias": torch.zeros(10)}},
        folder / "weights.pth",
    )


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
    "faces.yaml": (prepare_faces, "results/tables/membership_inference.csv"),
    "audits.yaml": (prepare_audits, "results/audit/their_checkpoint/membership_inference.csv"),
    "robustbench.yaml": (prepare_robustbench, "results/audit/carmon2019/membership_inference.csv"),
}


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
