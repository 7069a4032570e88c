"""The published numbers beside ours, in docs/reproduction.md and the README, are those of the recorded runs."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
import yaml

from helpers import ROOT
from robustmia.config.presets import PRESETS, differences_from_paper
from robustmia.config.reading import read_config
from robustmia.files.tables import read_table
from robustmia.reporting.labels import attack_in_words, p_value
from robustmia.reporting.numbers import interval, percent
from robustmia.reporting.published import published_table, published_text
from robustmia.reporting.tables import rows_of
from robustmia.workflow.recorded import RECORDED

PAGE, RECORDS = ROOT / "docs" / "reproduction.md", ROOT / "docs" / "reproduction"
CONCLUSIONS = ROOT / "docs" / "conclusions"
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


def conclusions(name: str) -> list[dict]:
    """The strongest attack on each run of a recorded run."""
    return rows_of(read_table(CONCLUSIONS / f"{name}.csv"))


def difference(row: dict) -> str:
    return percent(row["difference"], row["difference_low"], row["difference_high"], sign="+")


def cells(*texts: str) -> str:
    """A row of a table in Markdown."""
    return "".join(f"| {text} " if text else "| " for text in texts) + "|"


def test_the_readme_has_the_conclusions_on_digits():
    accuracies = {row["run"]: row["adv. test"] for row in json.loads(RECORDED.read_text())["digits"]["table"]}
    readme = (ROOT / "README.md").read_text()
    for row in conclusions("digits"):
        attack = attack_in_words(row["strongest"].rpartition("/")[0])
        accuracy = f"{percent(row['accuracy'])} ({interval(row['accuracy_low'], row['accuracy_high'])} %)"
        end = (difference(row), p_value(row["p_holm"]), percent(accuracies[row["run"]]))
        assert cells(row["run"], attack, accuracy, *end) in readme


@pytest.mark.parametrize("name", ["yale_small", "fashion_mnist_small"])
def test_the_page_has_the_conclusions_of_each_run(name):
    for row in conclusions(name):
        accuracy = percent(row["accuracy"], row["accuracy_low"], row["accuracy_high"])
        assert cells(row["run"], accuracy, difference(row), p_value(row["p_holm"])) in PAGE.read_text()


def test_the_readme_has_the_conclusions_on_the_faces():
    readme, by_run = (ROOT / "README.md").read_text(), {row["run"]: row for row in conclusions("yale_small")}
    assert {run for run, row in by_run.items() if row["significant"] is True} == {"pgd", "trades", "ibp"}
    points = {run: f"{100 * row['difference']:.0f}" for run, row in by_run.items()}
    p = {run: p_value(row["p_holm"]) for run, row in by_run.items()}
    assert f"reveal {points['pgd']} and {points['trades']} percentage points more than natural ones" in readme
    assert f"(p {p['pgd']} and {p['trades']} over three seeds" in readme
    assert f"those of `ibp` {points['ibp']} points more (p {p['ibp']})" in readme
    assert f"`abstract_interpretation` (+{points['abstract_interpretation']})" in readme
    assert f"`distributional` (+{points['distributional']})" in readme


def test_the_readme_has_the_conclusions_on_small_fashion_mnist():
    readme = (ROOT / "README.md").read_text()
    by_run = {row["run"]: row for row in conclusions("fashion_mnist_small")}
    natural, pgd, trades = (percent(by_run[run]["accuracy"]) for run in ("natural", "pgd", "trades"))
    assert f"has {natural} % on natural models, from clean inputs, and {pgd} and {trades} % on those of" in readme
    bounded = [by_run[run] for run in ("duality", "ibp", "abstract_interpretation")]
    least, most = (f"{-100 * pick(row['difference'] for row in bounded):.0f}" for pick in (max, min))
    assert f"reveal {least} to {most} points less (p at most {max(row['p_holm'] for row in bounded):.3f})" in readme


def test_the_power_of_the_tests_is_that_of_the_conclusions_on_digits():
    table = runpy.run_path(str(ROOT / "benchmarks" / "power.py"))["power_table"](read_table(CONCLUSIONS / "digits.csv"))
    page = (ROOT / "docs" / "statistics.md").read_text()
    assert [row for row in table.to_numpy().tolist() if cells(*row) not in page] == []
