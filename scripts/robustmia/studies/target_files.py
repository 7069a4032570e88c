"""What studies read of one target model."""

from __future__ import annotations

import numpy as np

from robustmia.data.split import Split
from robustmia.files.signals import SignalLogits, load_signals

Files = dict[str, list[str]]
"""Paths of `split`, `signals` and `shadows`."""


def load_target(files: Files) -> tuple[np.ndarray, dict[str, SignalLogits]]:
    """Rows of the data set, of members and then of non-members, and the signals by name."""
    (split,) = map(Split.load, files["split"])
    return np.concatenate([split.members, split.nonmembers]), load_signals(files["signals"])
