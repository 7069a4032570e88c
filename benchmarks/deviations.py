"""Two small choices beside the code of TRADES, measured on digits: `python benchmarks/deviations.py`, about ten minutes on one core.

Batch normalisation: its training passes clean images once in a step here, twice in the authors' code, so that running statistics differ.
l2 balls: images are clipped to valid pixels and then projected into the ball, or the other way round.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from retrainings import EPSILON, half, training_spec
from retrainings import digits as load_digits
from torch import Tensor

from robustmia.data.records import Records
from robustmia.inference.metrics import auc
from robustmia.inference.scores import log_odds
from robustmia.methods.trades import TRADES
from robustmia.models import perturbations
from robustmia.signals.adversarial import Adversarial
from robustmia.signals.target_model import TargetModel
from robustmia.training.loop import Trainer

SEEDS = range(4)
CPU = torch.device("cpu")


class Twice(TRADES):
    """TRADES that passes clean images through batch normalisation once more."""

    def loss(self, model, images, *others):
        """The same loss."""
        step = super().loss(model, images, *others)
        with torch.no_grad():
            model(images)
        return step


class ProjectedThenClipped(perturbations.Ball):
    """The other order."""

    def project(self, images: Tensor, centre: Tensor) -> Tensor:
        """Into the ball, then to valid pixels."""
        delta = images - centre
        length = delta.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp(min=1e-30)
        return (centre + delta * (self.epsilon / length).clamp(max=1.0)).clamp(0.0, 1.0)


def trained(records: Records, method: type[TRADES], architecture: dict, epochs: int, seed: int) -> TargetModel:
    """A model of one seed, with the records of its split."""
    settings = {"epsilon": EPSILON, "steps": 4}
    spec = training_spec("trades", settings, architecture, epochs, 0.1) | {"seed": seed}
    split = half(records, seed)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer.of_spec(spec, records, split, Path(folder) / "c.pt", CPU, f"seed {seed}")
        trainer.method = method(name="trades", **settings)
        model, _ = trainer.run()
    return TargetModel(model, records, split, CPU, seed)


def batch_normalisation(records: Records) -> pd.DataFrame:
    """Robust accuracies and the AUC of I_A of small wide ResNets, mean and standard deviation over seeds."""
    rows = []
    for name, method in (("once", TRADES), ("twice", Twice)):
        found = []
        for seed in SEEDS:
            target = trained(records, method, {"name": "wide_resnet", "depth": 10, "width": 1}, 12, seed)
            signal = target.logits(Adversarial(name="adversarial", epsilon=EPSILON, steps=10))
            members, nonmembers = (
                log_odds(logits, labels)
                for logits, labels in (
                    (signal.members, signal.member_labels),
                    (signal.nonmembers, signal.nonmember_labels),
                )
            )
            correct = [
                (signal.members.argmax(1) == signal.member_labels).mean(),
                (signal.nonmembers.argmax(1) == signal.nonmember_labels).mean(),
            ]
            found.append([*correct, auc(members, nonmembers)])
        mean, deviation = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
        cells = [f"{m:.3f} ± {d:.3f}" for m, d in zip(mean, deviation, strict=True)]
        rows.append([name, *cells])
    columns = ["clean passes", "adv. train accuracy", "adv. test accuracy", "AUC of I_A"]
    return pd.DataFrame(rows, columns=columns)


def l2_order(records: Records) -> pd.DataFrame:
    """Losses that PGD reaches in l2 balls by either order, on a model trained with TRADES."""
    network = trained(records, TRADES, {"name": "small_cnn", "width": 16}, 20, 0).model
    images, labels = torch.tensor(records.images[:400]) / 255.0, torch.tensor(records.labels[:400])
    rows = []
    for radius in (0.3, 0.6):
        for name, ball in (("clip, then project", perturbations.Ball), ("project, then clip", ProjectedThenClipped)):
            objective = perturbations.cross_entropy_loss(labels)
            found = perturbations.pgd(
                network, images, objective, ball("l2", radius), steps=7, step_size=2.5 * radius / 7, start="clean"
            )
            distance = (found - images).flatten(1).norm(dim=1)
            loss = objective(perturbations.predict(network, found)).mean()
            rows.append([radius, name, float(loss), float((distance > 0.999 * radius).float().mean())])
    return pd.DataFrame(rows, columns=["radius", "order", "loss", "part of the images at the radius"])


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    records = load_digits()
    print(l2_order(records).to_markdown(index=False, floatfmt=".4f"), "\n", flush=True)
    print(batch_normalisation(records).to_markdown(index=False))


if __name__ == "__main__":
    main()
