"""Which records each shadow model is trained on."""

from __future__ import annotations

import numpy as np

from robustmia.data.split import Split


def draw_half(labels: np.ndarray, model: int) -> Split:
    """Members and non-members of a shadow model.

    Two models at a time, 0 and 1, 2 and 3, share out the records: a random half of each class to one, the rest to the other.
    So of an even number of models exactly half have a record, halves are of one size within one record, and the first
    models stay as they are when more are asked for.

    Args:
        labels: [N], of all records of the data set.
        model: the number of the shadow model, from 0.
    """
    random = np.random.default_rng([2019, model // 2])
    order = random.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    halves = np.sort(by_class[::2]), np.sort(by_class[1::2])
    return Split(halves[model % 2], halves[1 - model % 2], np.zeros(0, np.int64))
