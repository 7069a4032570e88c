"""Each method's training step against a natural step, on the default network and batch: `make bench`.

Times are taken in turn, several rounds of all methods, and the ratio of the medians is reported, so that a noisy machine
slows all of them alike. One thread, as in the pipeline.
"""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from statistics import median
from time import perf_counter

import torch
import yaml

from robustmia.config import read_config
from robustmia.data.split import draw_split
from robustmia.device import generator_for, pick_device, to_device, to_pixels
from robustmia.methods.base import Progress
from robustmia.models import build_network
from robustmia.registry import METHODS

ROUNDS, STEPS = 15, 10


def main() -> None:
    """Print a Markdown table."""
    config = read_config(yaml.safe_load((Path(__file__).parent.parent / "config.yaml").read_text()))
    digits = config.datasets["digits"]
    device = pick_device(threads=1)
    records = digits.source.load(config.data_dir)
    members = draw_split(records, digits.split, seed=0).members
    images, labels = to_device(records, members[: digits.training.batch_size], device)
    pixels, generator = to_pixels(images), generator_for(device, 0, "benchmark")
    seconds: dict[str, list[float]] = {run: [] for run in digits.runs}
    models = {run: build_network(digits.architecture.model_dump(), records.image_shape, 10, seed=0) for run in seconds}
    for _ in range(ROUNDS):
        for run, settings in digits.runs.items():
            method = resolve_name(METHODS[settings.method.name])(**settings.method.model_dump())
            started = perf_counter()
            for _ in range(STEPS):
                models[run].zero_grad()
                method.loss(models[run], pixels, labels, Progress(1.0, 10), generator).loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[run].append((perf_counter() - started) / STEPS)
    natural = median(seconds["natural"])
    print(f"batch of {len(labels)}, {digits.architecture.name} of width {digits.architecture.width}, {device}\n")
    print("| method | ms per step | natural steps |\n|---|---|---|")
    for run, times in seconds.items():
        print(f"| {run} | {1000 * median(times):.1f} | {median(times) / natural:.1f} |")


if __name__ == "__main__":
    main()
