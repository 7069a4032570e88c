"""What tests share: where real data is, made-up images, a workflow of one's own to run, and small networks."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from robustmia.config.registry import FIGURES, SIGNALS
from robustmia.config.schema import CheckpointAuditOfDataset
from robustmia.errors import UserError
from robustmia.models.networks.base import build_network
from robustmia.models.networks.small_cnn import SmallCNN

ROOT = Path(__file__).parent.parent
WORKFLOW = ("Snakefile", "config.yaml", "configs", "rules", "scripts", "envs", "report", "profiles")
SHARED_VARIABLE = "ROBUSTMIA_SHARED"
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package dataset-fashion-mnist
SMOKE = ("--configfile", "configs/smoke.yaml")
STUDIES = ("studies", *SMOKE, "studies.yaml")
SHADOW_RUNS = ("natural", "pgd", "ibp")
SMALL = {"name": "small_cnn", "width": 4}
AUDITED = {"dataset": None, "run": "theirs", "method": "audited", "seed": None}


def shared(*parts: str) -> Path:
    """A file of the shared folder (data/, reference/), or the reason for a skip."""
    folder = os.environ.get(SHARED_VARIABLE)
    if not folder:
        pytest.skip(f"{SHARED_VARIABLE} does not say where the shared data is")
    path = Path(folder).resolve().joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def put_fashion_mnist(data_dir: Path) -> Path:
    """The files of Debian's package in torchvision's layout."""
    if not FASHION_MNIST.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    raw = data_dir / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in FASHION_MNIST.glob("*.gz"):
        with gzip.open(archive) as packed, (raw / archive.stem).open("wb") as file:
            shutil.copyfileobj(packed, file)
    return raw


def put_images(folder: Path, classes: dict[str, int], size=(5, 4), suffix="png", mode="L") -> None:
    """Random images, so many in a folder for each class."""
    random = np.random.default_rng(0)
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            shape = size if mode == "L" else (*size, 3)
            pixels = random.integers(256, size=shape, dtype=np.uint8)
            Image.fromarray(pixels, mode=None).save(folder / name / f"{index}.{suffix}")


def put_faces(folder: Path) -> None:
    """Two classes of images in `data/faces.zip`."""
    put_images(folder / "faces", {"ann": 24, "bob": 24}, size=(40, 40), mode="RGB")
    shutil.make_archive(str(folder / "data" / "faces"), "zip", folder, "faces")


def put_audited(folder: Path) -> None:
    """Predictions, and a checkpoint of a data-parallel training with its code, under the names that docs/how-to/audit.md has."""
    np.savez(folder / "predictions.npz", **theirs())
    np.savez(folder / "split.npz", members=np.arange(100), nonmembers=np.arange(100, 180))
    (folder / "their_code.py").write_text(
        "from torch import nn\n\ndef network():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    weights = {"module.1.weight": torch.rand(10, 64), "module.1.bias": torch.zeros(10)}
    torch.save({"state_dict": weights}, folder / "weights.pth")


@contextmanager
def refused(*named: str, error: type[Exception] = UserError) -> Iterator[None]:
    """The block raises this error, whose message names the keys, files or layers at fault."""
    with pytest.raises(error) as caught:
        yield
    assert all(name in str(caught.value) for name in named), str(caught.value)


def list_in_registry(folder: Path, name: str, line: str) -> None:
    """Add a line to one of the lists of the registry of a workflow."""
    path = folder / "scripts" / "robustmia" / "config" / "registry.py"
    before, opening, rest = path.read_text().partition(f"\n{name} = {{\n")
    assert opening, name
    entries, after = rest.split("\n}\n", 1)
    path.write_text(f"{before}{opening}{entries}\n{line.rstrip()}\n}}\n{after}")


@dataclass(frozen=True)
class Workflow:
    """A copy of the workflow in a folder of its own."""

    folder: Path

    @classmethod
    def copy(cls, folder: Path) -> Workflow:
        folder.mkdir(parents=True, exist_ok=True)
        for name in WORKFLOW:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)
        return cls(folder)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start snakemake here; stdout and stderr together in stdout."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run snakemake here to its end."""
        with self.start(*arguments, **environment) as running:
            try:
                output, _ = running.communicate(timeout=900)
            except subprocess.TimeoutExpired:
                running.kill()
                raise
        return subprocess.CompletedProcess(running.args, running.returncode, output)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python here, with the package to import; stdout and stderr together in stdout."""
        environment = os.environ | {"PYTHONPATH": "scripts"}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def planned(self, *arguments: str) -> set[tuple[str, ...]]:
        """The jobs that a dry run names: the rule, then its wildcards in order."""
        done = self.run("--dry-run", "--verbose", *arguments)
        assert done.returncode == 0, done.stdout
        table = done.stdout.partition("Job stats:")[2]
        lines = [line.split(": ", 1)[0] for line in table.splitlines() if ": " in line]
        return {tuple(line.split()) for line in lines}


RUNS = ("natural", "pgd", "distributional", "trades", "duality", "abstract_interpretation", "ibp")
"""Of the smoke configuration."""
NEEDS_SHADOWS = ("most_at_risk", "risk_agreement")
FIGURE_NAMES = tuple(name for name in FIGURES if name not in (*NEEDS_SHADOWS, "published"))
"""Those of the smoke configuration, which has no shadow models and none of the paper's data sets."""
TOGETHER = "+".join(SIGNALS)
"""The signals of one job, which computes all of them."""


def smoke_results(workflow: Workflow) -> Path:
    return workflow.folder / "results" / "smoke"


def softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (p / p.sum(axis=1, keepdims=True)).astype(np.float32)


def theirs(**changes: object) -> dict:
    """Predictions in the layout of the paper's authors; an array that is changed to None is left out."""
    random = np.random.default_rng(0)
    arrays = {
        f"output_{side}_{kind}": softmax(random.normal(size=(count, 5)))
        for side, count in (("train", 40), ("test", 30))
        for kind in ("benign", "adversarial")
    }
    arrays |= {"train_label": np.arange(40) % 5, "test_label": np.arange(30) % 5} | changes
    return {name: array for name, array in arrays.items() if array is not None}


def checkpoint(folder: Path, **changes: object) -> CheckpointAuditOfDataset:
    """An audit of a small network on digits, with a file of weights and one of its split."""
    network = build_network(SmallCNN(**SMALL), (1, 8, 8), 10, seed=5)
    save_file(network.state_dict(), folder / "weights.safetensors")
    np.savez(folder / "split.npz", members=np.arange(100), nonmembers=np.arange(100, 180))
    settings = {
        "model": SMALL,
        "weights": folder / "weights.safetensors",
        "dataset": "digits",
        "split": folder / "split.npz",
        "threat_model": {"epsilon": 0.05},
        "signals": {name: {} for name in SIGNALS} | {"adversarial": {"steps": 3}, "targeted": {"steps": 3}},
    }
    return CheckpointAuditOfDataset(**settings | changes)


def small_network(seed: int = 0, channels: int = 1, size: int = 6, classes: int = 4) -> nn.Sequential:
    """A convolution and a linear layer with random weights, large enough for an attack to matter."""
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(channels, 5, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(5 * size * size, classes)
    )
    for parameter in network.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, generator=generator)
    return network


def small_batch(seed: int = 1, count: int = 8, channels: int = 1, size: int = 6, classes: int = 4):
    """Random images in [0, 1], some pixels at the ends, and labels."""
    generator = torch.Generator().manual_seed(seed)
    images = (1.4 * torch.rand((count, channels, size, size), generator=generator) - 0.2).clamp(0, 1)
    return images, torch.randint(classes, (count,), generator=generator)


def at(key: str, value: Any) -> dict:
    """The overlay that sets one dotted key."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def dataset(source: dict, **more: Any) -> dict:
    """An overlay with one data set of one's own in place of digits, and a training of one step."""
    smallest = {
        "source": source,
        "threat_model": {"epsilon": 0.1},
        "split": {"member_fraction": 0.5},
        "architecture": {"name": "small_cnn", "width": 2},
        "training": {"epochs": 1, "optimizer": {"name": "sgd", "learning_rate": 0.1}},
        "signals": {"benign": {}, "adversarial": {"steps": 1}},
        "runs": {"natural": {"method": {"name": "natural"}}},
    }
    return {"datasets": {"digits": None, "mine": smallest | more}}
