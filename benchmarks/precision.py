"""Whether training and attacking in bfloat16 moves accuracies or leakage: `python benchmarks/precision.py DATA_DIR`, fifteen minutes on one core.

Trains small networks on 1,000 images of Fashion-MNIST (whose files are in DATA_DIR as torchvision lays them out), by natural and by PGD
training, in float32 and in bfloat16 with the same seeds. Prints the mean difference of each number, its 95 % t interval over the
seeds, and the standard deviation over seeds in float32, which is what training again changes anyway.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measure import keep
from retrainings import training_spec
from scipy.stats import t

from robustmia.data.fashion_mnist import FashionMNIST
from robustmia.data.records import Records
from robustmia.data.split import draw_split
from robustmia.inference.metrics import auc
from robustmia.inference.scores import log_odds
from robustmia.models.device import pick_device
from robustmia.models.engine import Engine
from robustmia.settings import SplitSettings
from robustmia.signals.adversarial import Adversarial
from robustmia.signals.benign import Benign
from robustmia.signals.target_model import TargetModel
from robustmia.training.loop import Trainer

SEEDS, EPOCHS, EPSILON = range(8), 30, 0.03
LEARNING_RATE = 0.02
METHODS = {"natural": {}, "pgd": {"epsilon": EPSILON, "steps": 5}}
SIGNALS = {
    "benign": Benign(name="benign"),
    "adversarial": Adversarial(name="adversarial", epsilon=EPSILON, steps=10),
}


def measurements(records: Records, method: str, precision: str, seed: int) -> dict[str, float]:
    """Accuracies of one model on its members and on others, and how well both are told apart."""
    device = pick_device(threads=1)
    architecture = {"name": "fashion_mnist_net", "width": 16}
    spec = training_spec(method, METHODS[method], architecture, EPOCHS, LEARNING_RATE)
    spec |= {"seed": seed, "engine": {"precision": precision}}
    split = draw_split(records, SplitSettings(member_fraction=0.5, max_members=1000, max_nonmembers=1000), seed)
    with tempfile.TemporaryDirectory() as folder:
        model, _ = Trainer.of_spec(spec, records, split, Path(folder) / "c.pt", device, f"{method} {seed}").run()
    target = TargetModel(model, records, split, device, seed, engine=Engine(precision=precision))
    found = {}
    for name, signal in SIGNALS.items():
        seen = target.logits(signal)
        sides = ((seen.members, seen.member_labels), (seen.nonmembers, seen.nonmember_labels))
        accuracies = [float((logits.argmax(1) == labels).mean()) for logits, labels in sides]
        found |= dict(zip((f"{name} train accuracy", f"{name} test accuracy"), accuracies, strict=True))
        found[f"AUC of the {name} signal"] = auc(*(log_odds(logits, labels) for logits, labels in sides))
    return found


def main(data_dir: Path) -> None:
    """Print and keep a table."""
    records, rows = FashionMNIST(name="fashion_mnist").load(data_dir), []
    for method in METHODS:
        found = {
            precision: pd.DataFrame([measurements(records, method, precision, seed) for seed in SEEDS])
            for precision in ("float32", "bfloat16")
        }
        difference = found["bfloat16"] - found["float32"]
        half = t.isf(0.025, len(SEEDS) - 1) * difference.std() / np.sqrt(len(SEEDS))
        table = pd.DataFrame(
            {
                "float32": found["float32"].mean(),
                "sd over seeds": found["float32"].std(),
                "bfloat16": found["bfloat16"].mean(),
                "difference": difference.mean(),
                "low": difference.mean() - half,
                "high": difference.mean() + half,
            }
        )
        rows.append(table.rename_axis("number").reset_index().assign(method=method))
        print(rows[-1].to_string(), file=sys.stderr)
    keep("precision", pd.concat(rows)[["method", *rows[0].columns[:-1]]])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
