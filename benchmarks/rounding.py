"""How far rounding moves bounds, float32 beside float64: `PYTHONPATH=scripts python benchmarks/rounding.py [results]`.

For the models that `make run` left, and for the other data sets' networks with random weights. `alpha_crown` is not among them: it takes
other steps in float64, and for given slopes it computes what `crown` does.
"""

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
from robustmia.models.networks.fashion_mnist_net import FashionMNISTNet
from robustmia.models.networks.small_cnn import SmallCNN
from robustmia.models.networks.wide_resnet import WideResNet
from robustmia.models.networks.yale_net import YaleNet

EPSILON, RECORDS = 0.1, 128
RELATIONAL = ("crown_interval", "dual", "crown")
OTHERS = {
    "yale_net": (YaleNet(name="yale_net"), (1, 192, 168)),
    "fashion_mnist_net": (FashionMNISTNet(name="fashion_mnist_net", width=64), (1, 28, 28)),
    "wide_resnet": (WideResNet(name="wide_resnet", depth=10, width=2), (3, 32, 32)),
}


def errors(
    model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, names: tuple[str, ...]
) -> dict[str, float]:
    """The largest difference of a bound by each verifier, as a fraction of the largest bound of its record."""
    twice = copy.deepcopy(model).double()
    ball = Interval.around(images, EPSILON, clip_pixels=True)
    exact_ball = Interval(ball.centre.double(), ball.radius.double())
    found = {}
    for name in names:
        bounds = VERIFIERS[name]
        exact, rounded = bounds(twice, exact_ball, labels), bounds(model, ball, labels)
        found[name] = float(((rounded - exact).abs().amax(1) / exact.abs().amax(1)).max())
    return found


def main() -> None:
    """Print a Markdown table."""
    results, names = Path(sys.argv[1] if len(sys.argv) > 1 else "results"), ("interval", *RELATIONAL)
    print(f"| model | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for weights in sorted((results / "models/digits").glob("*/seed*/model.safetensors")):
        run, seed = weights.parts[-3:-1]
        records = Records.load(results / "data/digits/dataset.npz")
        rows = Split.load(results / f"data/digits/split_{seed}.npz").nonmembers[:RECORDS]
        model = build_network(SmallCNN(name="small_cnn", width=16), records.image_shape, 10, seed=0).eval()
        model.load_state_dict(load_weights(weights))
        images, labels = to_pixels(torch.from_numpy(records.images[rows])), torch.from_numpy(records.labels[rows])
        _print(f"{run}, {seed}", errors(model, images, labels, names))
    for name, (architecture, shape) in OTHERS.items():
        model = build_network(architecture, shape, 10, seed=0).eval()
        images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
        _print(f"{name}, random", errors(model, images, torch.tensor([0, 1]), names[:2]))


def _print(name: str, found: dict[str, float]) -> None:
    print(f"| {name} | {' | '.join(f'{error:.1e}' for error in found.values())} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        main()
