"""The records of the digits, which several tests of data need."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustmia.data.digits import Digits
from robustmia.data.records import Records


@pytest.fixture(scope="session")
def digits() -> Records:
    return Digits(name="digits").load(Path("nowhere"))
