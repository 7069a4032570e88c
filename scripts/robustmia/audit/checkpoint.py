"""Somebody else's checkpoint: weights are read as tensors alone, and every signal that applies to the model is computed."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from robustmia.audit.predictions import are_probabilities
from robustmia.audit.settings import CheckpointAudit
from robustmia.audit.signal_files import AuditedSignals
from robustmia.audit.split import audited_split
from robustmia.audit.state_dicts import fit_weights
from robustmia.data.records import Records
from robustmia.data.split import duplicates, duplicates_in_words
from robustmia.errors import UserError, first_line, is_out_of_memory
from robustmia.files.signals import SignalLogits
from robustmia.models.device import pick_device
from robustmia.models.networks.base import build_network
from robustmia.models.networks.layers import normalized
from robustmia.signals.base import Signal
from robustmia.signals.target_model import TargetModel

MAX_CLASSES = 100  # up to which signals with an attack for each class are computed


def audited_network(settings: CheckpointAudit, records: Records) -> tuple[nn.Module, list[str]]:
    """The network with the audited weights, in evaluation mode, and notes on how it was put together.

    Raises:
        UserError: it cannot be built, or the weights cannot be read or do not fit.
    """
    network = _built(settings, records)
    notes = _load(network, settings.weights) if settings.weights is not None else []
    if settings.mean:
        if len(settings.mean) != records.image_shape[0]:
            raise UserError(
                f"mean: {len(settings.mean)} numbers, but the images have {records.image_shape[0]} channels; give one for each"
            )
        network = normalized(network, settings.mean, settings.std)
        mean, std = (", ".join(map(str, values)) for values in (settings.mean, settings.std))
        notes.append(f"Each channel is normalised before the network: mean {mean}, standard deviation {std}.")
    return network.eval(), notes


def _built(settings: CheckpointAudit, records: Records) -> nn.Module:
    if not isinstance(settings.model, str):
        return build_network(settings.model, records.image_shape, len(records.class_names), seed=0)
    sys.path.insert(0, str(Path.cwd()))
    try:
        network = resolve_name(settings.model)()
    except Exception as error:  # whatever the user's own code raises
        where = f"; modules are looked for in {Path.cwd()}" if isinstance(error, ModuleNotFoundError) else ""
        raise UserError(
            f"model: {settings.model} fails ({type(error).__name__}: {first_line(error)}){where}"
        ) from error
    if not isinstance(network, torch.nn.Module):
        raise UserError(f"model: {settings.model} returns {type(network).__name__}; it must return a torch.nn.Module")
    return network


def _load(network: nn.Module, path: Path) -> list[str]:
    """Put the weights of a file into the network; a note says what was adapted."""
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # a damaged or forged file fails in many ways, and none of them is told apart for sure
        raise UserError(
            f"weights: {path}: cannot be read as tensors alone ({type(error).__name__}); it is damaged, or holds other things, which are "
            "not unpickled: save model.state_dict()"
        ) from error
    try:
        fit = fit_weights(state, network.state_dict())
        network.load_state_dict(fit.weights)
    except (UserError, RuntimeError) as error:
        raise UserError(f"weights: {path}: {first_line(error)}") from None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return [f"The file of the weights has the SHA-256 digest {digest}."] + (
        [f"The weights were adapted: {fit.in_words}."] if fit.in_words else []
    )


def checkpoint_signals(settings: CheckpointAudit, records: Records, threads: int) -> AuditedSignals:
    """Every signal that applies to the audited model, and notes on those that do not.

    Raises:
        UserError: the model, its weights, the split or the images do not fit each other.
    """
    split, (network, notes) = audited_split(settings, records), audited_network(settings, records)
    target, classes = TargetModel(network, records, split, pick_device(threads), seed=0), len(records.class_names)
    clean = _clean_logits(target, settings.signals["benign"], classes)
    normalises = settings.mean or (not isinstance(settings.model, str) and settings.model.input_mean)
    warnings = [] if normalises else [_not_normalised(clean)]
    if all(are_probabilities(side) for side in (clean.members, clean.nonmembers)):
        target.model = LogProbabilities(target.model).eval()
        clean = _clean_logits(target, settings.signals["benign"], classes)
        warnings.append(
            "The network returns probabilities. Their logarithms are used as logits; in float32 they saturate, so that scores are tied "
            "and attacks on the images lose their gradients. Take the softmax off the network if you can."
        )
    warnings += _near_chance(clean)
    if len(copies := duplicates(records.images, split.members, split.nonmembers)):
        warnings.append(duplicates_in_words(len(copies), len(split.nonmembers)))
    signals, outputs = {"benign": clean}, clean.members.shape[1]
    for name, signal in settings.signals.items():
        if signal.one_attack_per_class and outputs > MAX_CLASSES:
            notes.append(f"No {name} signal: an attack towards each of {outputs} classes is too expensive.")
        elif name not in signals:
            try:
                signal = target.fitted(signal)
                signals[name] = target.logits(signal)
            except UserError as error:
                notes.append(f"No {name} signal: {error}.")
            else:
                notes.append(f"The {name} signal: {signal.in_words()}.")
    warnings += _nothing_verified(signals)
    rows = np.concatenate([split.members, split.nonmembers])
    names = rows.astype(str) if records.names is None else records.names[rows]
    return AuditedSignals(signals, rows.tolist(), names.tolist(), warnings, notes)


class LogProbabilities(nn.Module):
    """Logits of a network that returns probabilities: their logarithms."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        probabilities = self.network(images)
        return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()


def _not_normalised(clean: SignalLogits) -> str:
    members, nonmembers = (100 * side.mean() for side in _right(clean))
    return (
        f"The network is given pixels in [0, 1] as they are. So it classifies {members:.1f} % of the members and {nonmembers:.1f} % of the non-members "
        "correctly; if it is known to do better, it was trained on normalised images, and what follows is wrong until mean and std are given."
    )


def _near_chance(clean: SignalLogits) -> list[str]:
    """A warning where the model knows hardly more than how frequent the classes are."""
    labels = np.concatenate([clean.member_labels, clean.nonmember_labels])
    right = np.concatenate(_right(clean)).mean()
    chance = np.bincount(labels).max() / len(labels)
    if right > chance + max(0.05, 3.0 * np.sqrt(chance * (1.0 - chance) / len(labels))):
        return []
    return [
        f"The clean accuracy is {100 * right:.1f} %, hardly more than chance ({100 * chance:.1f} %). Probably the images are not "
        "prepared as in its training (mean, std, the order of channels or classes), or the weights are not those of this network."
    ]


def _nothing_verified(signals: dict[str, SignalLogits]) -> list[str]:
    """A warning where bounds were computed in vain."""
    if "verified" not in signals or any(side.any() for side in _right(signals["verified"])):
        return []
    return [
        "The bounds verify no record at this radius: attacks on the verified worst case (I_V) say little of this model."
    ]


def _right(signal: SignalLogits) -> tuple[np.ndarray, np.ndarray]:
    """Which members and which non-members are classified correctly, or verified."""
    return (
        signal.members.argmax(axis=1) == signal.member_labels,
        signal.nonmembers.argmax(axis=1) == signal.nonmember_labels,
    )


def _clean_logits(target: TargetModel, signal: Signal, classes: int) -> SignalLogits:
    try:
        logits = target.logits(signal)
    except (RuntimeError, TypeError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        raise UserError(f"model: does not make logits of these images ({first_line(error)})") from error
    for side in (logits.members, logits.nonmembers):
        if side.ndim != 2 or side.shape[1] < classes or not np.isfinite(side).all():
            raise UserError(f"model: returns shape {list(side.shape)}; finite logits [records, {classes}] are needed")
    return logits
