"""Bias and spread of the loss that Cauchy projections estimate, for several estimators: `python benchmarks/projections.py results`.

The project's estimator is one sketch of all errors with the lower median. Beside it: the mean of both middle values, the geometric mean
without its bias (Li, Hastie and Church 2007), and a sketch for the pixels and each ReLU apart, as Wong et al. (2018) have it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from robustmia.bounds.backward import Relaxed
from robustmia.bounds.crown import UNLIMITED, dual_bounds, linear_margins
from robustmia.bounds.interval import Interval
from robustmia.bounds.projections import cauchy
from robustmia.bounds.tracing import read_graph
from robustmia.data.digits import Digits
from robustmia.files.weights import load_weights
from robustmia.models.networks.base import build_network
from robustmia.models.networks.small_cnn import SmallCNN

RECORDS, COUNT, DRAWS = 64, 10, 20
MODELS = (("duality", 0.1), ("ibp", 0.1), ("natural", 0.05))
Estimator = Callable[[Tensor], Tensor]
ESTIMATORS: dict[str, Estimator] = {
    "lower median": lambda values: values.median(0).values,
    "mean of both middle values": lambda values: values.quantile(0.5, dim=0),
    "geometric mean": lambda values: values.log().mean(0).exp() * np.cos(np.pi / 2 / len(values)) ** len(values),
}


@dataclass(frozen=True)
class Sketches:
    """As the project's sketch, with any estimator, and joint or not."""

    value: Tensor
    parts: tuple[Tensor, ...]
    relaxed: Relaxed
    generator: torch.Generator
    estimator: Estimator
    joined: bool

    def affine(self, layer: Any) -> Sketches:
        """After an affine layer."""
        parts = tuple(layer.linear(part.flatten(0, 1)).unflatten(0, part.shape[:2]) for part in self.parts)
        return replace(self, value=layer(self.value), parts=parts)

    def nonlinear(self, layer: Any, node: int) -> Sketches:
        """After a ReLU."""
        radius = torch.stack([self.estimator(part.abs()) for part in self.parts]).sum(0)
        inputs = Interval(self.value, radius)
        lines = layer.lines(inputs.low, inputs.high).parallel()
        self.relaxed.add(node, lines)
        width = 0.5 * lines.upper_shift
        parts, new = [lines.upper_slope * part for part in self.parts], cauchy(width, COUNT, self.generator)
        parts = [parts[0] + new] if self.joined else [*parts, new]
        return replace(self, value=lines.upper_slope * self.value + width, parts=tuple(parts))


@torch.no_grad()
def main(results: Path) -> None:
    """Print a Markdown table."""
    records = Digits(name="digits").load(Path())
    images, labels = torch.tensor(records.images[:RECORDS]) / 255.0, torch.tensor(records.labels[:RECORDS])
    rows = []
    for run, epsilon in MODELS:
        network = build_network(SmallCNN(name="small_cnn", width=16), records.image_shape, 10, seed=0).eval()
        network.load_state_dict(load_weights(results / "models" / "digits" / run / "seed0" / "model.safetensors"))
        ball = Interval.around(images, epsilon, clip_pixels=True)
        exact = cross_entropy(dual_bounds(network, ball, labels), labels)
        for joined in (True, False):
            for name, estimator in ESTIMATORS.items():
                generator, losses = torch.Generator().manual_seed(0), []
                for _ in range(DRAWS):
                    relaxed = Relaxed.over(read_graph(network, images), ball)
                    first = (cauchy(ball.radius, COUNT, generator),)
                    relaxed.graph.propagate(Sketches(images, first, relaxed, generator, estimator, joined))
                    losses.append(float(cross_entropy(linear_margins(relaxed, labels, UNLIMITED), labels) - exact))
                how = "one sketch" if joined else "a sketch for each"
                found = f"{np.mean(losses):+.3f} ± {np.std(losses, ddof=1):.3f}"
                rows.append(
                    {
                        "estimator": f"{name}, {how}",
                        "model": f"{run}, radius {epsilon} (exact loss {exact:.2f})",
                        "bias": found,
                    }
                )
    table = pd.DataFrame(rows).pivot(index="estimator", columns="model", values="bias")
    print(table.loc[list(dict.fromkeys(row["estimator"] for row in rows))].reset_index().to_markdown(index=False))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
