"""How far rounding moves bounds: float32 beside float64, for the models of `make run`: `python benchmarks/rounding.py [results]`."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import torch

from robustmia.bounds.interval import Interval
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.files.weights import load_weights
from robustmia.models.device import to_pixels
from robustmia.models.networks.base import build_network
from robustmia.models.networks.small_cnn import SmallCNN

EPSILON, RECORDS = 0.1, 128


def errors(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """The largest difference of a bound, as a fraction of the largest bound of its record."""
    twice = copy.deepcopy(model).double()
    ball = Interval.around(images, EPSILON, clip_pixels=True)
    exact_ball = Interval(ball.centre.double(), ball.radius.double())
    found = {}
    for name, bounds in VERIFIERS.items():
        exact, rounded = bounds(twice, exact_ball, labels), bounds(model, ball, labels)
        found[name] = float(((rounded - exact).abs().amax(1) / exact.abs().amax(1)).max())
    return found


def main() -> None:
    """Print a Markdown table."""
    results = Path(sys.argv[1] if len(sys.argv) > 1 else "results")
    print(f"| model | {' | '.join(VERIFIERS)} |\n|---|{'---|' * len(VERIFIERS)}")
    for weights in sorted((results / "models/digits").glob("*/seed*/model.safetensors")):
        run, seed = weights.parts[-3:-1]
        records = Records.load(results / "data/digits/dataset.npz")
        rows = Split.load(results / f"data/digits/split_{seed}.npz").nonmembers[:RECORDS]
        model = build_network(SmallCNN(name="small_cnn", width=16), records.image_shape, 10, seed=0).eval()
        model.load_state_dict(load_weights(weights))
        images, labels = to_pixels(torch.from_numpy(records.images[rows])), torch.from_numpy(records.labels[rows])
        with torch.no_grad():
            found = errors(model, images, labels)
        print(f"| {run}, {seed} | {' | '.join(f'{error:.1e}' for error in found.values())} |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
