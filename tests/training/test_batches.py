"""What a step sees: every member once an epoch, in an order and with an augmentation of the epoch's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from robustmia.training.loop import Trainer
from training_helpers import CPU, Watched, scattered_members, tiny_spec


def shown(checkpoint: Path, **training) -> tuple[np.ndarray, np.ndarray]:
    """Pixels from 0 to 255 and labels that two epochs show the method, [2, 50, ...]."""
    settings = {"epochs": 2, "batch_size": 16, "augmentation": {}, "monitor": None, **training}
    training = Trainer.of_spec(tiny_spec("natural", **settings), *scattered_members(), checkpoint, CPU, "tiny")
    batches = []
    Watched(training, lambda _, *batch: batches.append(batch))
    training.run()
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    pixels = (255 * images).round().to(torch.uint8).numpy()
    return pixels.reshape(2, 50, 1, 8, 8), labels.numpy().reshape(2, 50)


def test_an_epoch_shows_each_member_once_with_its_label_and_in_an_order_of_its_own(tmp_path):
    records, split = scattered_members()
    row_of = {image.tobytes(): row for row, image in enumerate(records.images)}
    images, labels = shown(tmp_path / "c.pt")
    orders = [[row_of[image.tobytes()] for image in epoch] for epoch in images]
    assert [sorted(order) for order in orders] == [sorted(split.members)] * 2
    assert all(np.array_equal(seen, records.labels[order]) for seen, order in zip(labels, orders, strict=True))
    assert orders[0] != orders[1]
    assert split.members.tolist() not in orders


def test_an_epoch_draws_its_augmentation_anew(tmp_path):
    """By place in the epoch, since the order is another one each time anyway."""
    records, split = scattered_members()
    images, _ = shown(tmp_path / "c.pt", augmentation={"horizontal_flip": True})
    plain = {image.tobytes() for image in records.images[split.members]}
    mirrored = {image[..., ::-1].tobytes() for image in records.images[split.members]}
    assert {image.tobytes() for epoch in images for image in epoch} <= plain | mirrored
    flips = [[image.tobytes() in mirrored for image in epoch] for epoch in images]
    assert all(10 < sum(flipped) < 40 for flipped in flips)
    assert flips[0] != flips[1]


@pytest.mark.parametrize(("batch_size", "sizes"), [(49, [25, 25]), (16, [13, 13, 12, 12]), (50, [50]), (1, [1] * 50)])
def test_members_are_shared_out_evenly_over_the_fewest_batches(batch_size, sizes, tmp_path):
    """No batch of one or two that are left over."""
    settings = {"epochs": 1, "batch_size": batch_size, "augmentation": {}, "monitor": None}
    training = Trainer.of_spec(tiny_spec("natural", **settings), *scattered_members(), tmp_path / "c.pt", CPU, "tiny")
    seen = []
    Watched(training, lambda _, images, labels: seen.append(len(labels)))
    training.run()
    assert seen == sizes
