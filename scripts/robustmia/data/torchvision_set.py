"""What the data sets that torchvision reads have in common: download, checks, errors."""

from __future__ import annotations

import hashlib
import os
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock
from torchvision.datasets import VisionDataset

from robustmia.data.records import Records
from robustmia.errors import UserError, first_line


def load_both_sets(dataset: type[VisionDataset], data_dir: Path, folder: str) -> Records:
    """Training set, then test set, of a torchvision class with `data`, `targets` and `classes`.

    Files already in `data_dir`, in torchvision's own layout, are used; others are downloaded with a progress bar and held
    to torchvision's checksums.

    Args:
        folder: where that layout keeps the files, for the error message.

    Raises:
        UserError: no network, a wrong checksum, a damaged file, or a `data_dir` that cannot be written.
    """
    try:
        with _one_at_a_time(data_dir):
            train, test = (dataset(data_dir, train=train, download=True) for train in (True, False))
    except Exception as error:  # urllib, tarfile, gzip, pickle and struct each have their own kinds
        raise UserError(
            f"{data_dir / folder}: {dataset.__name__} is neither whole there nor to be downloaded ({first_line(error)}); "
            "check the network, or put the files there yourself after removing damaged ones"
        ) from error
    images = np.concatenate([np.asarray(train.data), np.asarray(test.data)])
    labels = np.concatenate([np.asarray(train.targets), np.asarray(test.targets)]).astype(np.int64)
    in_training_set = np.arange(len(labels)) < len(train.data)
    channels_first = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    names = np.array(
        [f"{name}/{index}" for name, part in (("train", train), ("test", test)) for index in range(len(part.data))]
    )
    return Records(np.ascontiguousarray(channels_first), labels, tuple(train.classes), in_training_set, names)


def _one_at_a_time(data_dir: Path) -> AbstractContextManager:
    """Keeps two jobs from downloading into one folder at once; where nothing can be written, nothing is downloaded either."""
    with suppress(OSError):
        data_dir.mkdir(parents=True, exist_ok=True)
    return FileLock(data_dir / ".download.lock") if os.access(data_dir, os.W_OK) else nullcontext()


def check_content(records: Records, sha256: str, folder: Path) -> None:
    """Raise `UserError` unless images and labels are the published ones, byte for byte."""
    digest = hashlib.sha256(records.images.tobytes() + records.labels.tobytes()).hexdigest()
    if digest != sha256:
        raise UserError(
            f"{folder}: wrong checksum, the files are not the published data set ({digest[:12]}, not {sha256[:12]}); "
            "remove them, and they are downloaded again"
        )
