"""The map of the package in docs/architecture.md has every module."""

from __future__ import annotations

import re

from helpers import ROOT

PACKAGE = ROOT / "scripts" / "robustmia"
ONE_FOR_EACH = ("figures", "networks")
"""Folders of which the map says that they have one module for each figure or network."""


def test_the_map_names_every_module():
    text = (ROOT / "docs" / "architecture.md").read_text()
    modules = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    missing = [path for path in modules if not re.search(rf"(?<!\w){re.escape(path.name)}", text)]
    assert [path for path in missing if path.parent.name not in ONE_FOR_EACH] == []


def test_the_map_names_no_module_that_is_not_there():
    tree = (ROOT / "docs" / "architecture.md").read_text().partition("```\nscripts/robustmia/\n")[2].partition("```")[0]
    assert "paths.py" in tree
    assert {*re.findall(r"(?<!\w)\w+\.py\b", tree)} <= {path.name for path in PACKAGE.rglob("*.py")}
