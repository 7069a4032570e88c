"""Configurations of version 0.1 are refused in a line that names what has moved."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from helpers import ROOT
from robustmia.config.old_form import MOVED, refuse_old_form
from robustmia.config.reading import read_config
from robustmia.errors import UserError


def config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def with_key(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A configuration with one more key."""
    group = raw
    *groups, last = path.split(".")
    for key in groups:
        group[key] = group.get(key) or {}
        group = group[key]
    group[last] = value
    return raw


@pytest.mark.parametrize("value", [1, None, {"a": 1}])
@pytest.mark.parametrize("pattern", MOVED)
def test_every_key_that_has_moved_is_refused_in_one_line(pattern, value):
    path = (
        pattern.replace("datasets.*", "datasets.digits").replace("runs.*", "runs.pgd").replace("audits.*", "audits.a")
    )
    with pytest.raises(UserError) as caught:
        read_config(with_key(config(), path, value))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("config: ")
    assert f"{path}: " in message
    assert MOVED[pattern] in message
    assert sum(MOVED[other] in message for other in MOVED) <= sum(MOVED[other] in MOVED[pattern] for other in MOVED)


def test_every_key_of_an_old_configuration_is_in_the_one_line():
    raw = config()
    del raw["datasets"]["digits"]["threat_model"]
    for path in ("datasets.digits.strong_attacks", "audits.a.steps", "audits.b.steps", "figures.exposed"):
        with_key(raw, path, 1)
    with pytest.raises(UserError) as caught:
        refuse_old_form(raw)
    message = str(caught.value)
    assert "\n" not in message
    for path in (
        *("datasets.digits.strong_attacks", "audits.a.steps", "audits.b.steps", "figures.exposed"),
        "datasets.digits.threat_model",
    ):
        assert f"{path}: " in message


def test_data_sets_without_a_threat_model_have_a_line_each():
    raw = config()
    del raw["datasets"]["digits"]["threat_model"]
    raw["datasets"] |= {"other": dict(raw["datasets"]["digits"]), "left_out": None}
    with pytest.raises(UserError) as caught:
        read_config(raw)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[1].strip() for line in lines] == [
        f"datasets.{name}.threat_model" for name in ("digits", "other")
    ]


def test_a_name_forges_no_line():
    with pytest.raises(UserError) as caught:
        refuse_old_form({"datasets": {"a\nb\x1b[2J": {"strong_attacks": 1}}})
    assert len(str(caught.value).splitlines()) == 1
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("path", sorted([ROOT / "config.yaml", *(ROOT / "configs").rglob("*.yaml")]))
def test_no_configuration_of_the_project_has_the_old_form(path):
    raw = yaml.safe_load(path.read_text())
    for dataset in (raw.get("datasets") or {}).values():
        if isinstance(dataset, dict):
            dataset.setdefault("threat_model", {})  # of the configuration that an overlay is laid over
    refuse_old_form(raw)


@pytest.mark.parametrize("raw", [None, [], "text", {}, {"datasets": None}, {"datasets": ["a"]}, {"datasets": {"a": 1}}])
def test_what_is_no_configuration_at_all_is_left_to_the_check(raw):
    refuse_old_form(raw)
