"""Random crops and mirror images."""

from __future__ import annotations

import torch

from robustmia.training.augmentation import augment
from robustmia.training.settings import AugmentationSettings


def test_crops_are_windows_of_the_padded_image():
    images = torch.arange(1.0, 3 * 2 * 5 * 4 + 1).view(3, 2, 5, 4)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    seen = set()
    for seed in range(60):
        cropped = augment(images, AugmentationSettings(crop_padding=2), torch.Generator().manual_seed(seed))
        for image, whole in zip(cropped, padded, strict=True):
            matches = [(r, c) for r in range(5) for c in range(5) if torch.equal(image, whole[:, r : r + 5, c : c + 4])]
            assert len(matches) == 1
            seen |= set(matches)
    assert len(seen) == 25


def test_flips_mirror_about_half_of_the_images():
    images = torch.rand(400, 1, 3, 3)
    flipped = augment(images, AugmentationSettings(horizontal_flip=True), torch.Generator().manual_seed(0))
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    assert ((flipped == images).flatten(1).all(1) | mirrored).all()
    assert 160 < mirrored.sum() < 240
