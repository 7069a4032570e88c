"""Image files in a folder or in a zip, which is read in place and never unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from robustmia.errors import UserError, first_line
from robustmia.progress import report_progress

EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")

Node = Path | zipfile.Path
"""A folder or a file, on disk or inside a zip: both have `name`, `iterdir`, `is_dir`, `is_file`, `read_bytes`."""


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
    """What a folder holds, in the order of the names, hidden entries and macOS resource forks left out."""
    return sorted(
        (child for child in node.iterdir() if not child.name.startswith((".", "__"))), key=lambda child: child.name
    )


def read_images(files: Sequence[Node], size: tuple[int, int] | None = None) -> np.ndarray:
    """Decode images of one size, uint8 [N, C, H, W]: grey if all are grey, RGB otherwise.

    Args:
        size: height and width to resize to; None if they all have one size already.

    Raises:
        UserError: a file is damaged or not an image, or sizes differ.
    """
    pictures = []
    for file in files:
        pictures.append(_read_image(file, size))
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
        picture: Image.Image = Image.open(io.BytesIO(file.read_bytes()))
        picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, zipfile.BadZipFile) as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else first_line(error)
        raise UserError(f"{file}: damaged image ({reason}); restore or remove it") from error
    if picture.mode not in EIGHT_BITS:
        raise UserError(f"{file}: {picture.mode} pixels of more than 8 bits; convert the image to 8 bits")
    if picture.mode not in ("L", "RGB"):
        picture = picture.convert("L" if picture.mode in ("1", "LA") else "RGB")
    return picture if size is None else picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
