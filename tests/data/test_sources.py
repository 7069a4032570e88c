"""Published data sets in their common form."""

from __future__ import annotations

import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from helpers import put_fashion_mnist, refused, shared
from robustmia.data import torchvision_set
from robustmia.data.cifar10 import CIFAR10
from robustmia.data.fashion_mnist import FashionMNIST
from robustmia.data.split import draw_split
from robustmia.data.yale import Yale
from robustmia.settings import SplitSettings


def test_digits(digits):
    assert digits.images.shape == (1797, 1, 8, 8)
    assert digits.images.dtype == np.uint8
    assert (digits.images.min(), digits.images.max()) == (0, 255)
    assert len(np.unique(digits.images)) == 17
    assert digits.class_names == tuple("0123456789")
    assert digits.in_training_set is None


def test_a_digit_stands_upright(digits):
    """The top of the first zero, and of a seven, in grey levels from 0 to 16."""
    levels = np.rint(digits.images[[0, 7], 0] / 255 * 16).astype(int)
    assert levels[0, :3].tolist() == [
        [0, 0, 5, 13, 9, 1, 0, 0],
        [0, 0, 13, 15, 10, 15, 5, 0],
        [0, 3, 15, 2, 0, 11, 8, 0],
    ]
    assert levels[1, 0].tolist() == [0, 0, 7, 8, 13, 16, 15, 1]
    assert digits.labels[[0, 7]].tolist() == [0, 7]


def test_cifar10_is_read_by_set_colour_row_and_column(tmp_path, monkeypatch):
    """Each published row is 1024 red values, 1024 green and 1024 blue, each row by row from the top."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rows = np.random.default_rng(0).integers(256, size=(6, 2, 3 * 1024), dtype=np.uint8)
    for number, name in enumerate([*(f"data_batch_{batch}" for batch in range(1, 6)), "test_batch"]):
        (folder / name).write_bytes(pickle.dumps({"data": rows[number], "labels": [number, 9]}))
    names = [f"class {label}" for label in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *arguments: True)
    records = CIFAR10(name="cifar10").load(tmp_path)
    assert np.array_equal(records.images, rows.reshape(12, 3, 32, 32))
    assert records.labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9, 5, 9]
    assert records.in_training_set.tolist() == [True] * 10 + [False] * 2
    assert records.class_names == tuple(names)


def test_two_jobs_do_not_download_into_one_folder_at_once(tmp_path):
    at_work, most = 0, 0

    class Slow:
        data, targets, classes = np.zeros((2, 4, 4), np.uint8), [0, 1], ("a", "b")

        def __init__(self, root, train, download):
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            time.sleep(0.05)
            at_work -= 1

    with ThreadPoolExecutor(3) as pool:
        loaded = pool.map(lambda _: torchvision_set.load_both_sets(Slow, tmp_path / "new", "slow"), range(3))
        assert [len(records.labels) for records in loaded] == [4, 4, 4]
    assert most == 1


def test_fashion_mnist_from_local_files(tmp_path):
    put_fashion_mnist(tmp_path)
    records = FashionMNIST(name="fashion_mnist").load(tmp_path)
    assert records.images.shape == (70_000, 1, 28, 28)
    assert records.in_training_set.sum() == 60_000
    assert np.bincount(records.labels[:60_000]).tolist() == [6000] * 10
    assert records.class_names[9] == "Ankle boot"


def test_fashion_mnist_with_a_changed_pixel_has_a_wrong_checksum(tmp_path):
    raw = put_fashion_mnist(tmp_path)
    content = bytearray((raw / "t10k-images-idx3-ubyte").read_bytes())
    content[-1] ^= 1
    (raw / "t10k-images-idx3-ubyte").write_bytes(content)
    with refused(str(raw), "checksum"):
        FashionMNIST(name="fashion_mnist").load(tmp_path)


def test_yale_from_the_zip_is_the_papers():
    folder = shared("data")
    records = Yale(name="yale").load(folder)
    assert records.images.shape == (2414, 1, 192, 168)
    per_subject = [64] * 10 + [60, 59, 60, 63, 62, 63, 63] + [64] * 21
    assert np.bincount(records.labels).tolist() == per_subject
    assert "yaleB14" not in records.class_names
    split = draw_split(records, SplitSettings(members_per_class=50), seed=0)
    with np.load(shared("reference", "song2019", "yale_natural.npz")) as theirs:
        assert np.array_equal(records.labels[split.members], theirs["train_label"])
        assert np.array_equal(records.labels[split.nonmembers], theirs["test_label"])


def test_yale_at_another_size_is_the_mean_of_the_pixels_below():
    """At a quarter of height and width a pixel is a weighted mean of those around its place, so that large areas keep their brightness."""
    full, small = (Yale(name="yale", size=size).load(shared("data")) for size in (None, (48, 42)))
    assert small.images.shape == (2414, 1, 48, 42)
    assert small.names.tolist() == full.names.tolist()
    means = full.images[:50].reshape(50, 48, 4, 42, 4).mean((2, 4))
    assert np.abs(means - small.images[:50, 0]).mean() < 4
    assert np.allclose(full.images.mean((1, 2, 3)), small.images.mean((1, 2, 3)), atol=1)


def test_yale_from_a_folder_that_is_not_whole(tmp_path):
    (tmp_path / "CroppedYale" / "yaleB01").mkdir(parents=True)
    with refused("CroppedYale", "0 images of 1 subjects", "2414 of 38"):
        Yale(name="yale", path="CroppedYale").load(tmp_path)
