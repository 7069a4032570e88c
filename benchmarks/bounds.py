"""Time and memory of each verifier for an image, on two networks: `make bench`.

One thread, as in the pipeline. Each verifier is timed in turn with a plain forward pass of the same images, over several
rounds, and medians are compared. Memory is what the process grew by at its highest, in a process of its own for each row.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median
from time import perf_counter

import torch

from robustmia.bounds.interval import Interval
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.models.networks.base import build_network
from robustmia.models.networks.fashion_mnist_net import FashionMNISTNet
from robustmia.models.networks.small_cnn import SmallCNN

MEMORY = 32 * 2**20
NETWORKS = {
    "digits": (SmallCNN(name="small_cnn", width=16), (1, 8, 8), 0.1),
    "fashion_mnist": (FashionMNISTNet(name="fashion_mnist_net", width=64), (1, 28, 28), 0.1),
}
CASES = {  # images and rounds, so that a row takes seconds; one image's `dual` on the larger network would take an hour
    ("digits", "interval"): (256, 20),
    ("digits", "zonotope"): (256, 5),
    ("digits", "interval_dual"): (256, 10),
    ("digits", "dual"): (256, 3),
    ("fashion_mnist", "interval"): (32, 5),
    ("fashion_mnist", "zonotope"): (1, 1),
    ("fashion_mnist", "interval_dual"): (32, 3),
}


def measure(name: str, verifier: str) -> None:
    """Print one row of the table."""
    images, rounds = CASES[name, verifier]
    architecture, shape, epsilon = NETWORKS[name]
    torch.set_num_threads(1)
    network = build_network(architecture, shape, 10, seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    pixels, labels = (
        torch.rand((images, *shape), generator=generator),
        torch.randint(10, (images,), generator=generator),
    )
    ball, bound = Interval.around(pixels, epsilon, clip_pixels=True), VERIFIERS[verifier]
    with torch.no_grad():
        network(pixels)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        bound(network, ball, labels, MEMORY)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        forward, bounding = [], []
        for _ in range(rounds):
            forward.append(_seconds(lambda: network(pixels)))
            bounding.append(_seconds(lambda: bound(network, ball, labels, MEMORY)))
    per_image = 1000 * median(bounding) / images
    print(
        f"| {name} | {verifier} | {per_image:.3g} | {median(bounding) / median(forward):.3g} | {images} | {grown / 1024:.0f} |"
    )


def _seconds(call) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def main() -> None:
    """Print a Markdown table."""
    print(f"\nEach verifier with {MEMORY // 2**20} MiB for its parts, on the CPU:\n")
    print(
        "| network | verifier | ms per image | forward passes | images | MiB at the highest |\n|---|---|---|---|---|---|"
    )
    for case in CASES:
        subprocess.run([sys.executable, __file__, *case], check=True)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    measure(*sys.argv[1:]) if len(sys.argv) > 1 else main()
