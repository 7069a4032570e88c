"""CIFAR-10: 50,000 and 10,000 colour images of 32 x 32 (Krizhevsky 2009)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from robustmia.data.source import Source

if TYPE_CHECKING:
    from robustmia.data.records import Records


class CIFAR10(Source):
    """CIFAR-10 in torchvision's layout, `<data_dir>/cifar-10-batches-py`, downloaded where it is missing."""

    name: Literal["cifar10"]

    def load(self, data_dir: Path) -> Records:
        """60,000 records of shape 3 x 32 x 32, the training set first. torchvision checks the digest of every file."""
        from torchvision import datasets

        from robustmia.data.torchvision_set import load_both_sets

        return load_both_sets(datasets.CIFAR10, data_dir, datasets.CIFAR10.base_folder)
