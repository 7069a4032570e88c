"""Each method's training step against a natural step, on the digits and the Fashion-MNIST network: `make bench`.

A step is the loss, its gradient and the optimiser's update, at full radius and weights, with the settings of the
configuration. One thread, as in the pipeline. `interval bound` is a step on interval bounds alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

import pandas as pd
import torch
import yaml
from measure import compare, keep
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from robustmia.bounds.interval import Interval, interval_bounds
from robustmia.config.reading import read_config
from robustmia.config.registry import METHODS
from robustmia.methods.base import Progress
from robustmia.models.device import generator_for, pick_device
from robustmia.models.networks.base import build_network
from robustmia.training.optimizers import SGD

ROOT = Path(__file__).parent.parent
LATE = Progress(10_000.0, 10_001)


def measure(
    dataset: str, config: str, image: tuple[int, int, int], *, width: int | None, batch: int, rounds: int
) -> pd.DataFrame:
    """A row for each run of a data set, and one for a step on interval bounds alone."""
    raw = yaml.safe_load((ROOT / config).read_text())
    settings = read_config({"datasets": {dataset: raw["datasets"][dataset]}}).datasets[dataset]
    architecture = settings.architecture.model_copy(update={} if width is None else {"width": width})
    device = pick_device(threads=1)
    generator = generator_for(device, 0, "benchmark")
    images = torch.rand((batch, *image), generator=generator, device=device)
    labels = torch.randint(10, (batch,), generator=generator, device=device)

    def step_of(loss: Callable[[nn.Module], Tensor]) -> Callable[[], None]:
        model = settings.engine.place(build_network(architecture, image, 10, seed=0), device, image)
        optimizer = SGD(name="sgd", learning_rate=1e-4).build(model.parameters())

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            loss(model).backward()
            optimizer.step()

        return step

    def by_method(run: str) -> Callable[[nn.Module], Tensor]:
        method = settings.runs[run].method
        method = resolve_name(METHODS[method.name])(**method.model_dump())
        return lambda model: method.loss(model, images, labels, LATE, generator).loss

    def on_interval_bounds(model: nn.Module) -> Tensor:
        return cross_entropy(interval_bounds(model, Interval.around(images, 0.1, clip_pixels=True), labels), labels)

    steps = {run: step_of(by_method(run)) for run in settings.runs}
    table = compare(dataset, steps | {"interval bound": step_of(on_interval_bounds)}, rounds, baseline="natural")
    return table.assign(natural_steps=1.0 / table.ratio)


if __name__ == "__main__":
    digits = measure("digits", "config.yaml", (1, 8, 8), width=None, batch=64, rounds=40)
    fashion = measure("fashion_mnist", "configs/paper/fashion_mnist.yaml", (1, 28, 28), width=64, batch=32, rounds=3)
    keep("steps", pd.concat([digits, fashion]))
