"""Fixtures that all tests share."""

from __future__ import annotations

import os

# Before numpy and torch are imported, and as jobs do: two workers with two threads each wait for one another many times longer.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

from pathlib import Path

import pytest

from helpers import Workflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests come first, whole workflows last."""
    items.sort(key=lambda item: "whole" in item.path.parts)


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return Workflow.copy(tmp_path / "workflow")
