"""The common form of every data set: images and labels in rows that keep their place from here to the figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustmia.files.arrays import load_arrays, save_arrays


@dataclass(frozen=True)
class Records:
    """N labelled images of one size."""

    images: np.ndarray
    """uint8 [N, C, H, W], C 1 (grey) or 3 (RGB); pixels 0 to 255, that is [0, 1] once divided by 255."""
    labels: np.ndarray
    """int64 [N], in 0..K-1."""
    class_names: tuple[str, ...]
    """K names."""
    in_training_set: np.ndarray | None = None
    """bool [N]: the data set's own training set; None where it has no such split."""
    names: np.ndarray | None = None
    """str [N]: the file of each record, or its set and index in the original data set; None: its row alone names it."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def size_in_words(self) -> str:
        """Pixels and channels of an image."""
        channels, height, width = self.image_shape
        return f"{height} x {width} pixels and {channels} channel{'s' if channels > 1 else ''}"

    def in_words(self) -> str:
        """How many there are, of which size, and how many of each class."""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        of_classes = ", ".join(f"{name} ({count})" for name, count in zip(self.class_names, counts, strict=True))
        return f"{len(self.labels)} images of {self.size_in_words()}, {len(self.class_names)} classes: {of_classes}"

    def save(self, path: str | Path) -> None:
        """Write one `.npz`, not compressed, since every job reads it."""
        own_split = np.zeros(0, bool) if self.in_training_set is None else self.in_training_set
        arrays = {"images": self.images, "labels": self.labels, "class_names": np.array(self.class_names)}
        names = np.arange(len(self.labels)).astype(str) if self.names is None else self.names
        save_arrays(path, arrays | {"in_training_set": own_split, "names": names}, compressed=False)

    @classmethod
    def load(cls, path: str | Path) -> Records:
        """Read what `save` wrote; a damaged file is a `DamagedError`."""
        arrays = load_arrays(path)
        own_split = arrays["in_training_set"]
        names = tuple(str(name) for name in arrays["class_names"])
        own = own_split if len(own_split) else None
        return cls(arrays["images"], arrays["labels"], names, own, arrays["names"])


def load_names(path: str | Path) -> np.ndarray:
    """The names of all records, str [N], without their images; a damaged file is a `DamagedError`."""
    return load_arrays(path, ("names",))["names"]
