"""Random numbers of their own for each purpose."""

from __future__ import annotations

import torch

from robustmia.models.device import derive_seed, pick_device


def test_float32_is_not_rounded_on_a_gpu(monkeypatch):
    """TF32, which torch allows convolutions on a GPU, errs by more than a bound may."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    torch.backends.cuda.matmul.allow_tf32 = True
    pick_device()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_each_purpose_has_a_seed_of_its_own():
    purposes = [(0, "order", 1), (0, "order", 2), (0, "epoch", 1), (1, "order", 1)]
    assert len({derive_seed(*purpose) for purpose in purposes}) == len(purposes)
