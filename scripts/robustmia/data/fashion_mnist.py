"""Fashion-MNIST: 60,000 and 10,000 grey images of 28 x 28 (Xiao, Rasul and Vollgraf 2017)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from robustmia.data.source import Source

if TYPE_CHECKING:
    from robustmia.data.records import Records

SHA256 = "75979490032625d6583ff7101de6f9243d07d0a8d33d3c9b3b7e79b4c59382af"  # of images and labels as `check_content` lays them out; torchvision checks only the archives


class FashionMNIST(Source):
    """Fashion-MNIST in torchvision's layout, `<data_dir>/FashionMNIST/raw`, downloaded where it is missing."""

    name: Literal["fashion_mnist"]

    def load(self, data_dir: Path) -> Records:
        """70,000 records of shape 1 x 28 x 28, the training set first."""
        from torchvision import datasets

        from robustmia.data.torchvision_set import check_content, load_both_sets

        records = load_both_sets(datasets.FashionMNIST, data_dir, "FashionMNIST/raw")
        check_content(records, SHA256, data_dir / "FashionMNIST" / "raw")
        return records
