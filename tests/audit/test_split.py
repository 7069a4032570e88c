"""Who was in the training set of an audited model, as files say it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers import checkpoint, refused
from robustmia.audit.split import audited_split
from robustmia.data.digits import Digits

UNNAMED = Digits(name="digits").load(Path())
COUNT = len(UNNAMED.labels)
NAMED = replace(UNNAMED, names=np.array([f"{label}/{row:04d}.png" for row, label in enumerate(UNNAMED.labels)]))


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    if isinstance(content, dict):
        np.savez(path, **content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(str(content))
    return path


ROWS = {"members": np.arange(40, 10, -1), "nonmembers": np.arange(50, 100)}
SPLITS = {
    "rows.npz": ROWS,
    "names.npz": {side: NAMED.names[rows] for side, rows in ROWS.items()},
}


@pytest.mark.parametrize("name", SPLITS)
def test_both_sides_are_those_of_the_file(tmp_path, name):
    split = audited_split(checkpoint(tmp_path, split=write(tmp_path, name, SPLITS[name])), NAMED)
    assert sorted(split.members) == list(range(11, 41))
    assert sorted(split.nonmembers) == list(range(50, 100))


def test_a_text_file_names_the_members_and_all_others_are_non_members(tmp_path):
    lines = "\r\n".join(["", *NAMED.names[ROWS["members"]], "", ""])
    split = audited_split(checkpoint(tmp_path, split=write(tmp_path, "members.txt", lines)), NAMED)
    assert sorted(split.members) == list(range(11, 41))
    assert sorted([*split.members, *split.nonmembers]) == list(range(COUNT))


def test_as_many_are_drawn_as_asked_for_in_the_same_way(tmp_path):
    files = [write(tmp_path, name, content) for name, content in SPLITS.items()]
    first, second = (audited_split(checkpoint(tmp_path, split=file, max_records=7), NAMED) for file in files)
    assert len(set(first.members)) == len(set(first.nonmembers)) == 7
    assert set(first.members) <= set(ROWS["members"])
    np.testing.assert_array_equal(first.members, second.members)
    np.testing.assert_array_equal(first.nonmembers, second.nonmembers)


BAD = {
    "one side alone": ("s.npz", {"members": np.arange(5)}, "needs an array nonmembers"),
    "on both sides": ("s.npz", {"members": np.arange(5), "nonmembers": np.arange(3, 9)}, "both a member and a non-member"),
    "a row twice": ("s.npz", {"members": np.array([1, 7, 7]), "nonmembers": np.arange(3, 6)}, "7 is listed twice"),
    "beyond the last": ("s.npz", {"members": np.arange(5), "nonmembers": np.array([5, 1797])}, "rows in 0 to 1796"),
    "fractions": ("s.npz", {"members": np.arange(5) / 2, "nonmembers": np.arange(5, 9)}, "a list of row numbers or of names"),
    "one member": ("s.npz", {"members": np.arange(1), "nonmembers": np.arange(5, 9)}, "2 or more members"),
    "everyone": ("s.txt", "\n".join(NAMED.names), "2 or more nonmembers are needed, and it leaves 0"),
    "an unknown name": ("s.txt", "0/0000.png\nmine/0001.png", "1 of 2 names belong to no record, the first of them 'mine/0001.png'; records are named like '0/0000.png'"),
    "a name twice": ("s.txt", "0/0000.png\n1/0001.png\n0/0000.png", "0/0000.png is listed twice"),
    "no text": ("s.txt", b"\xff\xfe\x00", "cannot be read as text"),
    "no archive": ("s.npz", b"garbage", "cannot be read as .npz"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_split_file_is_named(tmp_path, case):
    name, content, words = BAD[case]
    with refused(f"{tmp_path / name}: ", words):
        audited_split(checkpoint(tmp_path, split=write(tmp_path, name, content)), NAMED)


def test_names_need_records_that_have_some(tmp_path):
    with refused("the records of this data set have no names; give row numbers"):
        audited_split(checkpoint(tmp_path, split=write(tmp_path, "s.txt", "0/0000.png")), replace(UNNAMED, names=None))


def test_a_data_set_without_a_training_set_needs_a_split_file(tmp_path):
    with refused("split: this data set has no training set of its own; name a text file"):
        audited_split(checkpoint(tmp_path, split=None), UNNAMED)


def test_without_a_split_file_the_members_are_the_data_sets_own_training_set(tmp_path):
    in_training_set = np.arange(COUNT) % 3 == 0
    split = audited_split(
        checkpoint(tmp_path, split=None, max_records=50), replace(UNNAMED, in_training_set=in_training_set)
    )
    assert in_training_set[split.members].all()
    assert not in_training_set[split.nonmembers].any()
    assert len(split.members) == len(split.nonmembers) == 50
