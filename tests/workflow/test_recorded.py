"""A run beside the recorded one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from helpers import ROOT
from robustmia.config.reading import read_config
from robustmia.config.schema import Config
from robustmia.files.tables import write_table
from robustmia.workflow.paths import Paths, filled
from robustmia.workflow.recorded import comparison_in_words, record


def config(folder: Path, **changes: object) -> Config:
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    raw["datasets"]["digits"] |= changes
    return read_config(raw | {"results_dir": str(folder)})


def write(folder: Path, tests: dict[str, float], seeds: int, deviation: float = 0.004) -> None:
    """The tables of a run: accuracies of two runs, and the number of seeds."""
    rows = [
        {"run": run, "test": value, "test sd": deviation, "train": 1.0, "train sd": 0.0} for run, value in tests.items()
    ]
    table, paths = pd.DataFrame([*rows, {"run": "(chance)"}]), Paths(str(folder))
    write_table(table, filled(paths.table, dataset="digits", table="paper"))
    write_table(pd.DataFrame({"seeds": [seeds]}), filled(paths.table, dataset="digits", table="membership_over_seeds"))


@pytest.fixture
def recorded(tmp_path) -> dict:
    (tmp_path / "then" / "tables" / "digits").mkdir(parents=True)
    write(tmp_path / "then", {"natural": 0.97, "pgd": 0.98}, seeds=10)
    (tmp_path / "now" / "tables" / "digits").mkdir(parents=True)
    return record(config(tmp_path / "then"))


def test_a_run_within_the_spread_says_so(tmp_path, recorded):
    write(tmp_path / "now", {"natural": 0.972, "pgd": 0.978, "mine": 0.3}, seeds=3)
    said = comparison_in_words(config(tmp_path / "now"), "digits", recorded)
    assert said.startswith(
        "All 4 numbers are within the spread over seeds of the run that docs/recorded.json has (10 seeds on "
    )


def test_what_is_beyond_the_spread_is_named(tmp_path, recorded):
    write(tmp_path / "now", {"natural": 0.97, "pgd": 0.95}, seeds=3)
    said = comparison_in_words(config(tmp_path / "now"), "digits", recorded)
    assert said.startswith("Of 4 numbers, these are beyond the spread over seeds of the run")
    assert said.endswith(": pgd, test: 95.0 in place of 98.0 ± 0.4.")


def test_other_settings_and_other_data_sets_are_not_compared(tmp_path, recorded):
    write(tmp_path / "now", {"natural": 0.97, "pgd": 0.5}, seeds=3)
    other = config(tmp_path / "now", threat_model={"norm": "linf", "epsilon": 0.2})
    assert "the two are not compared" in comparison_in_words(other, "digits", recorded)
    same = config(tmp_path / "now", resources={"shadow_models_per_job": 1})
    assert "beyond the spread" in comparison_in_words(same, "digits", recorded)
    assert comparison_in_words(other, "mine", recorded) == ""


def test_runs_of_the_same_kind_are_rarely_beyond_it(tmp_path, recorded):
    """In 5 % of the runs is any number of the table named, up to Monte Carlo error (10 % is 1.8 standard errors above)."""
    random, named = np.random.default_rng(0), 0
    for _ in range(60):
        then = random.normal(0.97, 0.004, (10, 2))
        now = random.normal(0.97, 0.004, (3, 2))
        write(
            tmp_path / "then",
            dict(zip(("natural", "pgd"), then.mean(0), strict=True)),
            10,
            float(then.std(0, ddof=1).mean()),
        )
        write(tmp_path / "now", dict(zip(("natural", "pgd"), now.mean(0), strict=True)), 3)
        named += "beyond" in comparison_in_words(config(tmp_path / "now"), "digits", record(config(tmp_path / "then")))
    assert named <= 6


def test_what_is_recorded_is_of_the_configuration_as_it_stands(tmp_path):
    """Else `make run` compares nothing: record again after a change of config.yaml."""
    import json

    from robustmia.workflow.recorded import RECORDED, settings_digest

    assert json.loads(RECORDED.read_text())["digits"]["settings"] == settings_digest(config(tmp_path), "digits")
