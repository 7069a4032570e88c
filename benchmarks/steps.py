"""Each method's training step against a natural step, on the digits and the Fashion-MNIST network: `make bench`.

A step is the loss, its gradient and the optimiser's update, at full radius and weights, with the settings of the
configuration. Times are taken in turn, several rounds of all methods, and the ratio of the medians is reported, so that a
noisy machine slows all of them alike. One thread, as in the pipeline. `interval bound` is a step on interval bounds alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from statistics import median
from time import perf_counter

import torch
import yaml
from torch.nn.functional import cross_entropy

from robustmia.bounds.interval import Interval, interval_bounds
from robustmia.config.reading import read_config
from robustmia.config.registry import METHODS
from robustmia.methods.base import Progress
from robustmia.models.device import generator_for, pick_device
from robustmia.models.networks.base import build_network

ROOT = Path(__file__).parent.parent
LATE = Progress(10_000.0, 10_001)


def main() -> None:
    """Print a Markdown table for each network."""
    measure("digits", "config.yaml", (1, 8, 8), width=None, batch=64, rounds=15, steps=10)
    measure("fashion_mnist", "configs/fashion_mnist.yaml", (1, 28, 28), width=64, batch=32, rounds=3, steps=1)


def measure(
    dataset: str, config: str, image: tuple[int, int, int], *, width: int | None, batch: int, rounds: int, steps: int
) -> None:
    """One table: a row for each run of a data set, and one for a step on interval bounds alone."""
    raw = yaml.safe_load((ROOT / config).read_text())
    settings = read_config({"datasets": {dataset: raw["datasets"][dataset]}}).datasets[dataset]
    architecture = settings.architecture.model_copy(update={} if width is None else {"width": width})
    device = pick_device(threads=1)
    generator = generator_for(device, 0, "benchmark")
    images = torch.rand((batch, *image), generator=generator, device=device)
    labels = torch.randint(10, (batch,), generator=generator, device=device)

    def step_of(loss: Callable[[torch.nn.Module], torch.Tensor]) -> Callable[[], None]:
        model = build_network(architecture, image, 10, seed=0).to(device)
        optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9)

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            loss(model).backward()
            optimizer.step()

        return step

    def by_method(run: str) -> Callable[[torch.nn.Module], torch.Tensor]:
        method = settings.runs[run].method
        method = resolve_name(METHODS[method.name])(**method.model_dump())
        return lambda model: method.loss(model, images, labels, LATE, generator).loss

    def on_interval_bounds(model: torch.nn.Module) -> torch.Tensor:
        return cross_entropy(interval_bounds(model, Interval.around(images, 0.1, clip_pixels=True), labels), labels)

    all_steps = {run: step_of(by_method(run)) for run in settings.runs}
    all_steps["interval bound"] = step_of(on_interval_bounds)
    seconds: dict[str, list[float]] = {name: [] for name in all_steps}
    for _ in range(rounds):
        for name, step in all_steps.items():
            step()
            started = perf_counter()
            for _ in range(steps):
                step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append((perf_counter() - started) / steps)
    natural = median(seconds["natural"])
    print(f"\nbatch of {batch}, {architecture.name} of width {architecture.width}, {device}\n")
    print("| method | ms per step | natural steps |\n|---|---|---|")
    for name, times in seconds.items():
        print(f"| {name} | {1000 * median(times):.1f} | {median(times) / natural:.1f} |", flush=True)


if __name__ == "__main__":
    main()
