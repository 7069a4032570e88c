"""The published numbers beside ours, in docs/reproduction.md and the README, are those of the recorded runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from helpers import ROOT
from robustmia.config.presets import PRESETS, differences_from_paper
from robustmia.config.reading import read_config
from robustmia.files.tables import read_table
from robustmia.reporting.published import published_table, published_text
from robustmia.reporting.tables import rows_of

PAGE, RECORDS = ROOT / "docs" / "reproduction.md", ROOT / "docs" / "reproduction"
each_record = pytest.mark.parametrize("path", sorted(RECORDS.glob("*.csv")), ids=lambda path: path.stem)


def words(path: Path) -> list[str]:
    """What the pipeline says below the table of a record, with the settings of the preset of this name."""
    name = path.stem
    raw = yaml.safe_load((PRESETS / f"{name}.yaml").read_text())["datasets"]
    dataset = read_config({"datasets": {name: raw[name]}}).datasets[name]
    return published_text(read_table(path), differences_from_paper(dataset))


def test_there_is_a_record():
    assert [*RECORDS.glob("*.csv")]


@each_record
def test_the_page_has_the_table_of_each_record(path):
    table = published_table(read_table(path)).to_markdown(index=False, disable_numparse=True)
    assert table in PAGE.read_text()


@each_record
def test_the_page_has_the_words_of_each_record(path):
    page = PAGE.read_text()
    assert [paragraph for paragraph in words(path) if paragraph not in page] == []


def test_the_readme_has_the_numbers_of_the_faces():
    comparison = read_table(RECORDS / "yale_small.csv")
    readme = (ROOT / "README.md").read_text()
    for run, rows in comparison.groupby("run"):
        cells = {row["inputs"]: row for row in rows_of(rows)}
        line = [str(run)]
        for inputs in ("benign", "adversarial"):
            row = cells[inputs]
            interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
            line += [f"{100 * row['published']:.1f}", f"{100 * row['mean']:.1f} ({interval})"]
        assert f"| {' | '.join(line)} |" in readme
