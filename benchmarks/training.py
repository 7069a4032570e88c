"""A step of PGD training with 10 steps against a plain loop and one with torchattacks: `python benchmarks/training.py`, ten minutes on one core.

A step is the attack from a uniform point, the loss of what it found, its gradient and the update by SGD with momentum.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from importlib import import_module

import pandas as pd
import torch
from attacks import CASES, EPSILON
from measure import compare, keep
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from robustmia.config.registry import NETWORKS
from robustmia.methods.base import Progress
from robustmia.methods.pgd import PGD
from robustmia.models.device import pick_device
from robustmia.models.engine import Engine, fast_arithmetic, has_bfloat16
from robustmia.models.networks.base import build_network
from robustmia.settings import instantiate
from robustmia.training.optimizers import SGD

STEPS = 10
STEP_SIZE = 2.5 * EPSILON / STEPS
LATE = Progress(1.0, 2)
BATCHES = {"digits, 8 x 8": 64, "Fashion-MNIST, a quarter of the paper's width": 32, "CIFAR-10, wide ResNet 16-4": 16}


def plain(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    """A training step as it is usually written."""
    optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9)

    def step() -> None:
        model.eval()
        adversarial = (images + torch.empty_like(images).uniform_(-EPSILON, EPSILON)).clamp(0, 1)
        for _ in range(STEPS):
            adversarial.requires_grad_()
            (gradient,) = torch.autograd.grad(cross_entropy(model(adversarial), labels), adversarial)
            moved = adversarial.detach() + STEP_SIZE * gradient.sign()
            adversarial = (images + (moved - images).clamp(-EPSILON, EPSILON)).clamp(0, 1)
        _update(model, optimizer, adversarial, labels)

    return step


def with_torchattacks(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    """The same with the attack of torchattacks; `ImportError` where it is not installed."""
    attack = import_module("torchattacks").PGD(model, eps=EPSILON, alpha=STEP_SIZE, steps=STEPS)
    optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9)
    return lambda: _update(model, optimizer, attack(images, labels), labels)


def _update(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    model.train()
    optimizer.zero_grad()
    cross_entropy(model(images), labels).backward()
    optimizer.step()


def ours(model: nn.Module, images: Tensor, labels: Tensor, **engine: object) -> Callable[[], None]:
    """This project's method and engine."""
    placed = Engine(**engine).place(model, images.device, tuple(images.shape[1:])).train()
    method, generator = PGD(name="pgd", epsilon=EPSILON, steps=STEPS), torch.Generator(images.device).manual_seed(0)
    optimizer = SGD(name="sgd", learning_rate=1e-4).build(placed.parameters())

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with fast_arithmetic(placed):
            loss = method.loss(placed, images, labels, LATE, generator).loss
        loss.backward()
        optimizer.step()

    return step


def variants(model: nn.Module, images: Tensor, labels: Tensor, compiled: bool) -> Iterator[tuple[str, Callable]]:
    """Every way to take the step, each with a network of its own."""
    yield "plain loop", plain(copy.deepcopy(model), images, labels)
    try:
        yield "torchattacks", with_torchattacks(copy.deepcopy(model), images, labels)
    except ImportError as error:
        print(f"torchattacks is not installed ({error.name})")
    yield "robustmia", ours(copy.deepcopy(model), images, labels)
    if has_bfloat16(images.device):
        yield "robustmia, bfloat16", ours(copy.deepcopy(model), images, labels, precision="bfloat16")
        if compiled:
            yield (
                "robustmia, bfloat16, compiled",
                ours(copy.deepcopy(model), images, labels, precision="bfloat16", compile=True),
            )


def measure(
    case: str, architecture: dict, shape: tuple[int, int, int], batch: int, rounds: int, compiled: bool = False
) -> pd.DataFrame:
    """A step on one network in every way."""
    device = pick_device(threads=1)
    network = instantiate({"class": NETWORKS[architecture["name"]], "settings": architecture})
    model = build_network(network, shape, 10, seed=0).to(device)
    generator = torch.Generator(device).manual_seed(0)
    images = torch.rand((batch, *shape), generator=generator, device=device)
    labels = torch.randint(10, (batch,), generator=generator, device=device)
    return compare(case, dict(variants(model, images, labels, compiled)), rounds)


if __name__ == "__main__":
    keep(
        "training",
        pd.concat(
            [
                measure(case, architecture, shape, BATCHES[case], rounds)
                for case, (architecture, shape, _, rounds) in CASES.items()
            ]
        ),
    )
