"""Files of signals: logits of members and non-members, and examples of perturbed images. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

    def save(self, path: str | Path) -> None:
        """Write one compressed `.npz`."""
        save_arrays(path, vars(self))

    @staticmethod
    def load(path: str | Path) -> SignalLogits:
        """Read what `save` wrote, as the kind it was; a damaged file is a `DamagedError`."""
        arrays = load_arrays(path)
        kind = VerifiedBounds if "verifiers" in arrays else SignalProbabilities if "softmax" in arrays else SignalLogits
        return kind(**arrays)


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
class ShadowLogits:
    """Logits of all records of a data set under one signal, by several shadow models."""

    models: np.ndarray
    """int64 [B]: numbers of the shadow models."""
    in_mask: np.ndarray
    """bool [B, N]: their members."""
    logits: np.ndarray
    """float32 [B, N, K], or [B, N, K, K]."""

    def save(self, path: str | Path) -> None:
        """Write one compressed `.npz`."""
        save_arrays(path, vars(self))

    @classmethod
    def load(cls, path: str | Path) -> ShadowLogits:
        """Read what `save` wrote; a damaged file is a `DamagedError`."""
        return cls(**load_arrays(path))


@dataclass(frozen=True)
class ShadowSignals:
    """The signals of all shadow models, for the records of one target model, members first."""

    logits: dict[str, np.ndarray]
    """By signal: [R, n, K], or [R, n, K, K]."""
    in_mask: np.ndarray
    """bool [R, n]: the members of each shadow model."""

    @classmethod
    def load(cls, names: Sequence[str], paths: Sequence[str], rows: np.ndarray) -> ShadowSignals | None:
        """Read the files of all jobs of shadow models; None if there are none.

        Args:
            names: of the signals.
            paths: those of all signals for the first job of shadow models, then for the next.
            rows: of the data set, of the target's members and then of its non-members.

        Raises:
            UserError: a file cannot be read, or is damaged.
        """
        if not paths:
            return None
        logits = {}
        for name, files in zip(names, np.array(paths).reshape(-1, len(names)).T, strict=True):
            parts = [ShadowLogits.load(file) for file in files]
            logits[name] = np.concatenate([part.logits[:, rows] for part in parts])
            in_mask = np.concatenate([part.in_mask[:, rows] for part in parts])
        return cls(logits, in_mask)


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

    def save(self, path: str | Path) -> None:
        """Write one compressed `.npz`."""
        save_arrays(path, vars(self))

    @classmethod
    def load(cls, path: str | Path) -> Examples:
        """Read what `save` wrote; a damaged file is a `DamagedError`."""
        return cls(**load_arrays(path))
