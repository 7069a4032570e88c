"""Image files in a folder or in a zip, which is read in place and never unpacked."""

from __future__ import annotations

import io
import logging
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from robustmia.errors import UserError, first_line
from robustmia.progress import report_progress

FORMATS = ("PNG", "JPEG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
"""Pillow's readers that are let near a file: those of photographs and drawings, none that starts other programs."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".pbm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
SYSTEM_FILES = ("__MACOSX", "Thumbs.db", "desktop.ini")
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
LARGEST_FILE = 2**30  # bytes of one image file

Node = Path | zipfile.Path
"""A folder or a file, on disk or inside a zip: both have `name`, `iterdir`, `is_dir`, `is_file`, `read_bytes`."""

logger = logging.getLogger(__name__)


def open_tree(path: Path) -> Node:
    """The root of a folder or of a zip file.

    Raises:
        UserError: there is nothing at `path`, or it is neither a folder nor a readable zip.
    """
    if path.is_dir():
        return path
    try:
        return zipfile.Path(zipfile.ZipFile(path))
    except FileNotFoundError:
        raise UserError(f"{path}: no such folder or zip file; put the images there or correct the path") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path}: neither a folder nor a readable zip ({first_line(error)}); fetch it again") from error


def children(node: Node) -> list[Node]:
    """What a folder holds, in the order of the names, without hidden files and those that operating systems leave behind."""
    kept = (child for child in node.iterdir() if not child.name.startswith(".") and child.name not in SYSTEM_FILES)
    return sorted(kept, key=lambda child: child.name)


def files_below(node: Node, above: tuple[Path, ...] = ()) -> Iterator[Node]:
    """Every file in a folder and in the folders inside it, in the order of the names; a link to a folder above is not followed."""
    here = (*above, node.resolve()) if isinstance(node, Path) else above
    for child in children(node):
        if not child.is_dir():
            yield child
        elif not (isinstance(child, Path) and child.resolve() in here):
            yield from files_below(child, here)


def is_image(file: Node) -> bool:
    """Whether a file has the suffix of an image."""
    return file.name.lower().endswith(SUFFIXES)


def log_left_out(files: Sequence[Node], reason: str) -> None:
    """Say which files are not read, and why: how many, and the first few of them."""
    if files:
        names = ", ".join(str(file) for file in files[:5])
        count = "1 file" if len(files) == 1 else f"{len(files)} files"
        logger.warning("%s left out, %s: %s%s", count, reason, names, ", ..." if len(files) > 5 else "")


def read_images(files: Sequence[Node], size: tuple[int, int] | None = None) -> np.ndarray:
    """Decode images of one size, uint8 [N, C, H, W]: grey if all are grey, RGB otherwise.

    A photograph is turned as its EXIF orientation says; of an animation the first frame is read.

    Args:
        size: height and width to resize to; None if they all have one size already.

    Raises:
        UserError: a file is damaged or not an image, sizes differ, or all of them do not fit into memory.
    """
    if size is not None:
        require_memory(len(files), 1, *size)  # 3 if one has colours
    pictures: list[Image.Image] = []
    for file in files:
        pictures.append(_read_image(file, size))
        if size is None and len(pictures) == 1:
            require_memory(len(files), 1 if pictures[0].mode == "L" else 3, pictures[0].height, pictures[0].width)
        report_progress("reading images", len(pictures), len(files), "images")
    for file, picture in zip(files, pictures, strict=True):
        if picture.size != pictures[0].size:
            raise UserError(
                f"{file}: {picture.height} x {picture.width} pixels, but {files[0].name} has "
                f"{pictures[0].height} x {pictures[0].width}; give the data set a size: [height, width]"
            )
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    images = np.stack([np.asarray(picture.convert(mode)) for picture in pictures])
    return images[:, None] if mode == "L" else np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def _read_image(file: Node, size: tuple[int, int] | None) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd metadata, which is not read
            opened = Image.open(io.BytesIO(_content(file)), formats=FORMATS)
            opened.load()
            picture: Image.Image = ImageOps.exif_transpose(opened)
    except UserError:
        raise
    except MemoryError:
        raise UserError(f"{file}: does not fit into memory; make the image smaller or remove it") from None
    except Exception as error:  # Pillow, zipfile and zlib have a dozen kinds for a damaged, forged or encrypted file
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else first_line(error)
        raise UserError(f"{file}: cannot be read as an image ({reason}); restore or remove it") from error
    if picture.mode not in EIGHT_BITS:
        raise UserError(f"{file}: {picture.mode} pixels of more than 8 bits; convert the image to 8 bits")
    if picture.mode not in ("L", "RGB"):
        picture = picture.convert("L" if picture.mode in ("1", "LA") else "RGB")
    return picture if size is None else picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)


def _content(file: Node) -> bytes:
    size = file.stat().st_size if isinstance(file, Path) else file.root.getinfo(file.at).file_size
    if size > LARGEST_FILE:
        raise UserError(f"{file}: {size / 2**30:.1f} GiB, too large for an image; remove it")
    return file.read_bytes()


def require_memory(count: int, channels: int, height: int, width: int) -> None:
    """Raise `UserError` if so many images do not fit into this machine's memory, where they are held twice for a moment."""
    needed, present = 2 * count * channels * height * width, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > present:
        raise UserError(
            f"datasets.*.source.size: {count} images of {height} x {width} pixels take {needed / 2**30:,.0f} GiB while they are read, "
            f"and this machine has {present / 2**30:,.0f}; give a smaller size"
        )
