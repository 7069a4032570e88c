"""Handwritten digits: 1,797 grey images of 8 x 8 that come with scikit-learn (Alpaydin and Kaynak 1998)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from robustmia.data.source import Source

if TYPE_CHECKING:
    from robustmia.data.records import Records


class Digits(Source):
    """scikit-learn's digits. Nothing is downloaded; there is no training set of its own."""

    name: Literal["digits"]

    def load(self, data_dir: Path) -> Records:
        """1,797 records of shape 1 x 8 x 8; the original 17 grey levels are spread over 0 to 255."""
        import numpy as np
        from sklearn.datasets import load_digits

        from robustmia.data.records import Records

        digits = load_digits()
        images = np.rint(digits.images * (255.0 / 16.0)).astype(np.uint8)[:, None]
        return Records(images, digits.target.astype(np.int64), tuple(str(name) for name in digits.target_names))
