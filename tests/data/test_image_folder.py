"""The user's own images, in a folder or a zip."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from helpers import put_images, refused, shared
from robustmia.data import image_files
from robustmia.data.image_folder import ImageFolder
from robustmia.data.records import Records, load_names


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


def test_hidden_files_and_resource_forks_are_no_images(tmp_path, caplog):
    """What macOS leaves in folders and in zips, some of it with the suffix of an image."""
    put_images(tmp_path / "faces", {"ann": 2, "bob": 2, "__MACOSX": 1, ".thumbnails": 1})
    (tmp_path / "faces" / "ann" / "._0.png").write_bytes(b"resource fork")
    (tmp_path / "faces" / "bob" / "Thumbs.db").write_bytes(b"no image either")
    records = ImageFolder(name="image_folder", path="faces").load(tmp_path)
    assert records.class_names == ("ann", "bob")
    assert records.labels.tolist() == [0, 0, 1, 1]
    assert not caplog.records  # nobody put them there


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


def load(folder: Path, **settings: object) -> Records:
    return ImageFolder(name="image_folder", path="faces", **settings).load(folder)


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "pgm", "ppm", "bmp", "tif", "tiff", "webp", "gif"])
def test_every_format_of_photographs_is_read(tmp_path, suffix):
    put_images(tmp_path / "faces", {"ann": 2, "bob": 1}, suffix=suffix, mode="RGB", size=(8, 8))
    assert load(tmp_path).images.shape == (3, 3, 8, 8)


def test_folders_inside_a_class_are_read_and_every_record_has_its_file(tmp_path, caplog):
    put_images(tmp_path / "faces", {"ann": 1, "bob": 2})
    put_images(tmp_path / "faces" / "ann" / "2019", {"june": 2})
    put_images(tmp_path / "faces" / "bob", {".cache": 1})
    (tmp_path / "faces" / "ann" / "2019" / "again").symlink_to(tmp_path / "faces" / "ann")
    records = load(tmp_path)
    assert records.names.tolist() == [
        "ann/0.png",
        "ann/2019/june/0.png",
        "ann/2019/june/1.png",
        "bob/0.png",
        "bob/1.png",
    ]
    for name, image in zip(records.names, records.images, strict=True):
        assert np.array_equal(image[0], np.asarray(Image.open(tmp_path / "faces" / name)))
    assert not caplog.records
    records.save(tmp_path / "records.npz")
    assert load_names(tmp_path / "records.npz").tolist() == records.names.tolist()
    shutil.rmtree(tmp_path / "faces" / "ann" / "2019")
    (tmp_path / "faces" / "ann" / "x.png").write_bytes((tmp_path / "faces" / "ann" / "0.png").read_bytes())
    shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path, "faces")
    zipped = ImageFolder(name="image_folder", path="zipped.zip").load(tmp_path)
    assert (
        zipped.names.tolist() == load(tmp_path).names.tolist() == ["ann/0.png", "ann/x.png", "bob/0.png", "bob/1.png"]
    )


def test_classes_with_no_image_of_their_own_are_pointed_out(tmp_path, caplog):
    put_images(tmp_path / "faces" / "mine", {"ann": 2, "bob": 1})
    put_images(tmp_path / "faces", {"theirs": 1})
    assert load(tmp_path).class_names == ("mine", "theirs")
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("classes mine: all images are in folders inside them")


def test_what_is_left_out_is_counted_in_the_log(tmp_path, caplog):
    put_images(tmp_path / "faces" / "train", {"ann": 2, "bob": 1})
    put_images(tmp_path / "faces" / "test", {"ann": 2, "bob": 1})
    for number in range(7):
        (tmp_path / "faces" / "train" / "ann" / f"raw{number}.nef").write_bytes(b"")
    (tmp_path / "faces" / "test" / "stray.png").write_bytes(
        (tmp_path / "faces" / "test" / "ann" / "0.png").read_bytes()
    )
    (tmp_path / "faces" / "README").write_text("mine")
    assert len(load(tmp_path).labels) == 6
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    outside, no_images = caplog.messages
    assert "2 files" in outside
    assert "stray.png" in outside
    assert "README" in outside
    assert "7 files" in no_images
    assert "raw0.nef" in no_images


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_it_says(tmp_path, orientation):
    """Upright the picture is dark on the left; the eight orientations of EXIF store it turned and mirrored."""
    upright = np.zeros((16, 16), np.uint8)
    upright[:, 8:] = 240
    upright[:8, 8:] = 120
    undo = {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda x: np.rot90(x),
        7: lambda x: np.rot90(x, 2).T,
        8: lambda x: np.rot90(x, -1),
    }
    put_images(tmp_path / "faces", {"ann": 1, "bob": 1}, size=(16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    stored.save(tmp_path / "faces" / "ann" / "0.png", exif=exif)
    assert np.array_equal(load(tmp_path).images[0, 0], upright)


def encrypted(folder: Path) -> None:
    """A zip whose first image is said to be encrypted."""
    shutil.make_archive(str(folder / "faces"), "zip", folder / "faces")
    content = bytearray((folder / "faces.zip").read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = 0
        while (at := content.find(magic, at)) >= 0:
            content[at + offset] |= 1
            at += 4
    (folder / "faces.zip").write_bytes(content)


def bad_member(folder: Path) -> None:
    """A zip in which the bytes of an image are damaged."""
    shutil.make_archive(str(folder / "faces"), "zip", folder / "faces")
    content = bytearray((folder / "faces.zip").read_bytes())
    name = b"ann/0.png"
    at = content.find(name) + len(name) + 30
    content[at : at + 40] = bytes(40)
    (folder / "faces.zip").write_bytes(content)


def bomb(folder: Path) -> None:
    """An image that says it has a million times a million pixels."""
    path = folder / "faces" / "ann" / "0.png"
    content = bytearray(path.read_bytes())
    content[16:24] = (10**6).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)


def text_bomb(folder: Path) -> None:
    """An image with a text of a hundred megabytes, compressed to a few kilobytes."""
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * 10**8, zip=True)
    Image.new("L", (4, 5)).save(folder / "faces" / "ann" / "0.png", pnginfo=info)


def postscript(folder: Path) -> None:
    """A program in place of an image: Pillow would start Ghostscript for it."""
    (folder / "faces" / "ann" / "0.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 5\nshowpage\n")


def sixteen_bits(folder: Path) -> None:
    Image.fromarray(np.full((5, 4), 40_000, np.uint16)).save(folder / "faces" / "ann" / "0.png")


@pytest.mark.parametrize("prepare", [encrypted, bad_member, bomb, text_bomb, postscript, sixteen_bits])
def test_a_file_that_cannot_be_read_is_named(tmp_path, prepare):
    put_images(tmp_path / "faces", {"ann": 2, "bob": 2})
    prepare(tmp_path)
    path = "faces.zip" if (tmp_path / "faces.zip").exists() else "faces"
    with refused("ann/0.png"):
        ImageFolder(name="image_folder", path=path).load(tmp_path)


def test_a_size_that_no_memory_can_hold_is_refused_before_it_is_asked_for(tmp_path):
    put_images(tmp_path / "faces", {"ann": 2, "bob": 2})
    with refused("size", "4 images of 1000000 x 1000000 pixels"):
        load(tmp_path, size=(10**6, 10**6))


def test_a_file_too_large_for_an_image_is_not_read(tmp_path, monkeypatch):
    put_images(tmp_path / "faces", {"ann": 2, "bob": 2})
    monkeypatch.setattr(image_files, "LARGEST_FILE", 50)
    with refused("ann/0.png", "too large"):
        load(tmp_path)
