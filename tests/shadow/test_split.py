"""Which records each shadow model is trained on."""

from __future__ import annotations

import numpy as np
import pytest

from robustmia.shadow.split import draw_half


@pytest.mark.parametrize("counts", [(50, 31, 7), (2, 2, 3)])
def test_every_record_is_a_member_of_half_of_the_models_and_classes_are_shared_out(counts):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), counts))
    splits = [draw_half(labels, model) for model in range(8)]
    in_mask = np.array([np.isin(np.arange(len(labels)), split.members) for split in splits])
    assert (in_mask.sum(axis=0) == 4).all()
    assert all(abs(2 * len(split.members) - len(labels)) <= 1 for split in splits)
    for split in splits:
        assert np.array_equal(np.sort(np.concatenate([split.members, split.nonmembers])), np.arange(len(labels)))
        assert all(abs(2 * (labels[split.members] == k).sum() - counts[k]) <= 1 for k in range(3))
    assert not np.array_equal(in_mask[0], in_mask[2])
    assert np.array_equal(in_mask[0], ~in_mask[1])
