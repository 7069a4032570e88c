"""The user's own images, in a folder or a zip."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import put_images, refused, shared
from robustmia.data.image_folder import ImageFolder


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
    with refused("9.png", "9 x 9", "0.png", "5 x 4", "size"):
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
    ("damage", "named"),
    [
        (
            lambda folder: (folder / "ann" / "0.png").write_bytes(b"not an image"),
            ["0.png", "not an image"],
        ),
        (
            lambda folder: (folder / "ann" / "0.png").write_bytes((folder / "ann" / "0.png").read_bytes()[:60]),
            ["0.png"],
        ),
        (lambda folder: [file.unlink() for file in (folder / "bob").iterdir()], ["bob"]),
        (lambda folder: shutil.rmtree(folder / "bob"), ["faces", "ann"]),
    ],
)
def test_bad_image_folders_are_named(tmp_path, damage, named):
    put_images(tmp_path / "faces", {"ann": 2, "bob": 2}, size=(20, 20))
    damage(tmp_path / "faces")
    with refused(*named):
        ImageFolder(name="image_folder", path="faces").load(tmp_path)


def test_a_damaged_zip_is_named(tmp_path):
    (tmp_path / "faces.zip").write_bytes(b"PK but no zip")
    with refused("faces.zip"):
        ImageFolder(name="image_folder", path="faces.zip").load(tmp_path)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with refused("empty.zip", "none"):
        ImageFolder(name="image_folder", path="empty.zip").load(tmp_path)
