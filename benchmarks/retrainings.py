"""Many cheap trainings on digits, for experiments on what training again changes: used by `null.py` and `shadow_sets.py`.

A small network is trained for a few epochs, many models at once. Their signals are kept in files that are named after what was trained, so
that an experiment that was interrupted, or that is analysed in another way, trains nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from robustmia.config.registry import METHODS, NETWORKS, OPTIMIZERS, SCHEDULES
from robustmia.data.digits import Digits
from robustmia.data.records import Records
from robustmia.data.split import Split, draw_split
from robustmia.inference.attack_scores import EvaluationSet, threshold_all
from robustmia.inference.attacks.base import Attack, Observation, run_attacks
from robustmia.inference.record_results import RecordResults
from robustmia.models.ensemble import Ensemble
from robustmia.settings import SplitSettings
from robustmia.signals.adversarial import Adversarial
from robustmia.signals.benign import Benign
from robustmia.signals.target_model import TargetModel
from robustmia.training.ensemble import ensemble_trainer
from robustmia.training.loop import Trainer
from robustmia.workflow.code_digest import digest

EPSILON = 0.1
EPOCHS = 30
WIDTH = 8
METHOD_SETTINGS = {"natural": {}, "pgd": {"epsilon": EPSILON, "steps": 3}}
SIGNALS = (Benign(name="benign"), Adversarial(name="adversarial", epsilon=EPSILON, steps=10))
TRAINED_AT_ONCE = 40


@dataclass(frozen=True)
class Training:
    """One model to train: its seed, and the records that it is trained on."""

    seed: int
    split: Split


def digits() -> Records:
    """The records of digits."""
    return Digits(name="digits").load(Path())


def half(records: Records, seed: int) -> Split:
    """The split of a seed, as in the pipeline: half of each class."""
    return draw_split(records, SplitSettings(member_fraction=0.5), seed)


def training_spec(method: str, settings: dict, architecture: dict, epochs: int, learning_rate: float) -> dict:
    """What `Trainer` takes, but for a seed."""
    return {
        "architecture": {"class": NETWORKS[architecture["name"]], "settings": architecture},
        "method": {"class": METHODS[method], "settings": {"name": method, **settings}},
        "training": {
            "epochs": epochs,
            "batch_size": 64,
            "optimizer": {"class": OPTIMIZERS["sgd"], "settings": {"name": "sgd", "learning_rate": learning_rate}},
            "schedule": {"class": SCHEDULES["one_cycle"], "settings": {"name": "one_cycle", "start": 0.1, "peak": 0.3}},
        },
    }


def signals_of(method: str, trainings: Sequence[Training], records: Records, folder: Path) -> dict[str, np.ndarray]:
    """Signals of models that are trained here, or that were trained before.

    Args:
        method: `natural` or `pgd`.
        trainings: the models; those with equal numbers of members are trained together.
        records: of digits.
        folder: where the signals are kept.

    Returns:
        `benign` and `adversarial`: logits float32 [T, N, K] of all records in their order; `is_member` bool [T, N].
    """
    spec = training_spec(method, METHOD_SETTINGS[method], {"name": "small_cnn", "width": WIDTH}, EPOCHS, 0.05)
    which = digest(spec, [[one.seed, one.split.members.tolist()] for one in trainings])
    file = folder / f"{method}-{which}.npz"
    if file.exists():
        return dict(np.load(file))
    sizes: dict[int, list[int]] = {}
    for number, training in enumerate(trainings):
        sizes.setdefault(len(training.split.members), []).append(number)
    arrays: dict[str, np.ndarray] = {}
    for numbers in sizes.values():
        for start in range(0, len(numbers), TRAINED_AT_ONCE):
            together = numbers[start : start + TRAINED_AT_ONCE]
            for name, values in _train(spec, [trainings[number] for number in together], records, file).items():
                arrays.setdefault(name, np.empty((len(trainings), *values.shape[1:]), values.dtype))[together] = values
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, **arrays)
    return arrays


def _train(spec: dict, trainings: Sequence[Training], records: Records, file: Path) -> dict[str, np.ndarray]:
    device = torch.device("cpu")
    trainers = [
        Trainer.of_spec(spec | {"seed": one.seed}, records, one.split, file.with_suffix(f".{n}.pt"), device, str(n))
        for n, one in enumerate(trainings)
    ]
    together = ensemble_trainer(trainers, file.stem)
    network, _ = together.run()
    together.checkpoint.discard()
    assert isinstance(network, Ensemble)
    for number, trainer in enumerate(trainers):
        trainer.model.load_state_dict(network.state_of(number))
    arrays = {signal.name: [] for signal in SIGNALS} | {"is_member": []}
    for one, trainer in zip(trainings, trainers, strict=True):
        target = TargetModel(trainer.model, records, one.split, device, one.seed)
        rows = np.concatenate([one.split.members, one.split.nonmembers])
        order = np.argsort(rows)
        for signal in SIGNALS:
            logits = target.logits(signal)
            arrays[signal.name].append(np.concatenate([logits.members, logits.nonmembers])[order])
        arrays["is_member"].append(np.isin(np.arange(len(records.labels)), one.split.members))
    return {name: np.stack(values) for name, values in arrays.items()}


def attacked(
    logits: dict[str, np.ndarray],
    split: Split,
    labels: np.ndarray,
    attacks: Sequence[Attack],
    shadows: dict[str, np.ndarray] | None = None,
) -> RecordResults:
    """Attacks on one model under every threshold rule.

    Args:
        logits: by signal, [N, K] of all records in their order.
        split: of the model.
        labels: of all records, [N].
        attacks: those that are run.
        shadows: what `signals_of` returns for shadow models, if there are any.
    """
    rows = np.concatenate([split.members, split.nonmembers])
    in_mask = shadows["is_member"][:, rows] if shadows else None
    records = EvaluationSet(np.arange(len(rows)) < len(split.members), labels[rows], in_mask)
    seen = [
        Observation(signal.name, logits[signal.name][rows], records, shadows[signal.name][:, rows] if shadows else None)
        for signal in SIGNALS
    ]
    return RecordResults.of(rows, threshold_all(run_attacks(attacks, seen)), records)
