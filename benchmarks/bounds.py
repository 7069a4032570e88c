"""Time and memory of each verifier, and of other projects' where they are installed: `make bench`.

One thread, as in the pipeline. Each verifier is timed in turn with a plain forward pass of the same images, over several rounds, and
medians are compared. Memory is what the process grew by at its highest, in a process of its own for each row.

The time depends on how many ReLUs are open: the first table's networks have random weights, which leave most of them open; the digits
networks beside other projects' have those that `make run` has left. auto_LiRPA and convex_adversarial are used where they can be imported: put their
checkouts on PYTHONPATH.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from peers import bounded, convex_adversarial_bounds, lirpa_bounds
from torch import Tensor, nn

from robustmia.bounds.cost import costs
from robustmia.bounds.interval import Interval
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.files.weights import load_weights
from robustmia.models.networks.base import build_network
from robustmia.models.networks.fashion_mnist_net import FashionMNISTNet
from robustmia.models.networks.small_cnn import SmallCNN
from robustmia.models.networks.yale_net import YaleNet

EPSILON, CLASSES = 0.1, 10
SHAPES = {"wong": (1, 28, 28), "yale": (1, 192, 168), "fashion_mnist": (1, 28, 28)}  # others are digits
DIGITS = (1, 8, 8)
NAMES = {
    "digits": "digits (width 16)",
    "wong": "Fashion-MNIST (Wong et al., small)",
    "yale": "Yale (the paper's width, 8)",
    "fashion_mnist": "Fashion-MNIST (a quarter of the paper's width)",
}
CASES = {  # images and rounds, so that a row takes seconds
    ("digits", "interval"): (256, 20),
    ("digits", "crown_interval"): (256, 10),
    ("digits", "dual"): (256, 5),
    ("digits", "crown"): (256, 5),
    ("digits", "alpha_crown"): (32, 1),
    ("wong", "interval"): (128, 10),
    ("wong", "crown_interval"): (128, 5),
    ("wong", "dual"): (32, 3),
    ("wong", "crown"): (32, 3),
    ("yale", "interval"): (4, 3),
    ("yale", "crown_interval"): (4, 3),
    ("fashion_mnist", "interval"): (32, 3),
    ("fashion_mnist", "crown_interval"): (32, 3),
}
RUNS = ("pgd", "trades", "ibp", "duality")


def build(name: str) -> nn.Module:
    """A network in evaluation mode."""
    if name == "wong":
        torch.manual_seed(0)
        layers = [nn.Conv2d(1, 16, 4, 2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, padding=1), nn.ReLU()]
        return nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, CLASSES)
        ).requires_grad_(False)
    architectures = {
        "yale": YaleNet(name="yale_net"),
        "fashion_mnist": FashionMNISTNet(name="fashion_mnist_net", width=64),
    }
    architecture = architectures.get(name, SmallCNN(name="small_cnn", width=16))
    network = build_network(architecture, SHAPES.get(name, DIGITS), CLASSES, seed=0).eval().requires_grad_(False)
    weights = Path(f"results/models/digits/{name}/seed0/model.safetensors")
    if weights.exists():
        network.load_state_dict(load_weights(weights))
    return network


def drawn(name: str, images: int) -> tuple[Tensor, Tensor]:
    """Random images and labels."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand((images, *SHAPES.get(name, DIGITS)), generator=generator)
    return pixels, torch.randint(CLASSES, (images,), generator=generator)


def measure(name: str, verifier: str) -> None:
    """Print one row of the table of verifiers."""
    images, rounds = CASES[name, verifier]
    network, (pixels, labels) = build(name), drawn(name, images)
    ball, bound = Interval.around(pixels, EPSILON, clip_pixels=True), VERIFIERS[verifier]
    network(pixels)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bound(network, ball, labels)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    forward, bounding = medians([lambda: network(pixels), lambda: bound(network, ball, labels)], rounds)
    estimated = costs(network, pixels, (verifier,)).seconds[verifier]
    cells = (
        f"{1000 * bounding / images:.3g}",
        f"{estimated:.3g}",
        f"{bounding / forward:.3g}",
        images,
        f"{grown / 1024:.0f}",
    )
    print(f"| {NAMES[name]} | {verifier} | {' | '.join(map(str, cells))} |")


def compare() -> None:
    """Print a row for each other project's bounds on the same network, batch and threads, in one run."""
    print("\nOther projects, on the same images in one run, in ms per image:\n")
    print(
        "| network | theirs | ms | ours | ms | theirs / ours | theirs above ours, at most | ours above theirs, at most |"
    )
    print("|---|---|---|---|---|---|---|---|")
    digits = [run for run in RUNS if Path(f"results/models/digits/{run}").is_dir()]
    for name, images in (*((run, 96) for run in digits), ("wong", 20)):
        network, (pixels, labels) = build(name), drawn(name, images)
        ball = Interval.around(pixels, EPSILON, clip_pixels=False)
        _compare(name, "auto_LiRPA's CROWN", _lirpa, "crown", network, ball, labels)
    _compare("wong", "convex_adversarial", _convex_adversarial, "dual", network, ball, labels)


def _compare(name: str, theirs: str, prepare: Callable, ours: str, *given: Any) -> None:
    try:
        bound = prepare(*given)
    except ImportError as error:
        print(f"| {name} | {theirs} | not installed ({error.name}) | {ours} | | | | |")
        return
    difference, images = bound() - VERIFIERS[ours](*given), len(given[2])
    them, us = (1000 * seconds / images for seconds in medians([bound, lambda: VERIFIERS[ours](*given)], 3))
    excess = f"{difference.max():.1e} | {-difference.min():.1e}"
    print(f"| {name} | {theirs} | {them:.3g} | {ours} | {us:.3g} | {them / us:.2g} | {excess} |")


def _lirpa(network: nn.Module, ball: Interval, labels: Tensor) -> Callable[[], Tensor]:
    return partial(lirpa_bounds, bounded(network, ball.centre), ball, labels, CLASSES, "CROWN")


def _convex_adversarial(network: nn.Module, ball: Interval, labels: Tensor) -> Callable[[], Tensor]:
    import_module("convex_adversarial")  # so that it is missed here

    return partial(convex_adversarial_bounds, network, ball.centre, labels, CLASSES, EPSILON)


def medians(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Median seconds of each call, which take turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, own in zip(calls, times, strict=True):
            started = perf_counter()
            call()
            own.append(perf_counter() - started)
    return [median(own) for own in times]


def main() -> None:
    """Print two Markdown tables."""
    print("\nEach verifier on the CPU, with one thread; `estimated` is what `verifiers: auto` takes it to be:\n")
    print("| network | verifier | ms per image | estimated | forward passes | images | MiB at the highest |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        subprocess.run([sys.executable, __file__, *case], check=True)
    compare()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    torch.set_num_threads(1)
    with torch.no_grad():
        measure(*sys.argv[1:]) if len(sys.argv) > 1 else main()
