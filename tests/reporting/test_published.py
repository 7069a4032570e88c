"""The paper's published numbers beside ours."""

from __future__ import annotations

import pandas as pd
import pytest

from helpers import shared
from reporting_helpers import over_seeds, robustness_and_membership
from robustmia.files.tables import read_table
from robustmia.reporting.published import PUBLISHED, published_comparison, published_table, published_text

METHODS = {"natural": "natural", "mine": "pgd", "third": "trades", "fourth": "duality"}


def tables(accuracies=(0.55, 0.60, 0.58, 0.57)) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of four runs, whose I_B and I_A have these accuracies under the oracle rule."""
    robustness, membership = robustness_and_membership(runs=tuple(METHODS))
    for table in (robustness, membership):
        table["method"] = table.run.map(METHODS)
    by_seed = over_seeds(membership).assign(seeds=2, interval_covers="records and training")
    of_run = by_seed.run.map(dict(zip(METHODS, accuracies, strict=True)))
    oracle = by_seed.threshold_rule == "oracle"
    by_seed.loc[oracle, "mean"] = of_run[oracle]
    return robustness, by_seed.assign(low=by_seed["mean"] - 0.01, high=by_seed["mean"] + 0.02)


def test_the_data_file_is_what_the_authors_notebooks_say():
    theirs = read_table(shared("reference", "published_results.csv")).rename(columns={"dataset": "source"})
    pd.testing.assert_frame_equal(read_table(PUBLISHED), theirs)


def test_ours_stand_beside_the_papers_by_method_and_inputs():
    table = published_comparison("yale", *tables()).set_index(["run", "inputs"])
    assert list(table.index) == [(run, inputs) for run in METHODS for inputs in ("benign", "adversarial")]
    row = table.loc[("mine", "adversarial")]
    assert (row.method, row.seeds, row.interval_covers) == ("pgd", 2, "records and training")
    assert row.published == pytest.approx(0.6882561949621135, abs=1e-15)
    assert (row.published_train, row.published_test) == pytest.approx((0.99, 0.7762645914396887))
    assert (row.train, row.test) == pytest.approx((0.9, 0.5))
    assert (row["mean"], row.low, row.high) == pytest.approx((0.60, 0.59, 0.62))
    assert row.difference == pytest.approx(0.60 - 0.6882561949621135)
    assert row.chance == pytest.approx(0.514)
    assert row.honest == pytest.approx(0.71)
    assert table.loc[("mine", "benign")].published == pytest.approx(0.6168687282408356)


def test_methods_that_the_paper_has_not_there_are_left_out():
    table = published_comparison("cifar10", *tables())
    assert set(table.run) == {"natural", "mine", "third"}


def test_the_words_say_how_near_and_in_which_order():
    same = published_text(published_comparison("yale", *tables()), {run: [] for run in METHODS})
    assert "most for mine (-8.8)" in same[1]  # of I_A, where the paper has 68.8
    assert "rank correlation of +1.00" in same[1]
    comparison = published_comparison("yale", *tables((0.55, 0.58, 0.60, 0.57)))
    text = "\n".join(published_text(comparison, {run: [] for run in METHODS}))
    assert "rank correlation of +0.80" in text  # 54.3, 68.8, 65.6, 60.4 against 55, 58, 60, 57: two change places
    assert "include the variation between trainings" in text


def test_one_seed_has_no_intervals_to_compare_with():
    comparison = published_comparison("yale", *tables()).assign(seeds=1, low=None, high=None)
    text = "\n".join(published_text(comparison, {run: [] for run in METHODS}))
    assert "of our means" not in text
    assert "those with the oracle threshold have no intervals" in text
    assert "8 published" not in text
    several = published_text(published_comparison("yale", *tables()), {run: [] for run in METHODS})
    assert (
        "3 of 4 published numbers lie within the 95 % confidence intervals of our means" in several[0]
    )  # all but duality, 55.9


def test_what_all_runs_do_otherwise_is_said_once():
    comparison = published_comparison("yale", *tables())
    differences = {run: ["epochs 60 (210)"] for run in METHODS} | {"mine": ["epochs 60 (210)", "steps 7 (10)"]}
    text = "\n".join(published_text(comparison, differences))
    assert text.count("epochs 60 (210)") == 1
    assert "mine: steps 7 (10)." in text
    assert "third:" not in text


def test_the_table_is_in_percent_with_intervals():
    table = published_table(published_comparison("yale", *tables())).set_index(["run", "inputs"])
    row = table.loc[("mine", "adversarial")]
    assert row["published"] == "68.8"
    assert row["ours, oracle threshold (95 % CI)"] == "60.0 (59.0 to 62.0)"
    assert row["difference"] == "-8.8"
