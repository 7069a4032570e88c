"""Who is a member: the records that the target model is trained on, and those that it is not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustmia.data.records import Records
from robustmia.errors import UserError
from robustmia.files.arrays import load_arrays, save_arrays
from robustmia.settings import SplitSettings

MANY_DUPLICATES = 0.01  # of the non-members, above which they matter


@dataclass(frozen=True)
class Split:
    """Rows of the records, int64 each: disjoint, and together all of them, as `draw_split` draws them."""

    members: np.ndarray
    nonmembers: np.ndarray
    shadow_pool: np.ndarray

    def save(self, path: str | Path) -> None:
        """Write one `.npz`."""
        save_arrays(path, vars(self))

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """Read what `save` wrote; a damaged file is a `DamagedError`."""
        return cls(**load_arrays(path))


def draw_split(records: Records, settings: SplitSettings, seed: int) -> Split:
    """Draw members and non-members.

    The order of random draws is that of the paper's Yale split: numpy's legacy generator; one permutation for each class
    in the order of the labels, its head to the members; then one permutation of all members and one of all others. Seed 0
    and 50 members of each class give the sequence of labels of the authors' released files.

    Raises:
        UserError: a class has too few images, a class of the settings does not exist, or the data set has no training set of its own and no rule is given.
    """
    random = np.random.RandomState(seed)
    if settings.member_fraction is None and settings.members_per_class is None:
        candidates = _own_sets(records)
    else:
        candidates = _stratified_sets(records, settings, random)
    shuffled = [random.permutation(rows) for rows in candidates]
    is_chosen = in_classes(records, settings.classes)
    members, nonmembers = (rows[is_chosen[rows]] for rows in shuffled)
    if min(len(members), len(nonmembers)) < 2:
        raise UserError(
            f"datasets.*.split: {len(members)} members and {len(nonmembers)} non-members; at least 2 of each are needed"
        )
    kept_members, rest_members = np.split(members, [settings.max_members or len(members)])
    kept_nonmembers, rest_nonmembers = np.split(nonmembers, [settings.max_nonmembers or len(nonmembers)])
    return Split(
        kept_members,
        kept_nonmembers,
        np.concatenate([rest_members, rest_nonmembers, *(rows[~is_chosen[rows]] for rows in shuffled)]),
    )


def in_classes(records: Records, classes: tuple[str, ...] | None) -> np.ndarray:
    """Which records are of some classes, by their names, bool [N]; None: of any.

    Raises:
        UserError: the data set has no such class.
    """
    if classes is None:
        return np.ones(len(records.labels), bool)
    for name in classes:
        if name not in records.class_names:
            raise UserError(
                f"datasets.*.split.classes: there is no class {name!r}; the classes are {', '.join(records.class_names)}"
            )
    return np.isin(records.labels, [records.class_names.index(name) for name in classes])


def _own_sets(records: Records) -> tuple[np.ndarray, np.ndarray]:
    if records.in_training_set is None:
        raise UserError(
            "datasets.*.split: the data set has no training set of its own; give member_fraction or members_per_class"
        )
    return np.flatnonzero(records.in_training_set), np.flatnonzero(~records.in_training_set)


def held_out_pool(records: Records, split: Split, classes: tuple[str, ...] | None) -> np.ndarray:
    """The records of the chosen classes that are neither members nor non-members, in the order in which some are held out for early stopping."""
    return split.shadow_pool[in_classes(records, classes)[split.shadow_pool]]


def _stratified_sets(
    records: Records, settings: SplitSettings, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    members, nonmembers, is_chosen = [], [], in_classes(records, settings.classes)
    for label, name in enumerate(records.class_names):
        rows = random.permutation(np.flatnonzero(records.labels == label))
        count = settings.members_per_class or round((settings.member_fraction or 0.0) * len(rows))
        if not 0 < count < len(rows) and is_chosen[rows].any():
            raise UserError(
                f"datasets.*.split: class {name!r} has {len(rows)} images, too few for {count} members and at least one "
                "non-member; lower members_per_class, change member_fraction, or add images"
            )
        members.append(rows[:count])
        nonmembers.append(rows[count:])
    return np.concatenate(members), np.concatenate(nonmembers)


def duplicates(images: np.ndarray, members: np.ndarray, nonmembers: np.ndarray) -> np.ndarray:
    """Rows of the non-members that have exactly the same image as a member; no attack can tell such records apart.

    Args:
        images: of all records, [N, C, H, W].
        members: rows.
        nonmembers: rows.
    """
    seen = {hashlib.sha256(images[row].tobytes()).digest() for row in members}
    return np.array([row for row in nonmembers if hashlib.sha256(images[row].tobytes()).digest() in seen], np.int64)


def duplicates_in_words(count: int, nonmembers: int) -> str:
    """How many non-members are duplicates, and what that means, in a sentence; none are not worth one."""
    if not count:
        return ""
    part = f"{count} of {nonmembers} non-members ({100 * count / nonmembers:.1f} %) have exactly the same image as a member"
    if count <= MANY_DUPLICATES * nonmembers:
        return f"{part}."
    return f"{part}; no attack can tell them apart, so that membership inference looks weaker than it is. Remove duplicates from the data set."
