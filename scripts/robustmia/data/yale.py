"""Extended Yale Face Database B, cropped (Georghiades et al. 2001; Lee et al. 2005)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from robustmia.data.source import Source
from robustmia.errors import UserError
from robustmia.settings import FilePath

if TYPE_CHECKING:
    from robustmia.data.records import Records

IMAGES, SUBJECTS = 2414, 38


class Yale(Source):
    """The cropped release, `CroppedYale/yaleBNN/*.pgm`, as a folder or as the zip it comes in, which is read in place."""

    name: Literal["yale"]
    path: FilePath = Field(Path("CroppedYale.zip"), description="the zip or the folder, relative to `data_dir`")
    size: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="height and width to resize to, such as [48, 42]; empty: 192 x 168, as they are"
    )

    def check(self, data_dir: Path) -> None:
        """The files cannot be downloaded: say so before any job starts."""
        if not (data_dir / self.path).exists():
            raise UserError(
                f"{data_dir / self.path}: no such folder or zip file; get the cropped Extended Yale Face Database B from "
                "its own site and put it there, or correct the path of this source"
            )

    def load(self, data_dir: Path) -> Records:
        """2,414 records, 1 x 192 x 168 or of `size`, by subject and file name; ambient and `.bad` images are left out.

        Raises:
            UserError: the release is missing, damaged or not whole.
        """
        import numpy as np

        from robustmia.data.image_files import Node, children, open_tree, read_images
        from robustmia.data.records import Records

        path = data_dir / self.path
        root = open_tree(path)
        if len(inner := [child for child in children(root) if child.name == "CroppedYale"]) == 1:
            root = inner[0]
        files: list[Node] = []
        labels: list[int] = []
        subjects = [folder for folder in children(root) if folder.is_dir() and folder.name.startswith("yaleB")]
        for label, folder in enumerate(subjects):
            images = [file for file in children(folder) if file.name.endswith(".pgm") and "Ambient" not in file.name]
            files += images
            labels += [label] * len(images)
        if (len(files), len(subjects)) != (IMAGES, SUBJECTS):
            raise UserError(
                f"{path}: {len(files)} images of {len(subjects)} subjects, but the release has {IMAGES} of {SUBJECTS}; "
                "fetch it again"
            )
        names = np.array([f"{subjects[label].name}/{file.name}" for label, file in zip(labels, files, strict=True)])
        classes = tuple(folder.name for folder in subjects)
        return Records(read_images(files, self.size), np.array(labels, np.int64), classes, names=names)
