"""Who was in the training set of somebody else's model: the data set's own training set, or what a file says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robustmia.audit.predictions import safe_arrays
from robustmia.audit.settings import CheckpointAudit
from robustmia.data.records import Records
from robustmia.data.split import Split, draw_split
from robustmia.errors import UserError, first_line
from robustmia.settings import SplitSettings

SIDES = ("members", "nonmembers")


def audited_split(settings: CheckpointAudit, records: Records) -> Split:
    """Members and non-members, at most so many of each, drawn with a fixed seed.

    Raises:
        UserError: the split file does not fit the records, or the data set has no training set of its own.
    """
    path, limit = settings.split, settings.max_records
    if path is None:
        if records.in_training_set is None:
            raise UserError(
                "split: this data set has no training set of its own; name a text file with the members' file names, or an .npz with members "
                "and nonmembers"
            )
        return draw_split(records, SplitSettings(max_members=limit, max_nonmembers=limit), seed=0)
    rows = _listed_members(path, records) if path.suffix == ".txt" else _both_sides(path, records)
    for side, chosen in zip(SIDES, rows, strict=True):
        if len(chosen) < 2:
            raise UserError(f"{path}: 2 or more {side} are needed, and it leaves {len(chosen)}")
    if len(np.intersect1d(*rows)):
        raise UserError(f"{path}: a record is both a member and a non-member")
    members, nonmembers = (np.random.default_rng(0).permutation(chosen)[:limit] for chosen in rows)
    return Split(members, nonmembers, np.zeros(0, np.int64))


def _listed_members(path: Path, records: Records) -> tuple[np.ndarray, np.ndarray]:
    """Rows of those in a text file, one name in each line, and of all others."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({first_line(error)})") from error
    members = _rows_of(path, [line for line in lines if line], records)
    return members, np.setdiff1d(np.arange(len(records.labels)), members)


def _both_sides(path: Path, records: Records) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both sides in an `.npz` of row numbers or names."""
    arrays, sides = safe_arrays(path), []
    for side in SIDES:
        given = arrays.get(side)
        if given is None or given.ndim != 1 or given.dtype.kind not in "iuU":
            raise UserError(f"{path}: needs an array {side}, a list of row numbers or of names")
        if given.dtype.kind == "U":
            sides.append(_rows_of(path, given.tolist(), records))
            continue
        if len(given) and (given.min() < 0 or given.max() >= len(records.labels)):
            raise UserError(f"{path}: {side} must be rows in 0 to {len(records.labels) - 1}")
        sides.append(_all_different(path, given.astype(np.int64), given.tolist()))
    return sides[0], sides[1]


def _rows_of(path: Path, names: Sequence[str], records: Records) -> np.ndarray:
    if records.names is None:
        raise UserError(f"{path}: the records of this data set have no names; give row numbers")
    rows = {str(name): row for row, name in enumerate(records.names)}
    if unknown := [name for name in names if name not in rows]:
        raise UserError(
            f"{path}: {len(unknown)} of {len(names)} names belong to no record, the first of them {unknown[0]!r}; records are named like {str(records.names[0])!r}"
        )
    return _all_different(path, np.array([rows[name] for name in names], np.int64), names)


def _all_different(path: Path, rows: np.ndarray, given: Sequence) -> np.ndarray:
    values, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        twice = np.flatnonzero(rows == values[counts > 1][0])[0]
        raise UserError(f"{path}: {given[twice]!s} is listed twice")
    return rows
