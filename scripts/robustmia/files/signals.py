"""Files of signals: logits of members and non-members, and examples of perturbed images. Free of torch.

A file has the signals that one job computed. The name of each array begins with that of its signal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from robustmia.files.arrays import load_arrays, save_arrays


@dataclass(frozen=True)
class SignalLogits:
    """Logits under one signal, rows in the order of the split."""

    members: np.ndarray
    """float32 [N, K]; of `targeted` [N, K, K], a row for each target class."""
    nonmembers: np.ndarray
    """float32 [M, K], or [M, K, K]."""
    member_labels: np.ndarray
    """int64 [N]."""
    nonmember_labels: np.ndarray
    """int64 [M]."""


@dataclass(frozen=True)
class SignalProbabilities(SignalLogits):
    """Probabilities in the place of logits, of audited predictions: they saturate, so many scores tie."""

    softmax: np.ndarray
    """bool, true."""


@dataclass(frozen=True)
class VerifiedBounds(SignalLogits):
    """Upper bounds of z_k - z_y over a ball, 0 at the true class; in the place of logits, the lowest bound of all verifiers."""

    verifiers: np.ndarray
    """str [V]."""
    members_by_verifier: np.ndarray
    """float32 [N, V, K]."""
    nonmembers_by_verifier: np.ndarray
    """float32 [M, V, K]."""
    seconds: np.ndarray
    """float64 [V]: of each verifier, for 1,000 records, as estimated from the network."""
    tighter: np.ndarray
    """str [1]: a verifier that would give tighter bounds; [0]: there is none."""
    tighter_seconds: np.ndarray
    """float64, of that one."""

    def under(self, verifier: str) -> SignalLogits:
        """The bounds of one verifier alone.

        Raises:
            ValueError: it is not among the verifiers of this file.
        """
        position = list(self.verifiers).index(verifier)
        sides = (self.members_by_verifier[:, position], self.nonmembers_by_verifier[:, position])
        return SignalLogits(*sides, self.member_labels, self.nonmember_labels)


@dataclass(frozen=True)
class Examples:
    """A few records before and after the evaluation attack, for the figure."""

    rows: np.ndarray
    """int64 [n]: rows of the records."""
    images: np.ndarray
    """float32 [n, C, H, W] in [0, 1]."""
    adversarial: np.ndarray
    """float32 [n, C, H, W] in [0, 1]."""
    labels: np.ndarray
    predictions: np.ndarray
    adversarial_predictions: np.ndarray
    """int64 [n] each."""

    @classmethod
    def load(cls, path: str | Path) -> Examples:
        """Those in a file of signals; a damaged one is a `DamagedError`."""
        return cls(**_grouped(load_arrays(path, [f"{EXAMPLES}/{field.name}" for field in fields(cls)]))[EXAMPLES])


EXAMPLES = "examples"


def save_signals(path: str | Path, signals: dict[str, SignalLogits], examples: Examples | None = None) -> None:
    """Write signals by name, and examples if there are any, into one compressed `.npz`."""
    kinds = {**signals, **({EXAMPLES: examples} if examples else {})}
    save_arrays(path, {f"{name}/{key}": array for name, kind in kinds.items() for key, array in vars(kind).items()})


def load_signals(paths: Iterable[str | Path]) -> dict[str, SignalLogits]:
    """The signals in several files by name, as the kinds that they were; a damaged file is a `DamagedError`."""
    signals = {}
    for path in paths:
        for name, arrays in _grouped(load_arrays(path)).items():
            if name != EXAMPLES:
                kind = VerifiedBounds if "verifiers" in arrays else SignalLogits
                signals[name] = (SignalProbabilities if "softmax" in arrays else kind)(**arrays)
    return signals


def _grouped(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    groups: dict[str, dict[str, np.ndarray]] = {}
    for path, array in arrays.items():
        name, _, key = path.partition("/")
        groups.setdefault(name, {})[key] = array
    return groups


@dataclass(frozen=True)
class ShadowSignals:
    """Some signals of some shadow models: for all records of a data set, or for those of one target model."""

    logits: dict[str, np.ndarray]
    """By signal: float32 [R, n, K], or [R, n, K, K]."""
    in_mask: np.ndarray
    """bool [R, n]: the members of each shadow model."""
    members: int | None = None
    """How many each shadow model has, of all records of the data set, rounded; None: not known."""

    def save(self, path: str | Path) -> None:
        """Write one compressed `.npz`."""
        save_arrays(path, {**self.logits, "in_mask": self.in_mask})

    def of(self, rows: np.ndarray) -> ShadowSignals:
        """Those of some records, by their places here."""
        return ShadowSignals({name: logits[:, rows] for name, logits in self.logits.items()}, self.in_mask[:, rows])

    @classmethod
    def load(cls, paths: Sequence[str], rows: np.ndarray) -> ShadowSignals | None:
        """Put the files of all jobs of shadow models together; None if there are none.

        Args:
            paths: those of all signals for the first job of shadow models, then for the next.
            rows: of the data set, of the target's members and then of its non-members.

        Raises:
            UserError: a file cannot be read, or is damaged.
        """
        parts: dict[str, list[np.ndarray]] = {}
        masks: dict[str, list[np.ndarray]] = {}
        for path in paths:
            arrays = load_arrays(path)
            whole_mask = arrays.pop("in_mask")
            in_mask, members = whole_mask[:, rows], round(float(whole_mask.sum(axis=1).mean()))
            for name, logits in arrays.items():
                parts.setdefault(name, []).append(logits[:, rows])
                masks.setdefault(name, []).append(in_mask)
        if not parts:
            return None
        return cls(
            {name: np.concatenate(logits) for name, logits in parts.items()}, np.concatenate(masks[name]), members
        )
