"""Random numbers of their own for each purpose."""

from __future__ import annotations

from robustmia.models.device import derive_seed


def test_each_purpose_has_a_seed_of_its_own():
    purposes = [(0, "order", 1), (0, "order", 2), (0, "epoch", 1), (1, "order", 1)]
    assert len({derive_seed(*purpose) for purpose in purposes}) == len(purposes)
