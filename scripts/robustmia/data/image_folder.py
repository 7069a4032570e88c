"""The user's own images, one folder for each class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from robustmia.data.source import Source
from robustmia.errors import UserError

if TYPE_CHECKING:
    from robustmia.data.image_files import Node
    from robustmia.data.records import Records

SUFFIXES = (".png", ".jpg", ".jpeg", ".pgm")


class ImageFolder(Source):
    """A folder or a zip of `class/*.png|jpg|pgm`, or of `train/class/*` and `test/class/*`."""

    name: Literal["image_folder"]
    path: str = Field(description="the folder or zip, seen from `data_dir`")
    size: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="height and width to resize to; empty: the images have one size already"
    )

    def check(self, data_dir: Path) -> None:
        """Only the user has the files: say so before any job starts."""
        if not (data_dir / self.path).exists():
            raise UserError(
                f"{data_dir / self.path}: no such folder or zip file; put the images there or correct datasets.*.source.path"
            )

    def load(self, data_dir: Path) -> Records:
        """Records by set, class and file name; a class is a folder's name, and labels follow the order of the names.

        Raises:
            UserError: no class, one class, an empty class, classes that differ between `train/` and `test/`, a damaged
                image, or images of several sizes.
        """
        import numpy as np

        from robustmia.data.image_files import children, open_tree, read_images
        from robustmia.data.records import Records

        path = data_dir / self.path
        root = open_tree(path)
        folders = [child for child in children(root) if child.is_dir()]
        if len(folders) == 1 and folders[0].name not in ("train", "test"):  # a zip usually holds its own name once more
            folders = [child for child in children(folders[0]) if child.is_dir()] or folders
        found = {folder.name for folder in folders}
        own_split = {"train", "test"} == found
        if not own_split and {"train", "test"} <= {name.lower() for name in found}:
            raise UserError(
                f"{path}: has {', '.join(sorted(found))}; a data set with sets of its own has train/ and test/ alone"
            )
        groups = sorted(folders, key=lambda folder: folder.name != "train") if own_split else [None]
        files: list[Node] = []
        labels: list[int] = []
        in_training_set: list[bool] = []
        names: list[str] = []
        for group in groups:
            classes = [child for child in children(group) if child.is_dir()] if group is not None else folders
            names = names or [folder.name for folder in classes]
            if len(classes) < 2 or [folder.name for folder in classes] != names:
                raise UserError(
                    f"{path}: needs at least two class folders, the same in train/ and test/; "
                    f"found {', '.join(folder.name for folder in classes) or 'none'}"
                )
            for label, folder in enumerate(classes):
                images = [file for file in children(folder) if file.name.lower().endswith(SUFFIXES)]
                if not images:
                    raise UserError(f"{folder}: no image ({', '.join(SUFFIXES)}); add some or remove the class")
                files += images
                labels += [label] * len(images)
                in_training_set += [group is not None and group.name == "train"] * len(images)
        own = np.array(in_training_set) if own_split else None
        return Records(read_images(files, self.size), np.array(labels, np.int64), tuple(names), own)
