"""What differs from the paper's protocol, by the overlays that have it."""

from __future__ import annotations

import pytest
import yaml

from helpers import ROOT
from robustmia.config.presets import IN_PAPER, PRESETS, differences_from_paper
from robustmia.config.reading import read_config
from robustmia.config.schema import DatasetSettings


def settings_of(overlay: str, name: str, **changes: object) -> DatasetSettings:
    raw = yaml.safe_load((PRESETS / overlay).read_text())["datasets"][name]
    return read_config({"datasets": {name: raw | changes}}).datasets[name]


@pytest.mark.parametrize("source", IN_PAPER)
def test_an_overlay_differs_in_nothing_from_itself(source):
    found = differences_from_paper(settings_of(f"{source}.yaml", source))
    assert found
    assert not any(found.values())


def test_another_number_format_is_a_difference():
    found = differences_from_paper(settings_of("yale.yaml", "yale", engine={"precision": "bfloat16", "compile": True}))
    assert set(map(tuple, found.values())) == {("engine precision bfloat16 (float32)",)}


def test_each_changed_setting_is_named_with_the_papers_value():
    dataset = settings_of("yale_small.yaml", "yale_small")
    found = differences_from_paper(dataset)
    assert set(found) == set(dataset.runs)
    for run in found:
        assert "images size 48 x 42 (not set)" in found[run]
    assert "training schedule one_cycle (piecewise)" in found["ibp"]
    assert "training schedule epochs 46, 54 (105, 130, 155, 180)" in found["duality"]
    assert "method weight rises True (False)" in found["abstract_interpretation"]
    assert "training epochs 60 (210)" in found["pgd"]
    assert "training epochs 60 (150)" in found["trades"]
    assert "method epsilon 0.0314 (0.06275)" in found["duality"]
    assert not [item for items in found.values() for item in items if "monitor" in item or "path" in item]


def test_a_group_of_another_name_is_one_difference():
    (schedule,) = [
        item
        for item in differences_from_paper(settings_of("yale_small.yaml", "yale_small"))["natural"]
        if "schedule" in item
    ]
    assert schedule == "training schedule one_cycle (piecewise)"


def test_runs_of_methods_that_the_paper_lacks_there_and_other_data_sets_have_none():
    digits = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert differences_from_paper(read_config(digits).datasets["digits"]) == {}
    runs = {"mine": {"method": {"name": "ibp"}}, "n": {"method": {"name": "natural"}}}
    found = differences_from_paper(settings_of("cifar10.yaml", "cifar10", runs=runs))
    assert set(found) == {"n"}
