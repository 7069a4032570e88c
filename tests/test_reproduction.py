"""The published numbers beside ours, in docs/reproduction.md and the README, are those of the recorded runs."""

from __future__ import annotations

import pytest

from helpers import ROOT
from robustmia.files.tables import read_table
from robustmia.reporting.published import published_table
from robustmia.reporting.tables import rows_of

PAGE, RECORDS = ROOT / "docs" / "reproduction.md", ROOT / "docs" / "reproduction"


def test_there_is_a_record():
    assert [*RECORDS.glob("*.csv")]


@pytest.mark.parametrize("path", sorted(RECORDS.glob("*.csv")), ids=lambda path: path.stem)
def test_the_page_has_the_table_of_each_record(path):
    table = published_table(read_table(path)).to_markdown(index=False, disable_numparse=True)
    assert table in PAGE.read_text()


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
