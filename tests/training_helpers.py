"""A tiny training that takes a second, and ways to look into it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from helpers import ROOT
from robustmia.config.registry import METHODS, NETWORKS, OPTIMIZERS, SCHEDULES
from robustmia.data.digits import Digits
from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.methods.base import Method, Progress, Step
from robustmia.models.device import Generators
from robustmia.settings import SplitSettings, chosen
from robustmia.shadow.split import shadow_splits
from robustmia.training.loop import Trainer
from robustmia.training.settings import TrainingSettings

CPU = torch.device("cpu")
NEEDED = {
    "pgd": {"epsilon": 0.05, "steps": 2},
    "trades": {"epsilon": 0.05, "steps": 2},
    "distributional": {"inverse_gamma": 0.1, "steps": 2},
}
TRAINING = {
    "epochs": 4,
    "batch_size": 16,
    "optimizer": {"name": "sgd", "learning_rate": 0.05, "weight_decay": 1e-4},
    "schedule": {"name": "one_cycle"},
    "augmentation": {"crop_padding": 1, "horizontal_flip": True},
    "monitor": {"every": 2, "records": 16, "epsilon": 0.05, "steps": 2},
}


def tiny_records() -> tuple[Records, Split]:
    random = np.random.default_rng(0)
    labels = random.integers(3, size=70)
    images = (random.integers(128, size=(70, 1, 8, 8)) + 40 * labels[:, None, None, None]).astype(np.uint8)
    rows = np.arange(70)
    return Records(images, labels, ("a", "b", "c")), Split(rows[:50], rows[50:], rows[:0])


def scattered_members() -> tuple[Records, Split]:
    """The tiny records, every image another, with members that are not the first rows."""
    records, _ = tiny_records()
    rows = np.random.default_rng(1).permutation(70)
    return records, Split(rows[:50], rows[50:], rows[:0])


def by_name(registry: dict[str, str], settings: dict) -> dict:
    """The part of a spec that stands for settings with a `name` of a registry."""
    return chosen(resolve_name(registry[settings["name"]])(**settings))


def training_spec(training: dict) -> dict:
    """The part `training` of a spec, with an optimizer and a schedule that are given by name."""
    named = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}
    classes = {key: by_name(registry, training[key]) for key, registry in named.items()}
    return TrainingSettings(**training | classes).as_spec()


def tiny_spec(
    method: str = "pgd", architecture: dict | None = None, method_settings: dict | None = None, **training: object
) -> dict:
    """Four epochs of four steps; a batch normalisation in the network, random numbers in every step."""
    settings = NEEDED.get(method, {}) if method_settings is None else method_settings
    return {
        "architecture": by_name(NETWORKS, architecture or {"name": "wide_resnet", "depth": 10, "width": 1}),
        "method": by_name(METHODS, {"name": method, **settings}),
        "training": training_spec(TRAINING | training),
        "seed": 3,
    }


def trainer(spec: dict, checkpoint: Path) -> Trainer:
    torch.set_num_threads(1)
    return Trainer.of_spec(spec, *tiny_records(), checkpoint, CPU, "tiny")


class Watched:
    """A training's own method, with something that happens first in each of its steps, which are counted from 1.

    It takes the place of the method as soon as it is made.
    """

    def __init__(self, training: Trainer, before: Callable[[int, Tensor, Tensor], None]):
        self.method: Method = training.method
        self.before, self.step = before, 0
        training.method = self

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        self.step += 1
        self.before(self.step, images, labels)
        return self.method.loss(model, images, labels, progress, generator)


def shadow_records() -> Records:
    """301 digits, of which shadow models are trained on about half."""
    digits = Digits(name="digits").load(Path("nowhere"))
    return Records(digits.images[:301], digits.labels[:301], digits.class_names)


def shadow_spec_of(
    method: str,
    models: int = 4,
    architecture: dict | None = None,
    method_settings: dict | None = None,
    **training: object,
) -> dict:
    """What `train_shadows` takes, but for `train_batched`: a training that can be part of an ensemble's, as it stands."""
    settings = {"monitor": None, "augmentation": {}, "epochs": 3, "batch_size": 32, **training}
    spec = tiny_spec(method, architecture or {"name": "small_cnn", "width": 3}, method_settings, **settings)
    return spec | {"models": list(range(models)), "split": SplitSettings(member_fraction=0.5).model_dump()}


def half_trainer(spec: dict, seed: int = 1, checkpoint: Path = Path("x.pt"), model: int = 0) -> Trainer:
    """A training on the members of a shadow model, of any seed."""
    records = shadow_records()
    split = shadow_splits(spec | {"models": [model]}, records)[model]
    return Trainer.of_spec(spec | {"seed": seed}, records, split, checkpoint, CPU, "t")


STOPPED = """
import os, signal, sys
from pathlib import Path
from training_helpers import Watched, tiny_spec, trainer
training = trainer(tiny_spec(sys.argv[2], optimizer={"name": sys.argv[3], "learning_rate": 0.01}), Path(sys.argv[1]))
def at_step(step, *batch):
    if step == int(sys.argv[4]):
        os.kill(os.getpid(), getattr(signal, sys.argv[5]))
Watched(training, at_step)
training.run()
"""


def stopped(checkpoint: Path, method: str, optimizer: str, step: int, by: str) -> subprocess.CompletedProcess[str]:
    """A training of another process that is sent a signal in one of its steps."""
    command = [sys.executable, "-c", STOPPED, str(checkpoint), method, optimizer, str(step), by]
    path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT / "tests")])
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)


def assert_same(one: tuple[nn.Module, pd.DataFrame], other: tuple[nn.Module, pd.DataFrame]) -> None:
    """Two models with their histories, equal to the last bit."""
    weights = zip(one[0].state_dict().values(), other[0].state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert one[1].to_csv() == other[1].to_csv()
