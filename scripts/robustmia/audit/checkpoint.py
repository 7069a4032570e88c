"""Somebody else's checkpoint: weights are read as tensors alone, and every signal that applies to the model is computed."""

from __future__ import annotations

import sys
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from robustmia.audit.predictions import safe_arrays
from robustmia.audit.settings import CheckpointAudit
from robustmia.data.records import Records
from robustmia.data.split import Split, draw_split
from robustmia.errors import UserError, first_line
from robustmia.files.signals import SignalLogits
from robustmia.models.device import pick_device
from robustmia.models.networks.base import build_network
from robustmia.settings import SplitSettings
from robustmia.signals.base import Signal
from robustmia.signals.target_model import TargetModel

MAX_CLASSES = 100  # up to which signals with an attack for each class are computed


def audited_split(settings: CheckpointAudit, records: Records) -> Split:
    """Members and non-members, at most so many of each, drawn with a fixed seed.

    Raises:
        UserError: the split file does not fit the records, or the data set has no training set of its own.
    """
    limits = {"max_members": settings.max_records, "max_nonmembers": settings.max_records}
    if settings.split is None:
        if records.in_training_set is None:
            raise UserError(
                "split: this data set has no training set of its own; name a file with rows members and nonmembers"
            )
        return draw_split(records, SplitSettings(**limits), seed=0)
    arrays = safe_arrays(settings.split)
    sides = []
    for side in ("members", "nonmembers"):
        rows = arrays.get(side)
        if rows is None or rows.ndim != 1 or rows.dtype.kind not in "iu" or len(rows) < 2:
            raise UserError(f"{settings.split}: needs an array {side} of 2 or more row numbers")
        if rows.min() < 0 or rows.max() >= len(records.labels) or len(np.unique(rows)) < len(rows):
            raise UserError(f"{settings.split}: {side} must be different rows in 0 to {len(records.labels) - 1}")
        sides.append(np.random.default_rng(0).permutation(rows)[: settings.max_records].astype(np.int64))
    if len(np.intersect1d(arrays["members"], arrays["nonmembers"])):
        raise UserError(f"{settings.split}: a row is both a member and a non-member")
    return Split(sides[0], sides[1], np.zeros(0, np.int64))


def audited_network(settings: CheckpointAudit, records: Records) -> nn.Module:
    """The network with the audited weights, in evaluation mode.

    Raises:
        UserError: it cannot be built, or the weights cannot be read or do not fit.
    """
    if isinstance(settings.model, str):
        sys.path.insert(0, str(Path.cwd()))
        try:
            network = resolve_name(settings.model)()
        except Exception as error:  # whatever the user's own code raises
            raise UserError(f"model: {settings.model} fails ({type(error).__name__}: {first_line(error)})") from error
        if not isinstance(network, torch.nn.Module):
            raise UserError(
                f"model: {settings.model} returns {type(network).__name__}; it must return a torch.nn.Module"
            )
    else:
        shape, classes = records.image_shape, len(records.class_names)
        network = build_network(settings.model, shape, classes, seed=0)
    state = _safe_weights(settings.weights)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"weights: {settings.weights} does not fit {settings.model} ({reason})") from None
    return network.eval()


def _safe_weights(path: Path) -> dict:
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # a damaged or forged file fails in many ways, and none of them is told apart for sure
        raise UserError(
            f"weights: {path}: cannot be read as tensors alone ({type(error).__name__}); it is damaged, or holds other things, which are "
            "not unpickled: save model.state_dict()"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not (isinstance(state, dict) and state and all(isinstance(value, torch.Tensor) for value in state.values())):
        raise UserError(f"weights: {path}: not a state dict of tensors; save model.state_dict()")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def checkpoint_signals(
    settings: CheckpointAudit, records: Records, threads: int
) -> tuple[dict[str, SignalLogits], list[str]]:
    """Every signal that applies to the audited model, and notes on those that do not.

    Raises:
        UserError: the model, its weights, the split or the images do not fit each other.
    """
    split, network = audited_split(settings, records), audited_network(settings, records)
    target, classes = TargetModel(network, records, split, pick_device(threads), seed=0), len(records.class_names)
    signals, notes = {"benign": _clean_logits(target, settings.signals["benign"], classes)}, []
    for name, signal in settings.signals.items():
        if signal.one_attack_per_class and classes > MAX_CLASSES:
            notes.append(f"No {name} signal: an attack towards each of {classes} classes is too expensive.")
        elif name not in signals:
            try:
                signals[name] = target.logits(signal)
            except UserError as error:
                notes.append(f"No {name} signal: {error}.")
            else:
                notes.append(f"The {name} signal: {signal.in_words()}.")
    return signals, notes


def _clean_logits(target: TargetModel, signal: Signal, classes: int) -> SignalLogits:
    try:
        logits = target.logits(signal)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UserError(f"model: does not make logits of these images ({first_line(error)})") from error
    for side in (logits.members, logits.nonmembers):
        if side.ndim != 2 or side.shape[1] < classes or not np.isfinite(side).all():
            raise UserError(f"model: returns shape {list(side.shape)}; finite logits [records, {classes}] are needed")
    return logits
