"""Data sets in their common form, and the split."""

from __future__ import annotations

import gzip
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import FASHION_MNIST, shared
from robustmia.array_files import load_arrays
from robustmia.data.cifar10 import CIFAR10
from robustmia.data.digits import Digits
from robustmia.data.fashion_mnist import FashionMNIST
from robustmia.data.image_folder import ImageFolder
from robustmia.data.records import Records
from robustmia.data.split import Split, draw_split
from robustmia.data.yale import Yale
from robustmia.errors import UserError
from robustmia.settings import SplitSettings


@pytest.fixture(scope="module")
def digits() -> Records:
    return Digits(name="digits").load(Path("nowhere"))


def put_fashion_mnist(data_dir: Path) -> Path:
    """The files of Debian's package in torchvision's layout."""
    if not FASHION_MNIST.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    raw = data_dir / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in FASHION_MNIST.glob("*.gz"):
        with gzip.open(archive) as packed, (raw / archive.stem).open("wb") as file:
            shutil.copyfileobj(packed, file)
    return raw


def put_images(folder: Path, classes: dict[str, int], size=(5, 4), suffix="png", mode="L") -> None:
    random = np.random.default_rng(0)
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            shape = size if mode == "L" else (*size, 3)
            pixels = random.integers(256, size=shape, dtype=np.uint8)
            Image.fromarray(pixels, mode=None).save(folder / name / f"{index}.{suffix}")


# ---------------------------------------------------------------- data sets


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


def test_records_come_back_as_they_were(digits, tmp_path):
    digits.save(tmp_path / "digits.npz")
    again = Records.load(tmp_path / "digits.npz")
    assert np.array_equal(again.images, digits.images)
    assert np.array_equal(again.labels, digits.labels)
    assert again.class_names == digits.class_names
    assert again.in_training_set is None
    own = Records(digits.images, digits.labels, digits.class_names, digits.labels > 4)
    own.save(tmp_path / "own.npz")
    assert np.array_equal(Records.load(tmp_path / "own.npz").in_training_set, own.in_training_set)


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
    with pytest.raises(UserError, match="wrong checksum"):
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


def test_yale_from_a_folder_that_is_not_whole(tmp_path):
    (tmp_path / "CroppedYale" / "yaleB01").mkdir(parents=True)
    with pytest.raises(UserError, match="0 images of 1 subjects, but the release has 2414 of 38"):
        Yale(name="yale", path="CroppedYale").load(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "pgm"])
@pytest.mark.parametrize("zipped", [False, True])
def test_an_image_folder_is_read_from_a_folder_or_a_zip(tmp_path, suffix, zipped):
    put_images(tmp_path / "faces", {"ann": 3, "bob": 2}, suffix=suffix)
    if zipped:
        shutil.make_archive(str(tmp_path / "faces"), "zip", tmp_path, "faces")
    records = ImageFolder(name="image_folder", path="faces.zip" if zipped else "faces").load(tmp_path)
    assert records.images.shape == (5, 1, 5, 4)
    assert records.labels.tolist() == [0, 0, 0, 1, 1]
    assert records.class_names == ("ann", "bob")
    assert records.in_training_set is None
    if suffix != "jpg":
        assert np.array_equal(records.images[0, 0], np.asarray(Image.open(tmp_path / "faces" / "ann" / f"0.{suffix}")))


def test_an_image_folder_with_train_and_test(tmp_path):
    put_images(tmp_path / "faces" / "train", {"ann": 3, "bob": 2}, mode="RGB")
    put_images(tmp_path / "faces" / "test", {"ann": 1, "bob": 2}, mode="RGB")
    records = ImageFolder(name="image_folder", path="faces").load(tmp_path)
    assert records.images.shape == (8, 3, 5, 4)
    assert records.in_training_set.tolist() == [True] * 5 + [False] * 3
    assert records.labels.tolist() == [0, 0, 0, 1, 1, 0, 1, 1]


def test_colours_of_an_image_folder_are_red_green_and_blue_from_the_top_left(tmp_path):
    put_images(tmp_path / "faces", {"ann": 1, "bob": 1}, mode="RGB")
    records = ImageFolder(name="image_folder", path="faces").load(tmp_path)
    picture = Image.open(tmp_path / "faces" / "ann" / "0.png")
    for row, column in ((0, 0), (0, 3), (4, 0)):
        assert tuple(records.images[0, :, row, column]) == picture.getpixel((column, row))


def test_hidden_files_and_resource_forks_are_no_images(tmp_path):
    """What macOS leaves in folders and in zips, some of it with the suffix of an image."""
    put_images(tmp_path / "faces", {"ann": 2, "bob": 2, "__MACOSX": 1, ".thumbnails": 1})
    (tmp_path / "faces" / "ann" / "._0.png").write_bytes(b"resource fork")
    (tmp_path / "faces" / "bob" / "__hidden.png").write_bytes(b"no image either")
    records = ImageFolder(name="image_folder", path="faces").load(tmp_path)
    assert records.class_names == ("ann", "bob")
    assert records.labels.tolist() == [0, 0, 1, 1]


def test_suffixes_in_capitals_are_those_of_images_and_other_files_are_not(tmp_path):
    put_images(tmp_path / "faces", {"ann": 2, "bob": 1})
    (tmp_path / "faces" / "bob" / "0.png").rename(tmp_path / "faces" / "bob" / "0.PNG")
    (tmp_path / "faces" / "bob" / "notes.txt").write_text("no image")
    records = ImageFolder(name="image_folder", path="faces").load(tmp_path)
    assert records.labels.tolist() == [0, 0, 1]


def test_images_of_several_sizes_are_resized_or_refused(tmp_path):
    put_images(tmp_path / "faces", {"ann": 2, "bob": 2})
    Image.new("L", (9, 9)).save(tmp_path / "faces" / "bob" / "9.png")
    with pytest.raises(UserError, match=r"9\.png: 9 x 9 pixels, but 0\.png has 5 x 4; give the data set a size"):
        ImageFolder(name="image_folder", path="faces").load(tmp_path)
    records = ImageFolder(name="image_folder", path="faces", size=(6, 7)).load(tmp_path)
    assert records.images.shape == (5, 1, 6, 7)


def test_cifar_jpegs_are_an_image_folder(tmp_path):
    with tarfile.open(shared("data", "cifar10_jpeg.tar.xz")) as archive:
        for member in archive:
            if member.name.endswith("0.jpg") and int(Path(member.name).stem) < 60:
                path = tmp_path / "cifar" / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.extractfile(member).read())
    records = ImageFolder(name="image_folder", path="cifar").load(tmp_path)
    assert records.images.shape[1:] == (3, 32, 32)
    assert len(records.class_names) == 10
    assert 0 < records.in_training_set.sum() < len(records.labels)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / "ann" / "0.png").write_bytes(b"not an image"),
            r"0\.png: damaged image \(not an image\)",
        ),
        (
            lambda folder: (folder / "ann" / "0.png").write_bytes((folder / "ann" / "0.png").read_bytes()[:60]),
            r"0\.png: damaged image",
        ),
        (lambda folder: [file.unlink() for file in (folder / "bob").iterdir()], "bob: no image"),
        (lambda folder: shutil.rmtree(folder / "bob"), "at least two class folders"),
    ],
)
def test_bad_image_folders_are_named(tmp_path, damage, message):
    put_images(tmp_path / "faces", {"ann": 2, "bob": 2}, size=(20, 20))
    damage(tmp_path / "faces")
    with pytest.raises(UserError, match=message):
        ImageFolder(name="image_folder", path="faces").load(tmp_path)


def test_a_damaged_zip_is_named(tmp_path):
    (tmp_path / "faces.zip").write_bytes(b"PK but no zip")
    with pytest.raises(UserError, match=r"faces\.zip: neither a folder nor a readable zip"):
        ImageFolder(name="image_folder", path="faces.zip").load(tmp_path)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(UserError, match=r"empty\.zip: needs at least two class folders"):
        ImageFolder(name="image_folder", path="empty.zip").load(tmp_path)


# ---------------------------------------------------------------- split


@pytest.mark.parametrize(
    "settings",
    [
        SplitSettings(member_fraction=0.5),
        SplitSettings(member_fraction=0.9, max_members=77),
        SplitSettings(members_per_class=30, max_members=100, max_nonmembers=50),
    ],
)
def test_a_split_is_disjoint_whole_and_drawn_from_the_seed(digits, settings, tmp_path):
    split = draw_split(digits, settings, seed=4)
    rows = np.concatenate([split.members, split.nonmembers, split.shadow_pool])
    assert sorted(rows.tolist()) == list(range(1797))
    assert len(split.members) <= (settings.max_members or 1797)
    assert len(split.nonmembers) <= (settings.max_nonmembers or 1797)
    again, other = draw_split(digits, settings, seed=4), draw_split(digits, settings, seed=5)
    assert np.array_equal(again.members, split.members)
    assert not np.array_equal(other.members, split.members)
    split.save(tmp_path / "split.npz")
    assert np.array_equal(Split.load(tmp_path / "split.npz").shadow_pool, split.shadow_pool)


def test_halves_are_stratified(digits):
    split = draw_split(digits, SplitSettings(member_fraction=0.5), seed=0)
    assert len(split.members) == 898
    members, nonmembers = np.bincount(digits.labels[split.members]), np.bincount(digits.labels[split.nonmembers])
    assert np.abs(members - nonmembers).max() <= 1


def test_a_data_sets_own_sets_are_used(digits):
    own = Records(digits.images, digits.labels, digits.class_names, np.arange(1797) < 1000)
    split = draw_split(own, SplitSettings(max_members=900), seed=0)
    assert split.members.max() < 1000
    assert len(split.members) == 900
    assert sorted(split.nonmembers) == list(range(1000, 1797))
    assert len(split.shadow_pool) == 100


def test_splits_that_cannot_be_drawn_are_named(digits):
    with pytest.raises(UserError, match="class '8' has 174 images, too few for 174 members"):
        draw_split(digits, SplitSettings(members_per_class=174), seed=0)
    with pytest.raises(UserError, match="no training set of its own; give member_fraction or members_per_class"):
        draw_split(digits, SplitSettings(), seed=0)


def test_a_damaged_file_is_named(tmp_path, digits):
    digits.save(tmp_path / "digits.npz")
    whole = (tmp_path / "digits.npz").read_bytes()
    (tmp_path / "digits.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"digits\.npz: damaged \("):
        Records.load(tmp_path / "digits.npz")


def test_a_file_that_would_be_unpickled_is_refused(tmp_path):
    """Unpickling runs whatever code the file asks for."""
    ran = tmp_path / "ran"

    class Harmful:
        def __reduce__(self):
            return Path.touch, (ran,)

    np.savez(tmp_path / "digits.npz", images=np.array([Harmful()], dtype=object))
    with pytest.raises(UserError, match=r"digits\.npz: damaged \(Object arrays cannot be loaded"):
        load_arrays(tmp_path / "digits.npz")
    assert not ran.exists()
