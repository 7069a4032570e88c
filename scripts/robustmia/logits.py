"""Files of signals: logits of members and non-members, and examples of attacked images. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustmia.array_files import load_arrays, save_arrays


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
    """Upper bounds of z_k - z_y over a ball, 0 at the true class: in the place of logits the lowest of all verifiers."""

    verifiers: np.ndarray
    """str [V]."""
    members_by_verifier: np.ndarray
    """float32 [N, V, K]."""
    nonmembers_by_verifier: np.ndarray
    """float32 [M, V, K]."""

    def under(self, verifier: str) -> SignalLogits:
        """The bounds of one verifier alone.

        Raises:
            ValueError: it was not asked.
        """
        asked = list(self.verifiers).index(verifier)
        sides = (self.members_by_verifier[:, asked], self.nonmembers_by_verifier[:, asked])
        return SignalLogits(*sides, self.member_labels, self.nonmember_labels)


@dataclass(frozen=True)
class ShadowLogits:
    """Logits of all records of a data set under one signal, by several shadow models."""

    models: np.ndarray
    """int64 [B]: numbers of the shadow models."""
    inside: np.ndarray
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
class Examples:
    """A few records with what the attack made of them, for the figure."""

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
