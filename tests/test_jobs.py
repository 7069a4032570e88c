"""What surrounds a job: the record of how its result came about."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from robustmia.jobs import job


class Named(dict):
    """Snakemake's outputs: by name, as items or as attributes."""

    __getattr__ = dict.__getitem__


@pytest.fixture
def training(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """What Snakemake would give a script; the log that a job opens is closed afterwards."""
    yield SimpleNamespace(
        rule="train",
        wildcards=["digits", "pgd", "0"],
        params=SimpleNamespace(spec={"seed": 7, "method": {"class": "a:B"}}, code="0123abcd"),
        output=Named(spec=tmp_path / "spec.json"),
        log=[tmp_path / "log.txt"],
    )
    logging.basicConfig(handlers=[], force=True)


def test_spec_json_says_of_what_code_settings_and_versions_a_result_is(training):
    with job(training):
        pass
    written = json.loads(training.output.spec.read_text())
    assert written["spec"] == {"seed": 7, "method": {"class": "a:B"}}
    assert written["code"] == "0123abcd"
    assert written["versions"]["numpy"] == np.__version__
    assert 0 <= written["seconds"] < 60
    assert set(written) == {"spec", "code", "git_revision", "versions", "device", "seconds"}
    assert "train digits pgd 0 took" in training.log[0].read_text()


def test_a_job_that_fails_leaves_no_spec(training):
    message = r"robustmia: train digits pgd 0: KeyError: 'x' \(traceback in .*log\.txt\)"
    with pytest.raises(SystemExit, match=message), job(training):
        raise KeyError("x")
    assert not training.output.spec.exists()
    assert "Traceback" in training.log[0].read_text()
