"""Who is a member."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import refused
from robustmia.data.records import Records
from robustmia.data.split import Split, draw_split, duplicates, duplicates_in_words
from robustmia.settings import SplitSettings


@pytest.mark.parametrize(
    "settings",
    [
        SplitSettings(member_fraction=0.5),
        SplitSettings(member_fraction=0.9, max_members=77),
        SplitSettings(members_per_class=30, max_members=100, max_nonmembers=50),
    ],
)
def test_a_split_is_disjoint_whole_and_drawn_from_the_seed(digits, settings, tmp_path):
    split = draw_split(digits, settings, seed=4)
    rows = np.concatenate([split.members, split.nonmembers, split.shadow_pool])
    assert sorted(rows.tolist()) == list(range(1797))
    assert len(split.members) <= (settings.max_members or 1797)
    assert len(split.nonmembers) <= (settings.max_nonmembers or 1797)
    again, other = draw_split(digits, settings, seed=4), draw_split(digits, settings, seed=5)
    assert np.array_equal(again.members, split.members)
    assert not np.array_equal(other.members, split.members)
    split.save(tmp_path / "split.npz")
    assert np.array_equal(Split.load(tmp_path / "split.npz").shadow_pool, split.shadow_pool)


def test_halves_are_stratified(digits):
    split = draw_split(digits, SplitSettings(member_fraction=0.5), seed=0)
    assert len(split.members) == 898
    members, nonmembers = np.bincount(digits.labels[split.members]), np.bincount(digits.labels[split.nonmembers])
    assert np.abs(members - nonmembers).max() <= 1


def test_a_data_sets_own_sets_are_used(digits):
    own = Records(digits.images, digits.labels, digits.class_names, np.arange(1797) < 1000)
    split = draw_split(own, SplitSettings(max_members=900), seed=0)
    assert split.members.max() < 1000
    assert len(split.members) == 900
    assert sorted(split.nonmembers) == list(range(1000, 1797))
    assert len(split.shadow_pool) == 100


def test_records_of_other_classes_go_to_the_shadow_pool(digits):
    settings = SplitSettings(member_fraction=0.5, classes=[3, "7"], max_members=100)
    split, of_all = draw_split(digits, settings, seed=4), draw_split(digits, SplitSettings(member_fraction=0.5), seed=4)
    wanted = np.isin(digits.labels, [3, 7])
    assert wanted[split.members].all()
    assert wanted[split.nonmembers].all()
    assert len(split.members) == 100
    rows = np.concatenate([split.members, split.nonmembers, split.shadow_pool])
    assert sorted(rows.tolist()) == list(range(1797))
    assert set(split.nonmembers) == {row for row in of_all.nonmembers if wanted[row]}
    with refused("split.classes", "no class '11'", "0, 1, 2"):
        draw_split(digits, SplitSettings(member_fraction=0.5, classes=[3, 11]), seed=0)


def test_a_class_that_is_not_chosen_may_be_too_small(digits):
    settings = {"members_per_class": 174, "classes": [3, 4]}  # there are 174 images of 8
    split = draw_split(digits, SplitSettings(**settings), seed=0)
    assert np.bincount(digits.labels[split.members]).tolist() == [0, 0, 0, 174, 174]
    rows = np.concatenate([split.members, split.nonmembers, split.shadow_pool])
    assert sorted(rows.tolist()) == list(range(1797))


def test_splits_that_cannot_be_drawn_are_named(digits):
    with refused("split", "class '8'", "174 images", "members_per_class"):
        draw_split(digits, SplitSettings(members_per_class=174), seed=0)
    with refused("split", "member_fraction", "members_per_class"):
        draw_split(digits, SplitSettings(), seed=0)


def test_images_on_both_sides_of_a_split_are_counted():
    images = np.random.default_rng(0).integers(256, size=(20, 3, 4, 4), dtype=np.uint8)
    images[15], images[16], images[17] = (
        images[2],
        images[2],
        images[16],
    )  # two copies of a member; one more of a non-member
    images[18, 0, 0, 0] += 1
    members, nonmembers = np.arange(10), np.arange(10, 20)
    assert duplicates(images, members, nonmembers).tolist() == [15, 16, 17]
    assert duplicates_in_words(3, 10).startswith("3 of 10 non-members (30.0 %)")
    assert "Remove duplicates" in duplicates_in_words(3, 10)
    assert "Remove" not in duplicates_in_words(1, 100)
    assert duplicates_in_words(0, 100) == ""
