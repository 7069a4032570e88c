"""Fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers import Workflow

torch.set_num_threads(1)  # as jobs do: two workers with two threads each wait for one another many times longer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests come first, whole workflows last, the longest groups of them ahead of the others."""
    order = ["", "faults", "workflow", "extending"]

    def place(item: pytest.Item) -> tuple[bool, int]:
        marker = item.get_closest_marker("xdist_group")
        group = str(marker.args[0]) if marker else ""
        return "whole" in item.path.parts, order.index(group) if group else len(order)

    items.sort(key=place)


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return Workflow.copy(tmp_path / "workflow")
