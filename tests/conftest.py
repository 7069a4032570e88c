"""What the tests share: where real data is, a workflow of one's own to run, and small networks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

torch.set_num_threads(1)  # as jobs do: two workers with two threads each wait for one another many times longer

ROOT = Path(__file__).parent.parent
WORKFLOW = ("Snakefile", "config.yaml", "configs", "rules", "scripts", "envs", "report")
SHARED_VARIABLE = "ROBUSTMIA_SHARED"
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package dataset-fashion-mnist


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups, which one worker runs from end to end, come first: else one would be left with the longest at the end."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


def shared(*parts: str) -> Path:
    """A file of the shared folder (data/, reference/), or the reason for a skip."""
    folder = os.environ.get(SHARED_VARIABLE)
    if not folder:
        pytest.skip(f"{SHARED_VARIABLE} does not say where the shared data is")
    path = Path(folder).resolve().joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


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

    def planned(self, *arguments: str) -> set[tuple[str, ...]]:
        """The jobs that a dry run names: the rule, then its wildcards in order."""
        done = self.run("--dry-run", *arguments)
        assert done.returncode == 0, done.stdout
        jobs, rule = set(), None
        for line in done.stdout.splitlines():
            if line.startswith(("rule ", "localrule ")):
                if rule:
                    jobs.add((rule,))
                rule = line.split()[1].rstrip(":")
            elif line.startswith("    wildcards: ") and rule:
                jobs.add((rule, *(part.split("=")[1] for part in line.removeprefix("    wildcards: ").split(", "))))
                rule = None
        return jobs | ({(rule,)} if rule else set())


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return Workflow.copy(tmp_path / "workflow")


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
