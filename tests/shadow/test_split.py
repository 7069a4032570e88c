"""Which records each shadow model is trained on."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from helpers import refused
from robustmia.data.records import Records
from robustmia.data.split import draw_split
from robustmia.settings import SplitSettings
from robustmia.shadow.naming import shadow_spec
from robustmia.shadow.split import possible_members, shadow_split, shadow_splits


@pytest.mark.parametrize("counts", [(50, 31, 7), (2, 2, 3)])
@pytest.mark.parametrize(("part", "models"), [(0.5, 8), (0.787, 10), (0.3, 7)])
def test_records_and_classes_are_shared_out(counts, part, models):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), counts))
    members = round(part * len(labels))
    splits = [shadow_split(labels, members, 3, model) for model in range(models)]
    in_mask = np.array([np.isin(np.arange(len(labels)), split.members) for split in splits])
    expected = models * members / len(labels)
    assert set(in_mask.sum(axis=0)) <= {int(np.floor(expected)), int(np.ceil(expected))}
    for split in splits:
        assert len(split.members) == members
        assert np.array_equal(np.sort(np.concatenate([split.members, split.nonmembers])), np.arange(len(labels)))
        shares = [(labels[split.members] == k).sum() - members * counts[k] / len(labels) for k in range(3)]
        assert np.abs(shares).max() <= 5  # a block may cross into the next order
    assert len({tuple(split.members) for split in splits}) > models / 2


def test_halves_of_an_even_number_are_complements_of_one_another_two_at_a_time():
    labels = np.zeros(50, int)
    splits = [shadow_split(labels, 25, 0, model) for model in range(4)]
    assert np.array_equal(splits[0].members, splits[1].nonmembers)
    assert np.array_equal(splits[2].members, splits[3].nonmembers)
    assert not np.array_equal(splits[0].members, splits[2].members)


def test_every_seed_has_other_shadow_models():
    labels = np.zeros(50, int)
    assert not np.array_equal(*(shadow_split(labels, 25, seed, 0).members for seed in (0, 1)))
    assert len({shadow_spec({"seed": seed}, model)["seed"] for seed in (0, 1) for model in (0, 1)}) == 4


def of_target(split: dict, models: int, **more: int) -> dict:
    return {"models": list(range(models)), "split": SplitSettings(**split).model_dump(), "seed": 0, **more}


def faces() -> Records:
    labels = np.sort(np.arange(2414) % 38)  # 63 or 64 images of each
    names = tuple(map(str, range(38)))
    return Records(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, names)


def test_shadow_models_have_as_many_members_as_a_target():
    """1,900 of 2,414 records of Yale faces, of which ten models leave out each record twice."""
    splits = shadow_splits(of_target({"members_per_class": 50}, 10, shadow_models=10), faces())
    assert {len(split.members) for split in splits.values()} == {1900}
    left_out = np.concatenate([split.nonmembers for split in splits.values()])
    assert np.bincount(left_out, minlength=2414).min() == 2


def test_too_few_to_share_out_the_records_have_the_nearest_number_and_say_so(caplog):
    with caplog.at_level(logging.WARNING):
        splits = shadow_splits(of_target({"members_per_class": 50}, 8, shadow_models=8), faces())
    assert {len(split.members) for split in splits.values()} == {1810}
    assert "trained on 1810 records each, target models on 1900" in caplog.text
    assert "a higher number of shadow_models" in caplog.text
    left_out = np.concatenate([split.nonmembers for split in splits.values()])
    assert np.bincount(left_out, minlength=2414).min() == 2
    assert possible_members(60_000, 1000, 8) == 15_000
    assert possible_members(1797, 898, 6) == 898


def test_shadow_models_of_other_records_have_none_of_the_targets():
    settings = {"members_per_class": 20, "max_members": 700, "max_nonmembers": 700}
    spec = of_target(settings, 8, shadow_models=8, other_records=True) | {"seed": 5}
    target = draw_split(faces(), SplitSettings(**settings), seed=5)
    splits = shadow_splits(spec, faces())
    members = np.concatenate([split.members for split in splits.values()])
    nonmembers = np.concatenate([split.nonmembers for split in splits.values()])
    assert set(members) == set(nonmembers) == set(target.shadow_pool)
    assert min(np.bincount(rows, minlength=2414)[target.shadow_pool].min() for rows in (members, nonmembers)) >= 2
    assert len({tuple(split.members) for split in splits.values()}) == 8


def test_shadow_models_of_a_target_of_some_classes_are_of_these_alone():
    splits = shadow_splits(of_target({"member_fraction": 0.5, "classes": ["3", "4"]}, 8), faces())
    rows = np.flatnonzero(np.isin(faces().labels, (3, 4)))
    for split in splits.values():
        assert np.array_equal(np.sort(np.concatenate([split.members, split.nonmembers])), rows)
        assert len(split.members) == len(
            draw_split(faces(), SplitSettings(member_fraction=0.5, classes=[3, 4]), 0).members
        )


def test_of_a_large_pool_so_many_records_are_taken_that_members_stay_as_many_as_the_targets():
    """38 members of 2,414 records: eight models are members of each of 152 records twice."""
    settings = {"members_per_class": 20, "max_members": 38, "max_nonmembers": 40}
    target = draw_split(faces(), SplitSettings(**settings), seed=0)
    splits = shadow_splits(of_target(settings, 8, shadow_models=8), faces())
    taken = {row for split in splits.values() for row in (*split.members, *split.nonmembers)}
    assert len(taken) == 152
    assert {*target.members, *target.nonmembers} <= taken
    for split in splits.values():
        assert len(split.members) == 38
    members = np.concatenate([split.members for split in splits.values()])
    assert (np.bincount(members)[sorted(taken)] == 2).all()


def test_records_held_out_of_a_target_of_some_classes_are_of_these():
    settings = {"member_fraction": 0.5, "classes": ["3", "4"], "max_nonmembers": 10}
    splits = shadow_splits(of_target(settings, 8, shadow_models=8, held_out=60), faces())  # there are 54
    for split in splits.values():
        assert set(faces().labels[split.shadow_pool]) == {3, 4}


def test_too_few_other_records_are_refused():
    with refused("the split leaves 0 records", "max_nonmembers"):
        shadow_splits(of_target({"member_fraction": 0.5}, 8, shadow_models=8, other_records=True), faces())


def test_records_that_are_held_out_for_early_stopping_are_the_targets_and_no_shadow_models():
    settings = {"members_per_class": 20, "max_nonmembers": 1000}
    target = draw_split(faces(), SplitSettings(**settings), seed=5)
    for other in ({}, {"other_records": True}):
        splits = shadow_splits(of_target(settings, 8, shadow_models=8, held_out=50, **other) | {"seed": 5}, faces())
        for split in splits.values():
            assert np.array_equal(split.shadow_pool, target.shadow_pool[:50])
            assert not set(split.shadow_pool) & {*split.members, *split.nonmembers}
