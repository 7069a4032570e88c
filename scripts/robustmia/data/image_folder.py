"""The user's own images, one folder for each class."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from robustmia.data.source import Source
from robustmia.errors import UserError
from robustmia.settings import FilePath

if TYPE_CHECKING:
    from robustmia.data.image_files import Node
    from robustmia.data.records import Records

logger = logging.getLogger(__name__)


class ImageFolder(Source):
    """A folder or a zip of `class/*`, or of `train/class/*` and `test/class/*`; images may lie in folders inside a class.

    Read are the formats PNG, JPEG, PGM and PPM, BMP, TIFF, WebP and GIF; the log says what else was there.
    """

    name: Literal["image_folder"]
    path: FilePath = Field(description="the folder or zip, relative to `data_dir`")
    size: tuple[PositiveInt, PositiveInt] | None = Field(
        None,
        description="height and width to resize to, with Pillow's bilinear filter; empty: the images have one size already",
    )

    def check(self, data_dir: Path) -> None:
        """Only the user has the files: say so before any job starts."""
        if not (data_dir / self.path).exists():
            raise UserError(
                f"{data_dir / self.path}: no such folder or zip file; put the images there, or correct the path, which is relative to data_dir"
            )

    def load(self, data_dir: Path) -> Records:
        """Records by set, class and file name; a class is a folder's name, and labels follow the order of the names.

        Raises:
            UserError: no class, one class, an empty class, classes that differ between `train/` and `test/`, a damaged
                image, or images of several sizes.
        """
        import numpy as np

        from robustmia.data.image_files import read_images
        from robustmia.data.records import Records

        path = data_dir / self.path
        sets, top = _sets(path)
        files: list[Node] = []
        labels: list[int] = []
        in_training_set: list[bool] = []
        names: list[str] = []
        for name, folders in sets.items():
            found = [folder.name for folder in folders]
            names = names or found
            if len(found) < 2 or found != names:
                raise UserError(
                    f"{path}: needs at least two class folders, the same in train/ and test/; found {', '.join(found) or 'none'}"
                )
            _warn_of_nesting(folders)
            for label, folder in enumerate(folders):
                images = _images_of(folder)
                files += images
                labels += [label] * len(images)
                in_training_set += [name == "train"] * len(images)
        own = np.array(in_training_set) if "train" in sets else None
        places = np.array([_place(file, top) for file in files])
        return Records(read_images(files, self.size), np.array(labels, np.int64), tuple(names), own, places)


def _sets(path: Path) -> tuple[dict[str, list[Node]], Node]:
    """The class folders of each set (`train` and `test`, or one without a name), and the folder that they are in."""
    from robustmia.data.image_files import children, log_left_out, open_tree

    top = open_tree(path)
    folders = [child for child in children(top) if child.is_dir()]
    if len(folders) == 1 and folders[0].name not in ("train", "test"):  # a zip usually holds its own name once more
        inner = [child for child in children(folders[0]) if child.is_dir()]
        top, folders = (folders[0], inner) if inner else (top, folders)
    found = {folder.name for folder in folders}
    if found != {"train", "test"} and {"train", "test"} <= {name.lower() for name in found}:
        raise UserError(
            f"{path}: has {', '.join(sorted(found))}; a data set with sets of its own has train/ and test/ alone"
        )
    if found != {"train", "test"}:
        sets = {"": folders}
    else:
        sets = {name: [child for child in children(top / name) if child.is_dir()] for name in ("train", "test")}
    outside = [
        child
        for node in (top, *(top / name for name in sets if name))
        for child in children(node)
        if not child.is_dir()
    ]
    log_left_out(outside, "in no class folder")
    return sets, top


def _warn_of_nesting(folders: list[Node]) -> None:
    """Name the classes without an image of their own: the folders inside them may be the classes."""
    from robustmia.data.image_files import children

    nested = [folder.name for folder in folders if all(child.is_dir() for child in children(folder))]
    if nested:
        logger.warning(
            "classes %s: all images are in folders inside them; if those folders are the classes, correct the path",
            ", ".join(nested),
        )


def _images_of(folder: Node) -> list[Node]:
    """The images of a class; what else is in its folder is logged."""
    from robustmia.data.image_files import SUFFIXES, files_below, is_image, log_left_out

    files = list(files_below(folder))
    images = [file for file in files if is_image(file)]
    log_left_out([file for file in files if not is_image(file)], "without the suffix of an image")
    if not images:
        raise UserError(f"{folder}: no image ({', '.join(SUFFIXES)}); add some or remove the class")
    return images


def _place(file: Node, top: Node) -> str:
    """Where a file is, below the folder of the data set."""
    return str(file).removeprefix(str(top)).lstrip("/")
