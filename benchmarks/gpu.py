"""PGD-10 training of CIFAR-sized networks on a GPU: a plain float32 loop against this project's engine. Under ten minutes.

`PYTHONPATH=scripts python benchmarks/gpu.py` prints, for each network and way, images per second, the part of the measured peak of bfloat16 matrix products
that they come to (model FLOP utilisation: the multiplications of all passes, counted by torch), the highest memory, and how long the
paper's CIFAR-10 training would take: 200 epochs of 50,000 images. Nobody has run it on a GPU yet when this was written: please report what it says.
"""

from __future__ import annotations

import gc
import sys
from time import perf_counter

import pandas as pd
import torch
from measure import keep
from torch.utils.flop_counter import FlopCounterMode

from robustmia.config.registry import NETWORKS
from robustmia.models.device import pick_device
from robustmia.models.networks.base import build_network
from robustmia.settings import instantiate
from training import STEPS, variants

CASES = {  # batches as the paper's code and that of TRADES have them
    "wide ResNet 28-10": ({"name": "wide_resnet", "depth": 28, "width": 10}, 128),
    "wide ResNet 16-8 (11 million weights, as ResNet-18)": ({"name": "wide_resnet", "depth": 16, "width": 8}, 128),
}
SECONDS = 15.0  # that each way is timed for
EPOCHS, RECORDS = 200, 50_000
PASSES = (
    2 * STEPS + 3
)  # forward passes that a step's cost is: each attack step has one and as much back, the update thrice one


def peak() -> float:
    """FLOP per second of large bfloat16 matrix products, measured."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    torch.cuda.synchronize()
    started, rounds = perf_counter(), 30
    for _ in range(rounds):
        a @ b
    torch.cuda.synchronize()
    return rounds * 2 * 8192**3 / (perf_counter() - started)


def measure(case: str, most: float) -> pd.DataFrame:
    """A row for each way to train one network."""
    architecture, batch = CASES[case]
    network = instantiate({"class": NETWORKS[architecture["name"]], "settings": architecture})
    model = build_network(network, (3, 32, 32), 10, seed=0).cuda()
    images = torch.rand(batch, 3, 32, 32, device="cuda")
    labels = torch.randint(10, (batch,), device="cuda")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(images)
    flop = PASSES * counter.get_total_flops() / batch
    rows = []
    for name, step in variants(model, images, labels, compiled=True):
        torch.cuda.reset_peak_memory_stats()
        for _ in range(5):  # compiles, and finds the fastest convolutions
            step()
        torch.cuda.synchronize()
        started, steps = perf_counter(), 0
        while perf_counter() - started < SECONDS:
            step()
            torch.cuda.synchronize()
            steps += 1
        per_second = steps * batch / (perf_counter() - started)
        row = {"network": case, "way": name, "images per second": per_second, "MFU": per_second * flop / most}
        row |= {"GiB": torch.cuda.max_memory_allocated() / 2**30, "hours": EPOCHS * RECORDS / per_second / 3600}
        rows.append(row)
        print(row, file=sys.stderr)
        del step
        gc.collect()
        torch.cuda.empty_cache()
    table = pd.DataFrame(rows)
    return table.assign(ratio=table["images per second"] / table["images per second"].iloc[0])


def main() -> None:
    """Print and keep a table."""
    if pick_device().type != "cuda":
        sys.exit("benchmarks/gpu.py: there is no GPU that torch can use here")
    torch.backends.cudnn.benchmark = True
    most = peak()
    print(f"bfloat16 matrix products: {most / 1e12:.0f} TFLOP/s")
    keep("gpu", pd.concat([measure(case, most) for case in CASES]))


if __name__ == "__main__":
    main()
