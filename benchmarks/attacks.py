"""PGD with 20 steps against torchattacks, Foolbox, ART and a plain loop: `python benchmarks/attacks.py`, ten minutes on one core.

The libraries that can be imported are used. One thread, as in the pipeline. All attacks go from the clean image along the sign of the
gradient and have the same number of steps of the same length; a check before says that all find nearly the same loss.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import import_module

import numpy as np
import pandas as pd
import torch
from measure import compare, keep
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from robustmia.config.registry import NETWORKS
from robustmia.models.device import pick_device
from robustmia.models.engine import Engine, has_bfloat16
from robustmia.models.networks.base import build_network
from robustmia.models.perturbations import Ball, cross_entropy_loss, pgd, predict
from robustmia.settings import instantiate

EPSILON, STEPS = 0.1, 20
STEP_SIZE = 2.5 * EPSILON / STEPS
CASES = {
    "digits, 8 x 8": ({"name": "small_cnn", "width": 16}, (1, 8, 8), 256, 15),
    "Fashion-MNIST, a quarter of the paper's width": ({"name": "fashion_mnist_net", "width": 64}, (1, 28, 28), 64, 5),
    "CIFAR-10, wide ResNet 16-4": ({"name": "wide_resnet", "depth": 16, "width": 4}, (3, 32, 32), 32, 5),
}


def plain_loop(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """PGD as it is usually written."""
    adversarial = images.clone()
    for _ in range(STEPS):
        adversarial.requires_grad_()
        loss = cross_entropy(model(adversarial), labels)
        (gradient,) = torch.autograd.grad(loss, adversarial)
        moved = adversarial.detach() + STEP_SIZE * gradient.sign()
        adversarial = (images + (moved - images).clamp(-EPSILON, EPSILON)).clamp(0, 1)
    return adversarial


def torchattacks(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], Tensor]:
    """The attack of torchattacks (Kim 2020), ready to run; those below likewise, and `ImportError` where one is not installed."""
    attack = import_module("torchattacks").PGD(model, eps=EPSILON, alpha=STEP_SIZE, steps=STEPS, random_start=False)
    return lambda: attack(images, labels)


def foolbox(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], Tensor]:
    """Foolbox's (Rauber et al. 2017)."""
    library = import_module("foolbox")
    wrapped = library.PyTorchModel(model, bounds=(0, 1))
    attack = library.attacks.LinfPGD(abs_stepsize=STEP_SIZE, steps=STEPS, random_start=False)
    return lambda: attack.run(wrapped, images, labels, epsilon=EPSILON)


def art(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], Tensor]:
    """That of the Adversarial Robustness Toolbox (Nicolae et al. 2018)."""
    classifiers, attacks = import_module("art.estimators.classification"), import_module("art.attacks.evasion")
    shape, loss = tuple(images.shape[1:]), nn.CrossEntropyLoss()
    wrapped = classifiers.PyTorchClassifier(model, loss, shape, 10, clip_values=(0, 1), device_type=images.device.type)
    options = {"eps": EPSILON, "eps_step": STEP_SIZE, "max_iter": STEPS, "batch_size": len(images), "verbose": False}
    attack, pixels, classes = attacks.ProjectedGradientDescentPyTorch(wrapped, **options), *_arrays(images, labels)
    return lambda: torch.from_numpy(attack.generate(pixels, classes))


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.cpu().numpy() for tensor in tensors]


def ours(model: nn.Module, images: Tensor, labels: Tensor, **engine: object) -> Callable[[], Tensor]:
    """This project's, with the settings of an engine."""
    placed = Engine(**engine).place(copy.deepcopy(model), images.device, tuple(images.shape[1:]))
    ball, loss = Ball("linf", EPSILON), cross_entropy_loss(labels)
    return lambda: pgd(placed, images, loss, ball, steps=STEPS, step_size=STEP_SIZE, start="clean")


def measure(case: str) -> pd.DataFrame:
    """The attack on one network by everyone who can be imported."""
    architecture, shape, batch, rounds = CASES[case]
    device = pick_device(threads=1)
    network = instantiate({"class": NETWORKS[architecture["name"]], "settings": architecture})
    model = build_network(network, shape, 10, seed=0).eval().to(device)
    generator = torch.Generator(device).manual_seed(0)
    images = torch.rand((batch, *shape), generator=generator, device=device)
    labels = torch.randint(10, (batch,), generator=generator, device=device)
    variants: dict[str, Callable[[], Tensor]] = {}
    for name, prepare in (("torchattacks", torchattacks), ("Foolbox", foolbox), ("ART", art)):
        try:
            variants[name] = prepare(copy.deepcopy(model), images, labels)
        except ImportError as error:
            print(f"{name} is not installed ({error.name})")
    variants["plain loop"] = lambda: plain_loop(model, images, labels)
    variants["robustmia"] = ours(model, images, labels)
    if has_bfloat16(device):
        variants["robustmia, bfloat16"] = ours(model, images, labels, precision="bfloat16")
    losses = {name: cross_entropy(predict(model, attack()), labels).item() for name, attack in variants.items()}
    return compare(case, variants, rounds).assign(loss=list(losses.values()))


if __name__ == "__main__":
    keep("attacks", pd.concat([measure(case) for case in CASES]))
