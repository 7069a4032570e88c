"""A run without faults, and its tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fault_helpers import prepare, tables
from helpers import Workflow


@pytest.fixture(scope="session")
def whole(finished_run) -> Workflow:
    """A run without faults."""
    return finished_run("whole", prepare)


@pytest.fixture(scope="session")
def undisturbed(whole: Workflow) -> dict[str, bytes]:
    """Its tables, histories and models."""
    return tables(whole)


@pytest.fixture
def finished(tmp_path: Path, whole: Workflow) -> Workflow:
    """A copy of it."""
    shutil.copytree(whole.folder, tmp_path / "workflow")
    return Workflow(tmp_path / "workflow")
