"""What is written from the settings models is in step with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from helpers import ROOT
from robustmia.config.docs import all_of_paper, configuration_page, editor_schema
from robustmia.config.schema import Config

FILES = [ROOT / "config.yaml", *sorted((ROOT / "configs").rglob("*.yaml"))]


def test_the_configuration_page_is_in_step():
    assert (ROOT / "docs" / "configuration.md").read_text() == configuration_page(), "run make docs"


def test_the_configuration_page_has_every_key():
    """Of every group of settings that a configuration can have."""
    page = configuration_page()
    groups = Config.model_json_schema()["$defs"].items()
    missing = [
        f"{group}.{key}"
        for group, schema in groups
        for key, field in schema.get("properties", {}).items()
        if (key not in ("name", "kind") and f"| `{key}` |" not in page) or field.get("description", "") not in page
    ]
    assert not missing


def test_the_schema_for_editors_is_in_step():
    assert json.loads((ROOT / "config.schema.json").read_text()) == editor_schema(), "run make docs"


def test_the_file_of_the_whole_paper_has_what_its_data_sets_have():
    text = (ROOT / "configs" / "paper" / "all.yaml").read_text()
    assert text == all_of_paper(), "run make docs"
    expected = {}
    for name in ("yale", "fashion_mnist", "cifar10"):
        expected |= yaml.safe_load((ROOT / "configs" / "paper" / f"{name}.yaml").read_text())["datasets"]
    assert yaml.safe_load(text)["datasets"] == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_schema_accepts_every_configuration(path: Path):
    Draft202012Validator(editor_schema()).validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("sedes",), 3),
        (("seeds",), "many"),
        (("datasets", "digits", "threat_model", "norm"), "l7"),
        (("datasets", "digits", "runs", "pgd", "method", "stepz"), 3),
        (("datasets", "digits", "training", "optimizer", "name"), "lion"),
        (("figures", "rock"), {}),
    ],
)
def test_the_schema_refuses_mistakes(place, value):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    group = raw
    for key in place[:-1]:
        group = group[key]
    group[place[-1]] = value
    assert not Draft202012Validator(editor_schema()).is_valid(raw)
