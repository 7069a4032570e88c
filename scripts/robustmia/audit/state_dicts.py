"""State dicts as people save them, and the part of one that fits a network.

A file may hold the state dict under a key (`state_dict`, `model`, ...), with the prefixes of wrappers and trainers before every name
(`module.`, `_orig_mod.`, `model.`, ... alone or stacked), beside other entries, or with the counters of profilers. What fits as
it is, is taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from robustmia.errors import UserError

COUNTERS = ("total_ops", "total_params")
"""Buffers that profilers leave in every layer."""
MADE_BY_LOADING = "num_batches_tracked"
"""A counter of batch normalisation that old files lack; it decides nothing in evaluation mode."""
DEEPEST = 3  # keys above a state dict
SHOWN = 3  # names of each side in an error


@dataclass(frozen=True)
class Fit:
    """A part of a file that has every weight of a network, with the shape that it has there."""

    weights: dict[str, Tensor]
    key: str
    """Where in the file the state dict is; empty: at the top."""
    prefix: str
    """What was taken off every name."""
    unused: tuple[str, ...]
    """Other tensors beside the weights."""

    @property
    def in_words(self) -> str:
        """What was adapted; empty: nothing."""
        parts = [f"taken from {self.key!r}"] if self.key else []
        parts += [f"without the prefix {self.prefix!r} of every name"] if self.prefix else []
        if self.unused:
            parts.append(f"{len(self.unused)} other entries are not used ({_few(self.unused)})")
        return ", ".join(parts)


def fit_weights(state: Any, needed: dict[str, Tensor]) -> Fit:
    """The weights of a network in what a file holds.

    Args:
        state: dictionaries of tensors, whatever is around them.
        needed: the network's own `state_dict()`.

    Raises:
        UserError: nothing fits, or several different things do.
    """
    found = dict(_state_dicts(state))
    if not found:
        raise UserError("not a state dict of tensors; save model.state_dict()")
    fits = [fit for key, tensors in found.items() for fit in _fits(key, tensors, needed)]
    if not fits:
        raise UserError(_difference(found, needed))
    if others := [fit for fit in fits[1:] if not _equal(fit.weights, fits[0].weights)]:
        both = " and ".join(f"{fit.key or 'the top'} ({fit.prefix or 'no'} prefix)" for fit in (fits[0], others[0]))
        raise UserError(f"has several different sets of weights that fit, {both}; save the one that is meant by itself")
    return fits[0]


def _state_dicts(state: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every dictionary with tensors, by the keys that lead to it; the outermost first."""
    if not isinstance(state, dict) or depth > DEEPEST:
        return
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if tensors:
        yield key, tensors
    for name, value in state.items():
        yield from _state_dicts(value, f"{key}.{name}" if key else str(name), depth + 1)


def _fits(key: str, tensors: dict[str, Tensor], needed: dict[str, Tensor]) -> list[Fit]:
    required = [name for name in needed if not name.endswith(MADE_BY_LOADING)]
    if not required:
        return []
    first = required[0]
    prefixes = [name.removesuffix(first) for name in tensors if name == first or name.endswith(f".{first}")]
    fits = []
    for prefix in sorted(prefixes, key=len):
        if any(_shape(tensors.get(prefix + name)) != needed[name].shape for name in required):
            continue
        weights = {name: tensors[prefix + name] for name in needed if prefix + name in tensors}
        used = {prefix + name for name in weights}
        rest = tuple(name for name in tensors if name not in used and name.rpartition(".")[2] not in COUNTERS)
        if not any(name.startswith(prefix) for name in rest):  # else it is a part of another, larger network
            fits.append(Fit(weights, key, prefix, rest))
    return fits[:1] if fits and not fits[0].prefix else fits


def _shape(tensor: Tensor | None) -> torch.Size | None:
    return None if tensor is None else tensor.shape


def _equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _difference(found: dict[str, dict[str, Tensor]], needed: dict[str, Tensor]) -> str:
    """What the file has and what the network needs; where the names agree, the first shape that does not."""
    key, tensors = max(found.items(), key=lambda item: len(item[1]))
    place = f" under {key!r}" if key else ""
    for name, weight in needed.items():
        if name in tensors and tensors[name].shape != weight.shape:
            return f"does not fit the network: {name} has shape {list(tensors[name].shape)}, the network's {list(weight.shape)}"
    return (
        f"does not fit the network: the file has {len(tensors)} entries{place} ({_few(tuple(tensors))}), the network needs "
        f"{len(needed)} ({_few(tuple(needed))})"
    )


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
