"""Time and memory of each verifier, and of other projects' where they are installed: `make bench`.

One thread, as in the pipeline. Each verifier is timed in turn with a plain forward pass of the same images. Memory is what the process grew by at its highest, in a process of its own for each row.

The time depends on how many ReLUs are open: the first table's networks have random weights, which leave most of them open; the digits
networks beside other projects' have those that `make run` has left. auto_LiRPA and convex_adversarial are used where they can be imported: put their
checkouts on PYTHONPATH.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from measure import compare, keep
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


def measure(name: str, verifier: str) -> pd.DataFrame:
    """One verifier beside a forward pass: the ratio is of a forward pass to it."""
    images, rounds = CASES[name, verifier]
    network, (pixels, labels) = build(name), drawn(name, images)
    ball, bound = Interval.around(pixels, EPSILON, clip_pixels=True), VERIFIERS[verifier]
    network(pixels)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bound(network, ball, labels)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    calls = {"forward pass": lambda: network(pixels), verifier: lambda: bound(network, ball, labels)}
    row = compare(NAMES[name], calls, rounds).tail(1)
    return row.assign(
        images=images,
        milliseconds_per_image=1000 * row.seconds / images,
        estimated_milliseconds=costs(network, pixels, (verifier,)).seconds[verifier],
        mebibytes=round(grown / 1024),
    )


def beside_others() -> pd.DataFrame:
    """Other projects' bounds on the same network, batch and threads: times, and how far their bounds are from ours."""
    tables = []
    digits = [run for run in RUNS if Path(f"results/models/digits/{run}").is_dir()]
    for name, images in (*((run, 96) for run in digits), ("wong", 20)):
        network, (pixels, labels) = build(name), drawn(name, images)
        ball = Interval.around(pixels, EPSILON, clip_pixels=False)
        theirs = [("auto_LiRPA's CROWN", _lirpa, "crown")]
        theirs += [("convex_adversarial", _convex_adversarial, "dual")] if name == "wong" else []
        tables += [_beside(name, *one, network, ball, labels) for one in theirs]
    return pd.concat(tables)


def _beside(name: str, theirs: str, prepare: Callable, ours: str, *given: Any) -> pd.DataFrame:
    try:
        bound = prepare(*given)
    except ImportError as error:
        print(f"{theirs} is not installed ({error.name})", file=sys.stderr)
        return pd.DataFrame()
    difference, case = bound() - VERIFIERS[ours](*given), f"{name}, {len(given[2])} images"
    table = compare(case, {theirs: bound, ours: lambda: VERIFIERS[ours](*given)}, rounds=3)
    return table.assign(theirs_above=difference.max().item(), ours_above=-difference.min().item())


def _lirpa(network: nn.Module, ball: Interval, labels: Tensor) -> Callable[[], Tensor]:
    return partial(lirpa_bounds, bounded(network, ball.centre), ball, labels, CLASSES, "CROWN")


def _convex_adversarial(network: nn.Module, ball: Interval, labels: Tensor) -> Callable[[], Tensor]:
    import_module("convex_adversarial")  # so that it is missed here
    return partial(convex_adversarial_bounds, network, ball.centre, labels, CLASSES, EPSILON)


def main() -> None:
    """Print and keep two tables."""
    rows = []
    for case in CASES:
        command = [sys.executable, __file__, *case]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    keep("bounds", pd.DataFrame(rows))
    others = beside_others()
    if len(others):
        keep("bounds_of_others", others)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        if len(sys.argv) > 1:
            print(json.dumps(measure(*sys.argv[1:]).iloc[0].to_dict()))
        else:
            main()
