"""Every run in one table: how well its models classify, and what attacks find out about their members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from robustmia.reporting.labels import PAPER_STRATEGIES, attack_in_words, p_value
from robustmia.reporting.numbers import interval, percent
from robustmia.reporting.tables import rows_of

TEST_ACCURACIES = {
    "test_accuracy": "clean accuracy",
    "adv_test_accuracy": "adv. accuracy",
    "verified_test_accuracy": "verified accuracy",
}
HIGHEST = {
    "auc": "highest AUC",
    "tpr_at_1pct_fpr": "TPR at 1 % FPR",
    "tpr_at_0.1pct_fpr": "TPR at 0.1 % FPR",
}


@dataclass(frozen=True)
class Cell:
    """A value of the table."""

    value: float | None
    """What it is sorted by; None: last."""
    text: str
    interval: str = ""
    detail: str = ""
    """What else is said of it in small print."""


Row = dict[str, Cell]


def leaderboard(robustness: pd.DataFrame, over_seeds: pd.DataFrame, conclusions: pd.DataFrame) -> list[Row]:
    """A row for each run, that which leaks most first; columns that no run has a value for are left out.

    Args:
        robustness: rows of one data set from `robustness.csv`.
        over_seeds: its `membership_over_seeds.csv`.
        conclusions: its `conclusions.csv`.
    """
    rows = [
        {"run": Cell(None, str(row["run"]))}
        | _strongest(row)
        | _accuracies(robustness[robustness.run == row["run"]])
        | _by_signal(over_seeds[over_seeds.run == row["run"]])
        | _highest(over_seeds[over_seeds.run == row["run"]])
        for row in rows_of(conclusions.sort_values("accuracy", ascending=False, kind="stable"))
    ]
    return without_empty_columns(rows)


def without_empty_columns(rows: list[Row]) -> list[Row]:
    """Rows with the same columns, in one order: those that some row has a value for."""
    named = dict.fromkeys(name for row in rows for name in row)
    rows = [{name: row.get(name, Cell(None, "")) for name in named} for row in rows]
    columns = [name for name in named if any(row[name].text for row in rows)]
    return [{name: row[name] for name in columns} for row in rows]


def _strongest(row: dict[str, Any]) -> Row:
    found = {
        "strongest attack": Cell(
            row["accuracy"],
            f"{100 * row['accuracy']:.1f}",
            _interval(row["accuracy_low"], row["accuracy_high"]),
            attack_in_words(row["strongest"]),
        ),
        "difference from natural": Cell(None, ""),
    }
    if pd.notna(row["difference"]):
        ends, p = _interval(row["difference_low"], row["difference_high"], sign="+"), row["p_holm"]
        detail = "" if pd.isna(p) else f"p {p_value(p)}"
        found["difference from natural"] = Cell(row["difference"], percent(row["difference"], sign="+"), ends, detail)
    return found


def _accuracies(robustness: pd.DataFrame) -> Row:
    return {
        title: _percent(
            robustness[column].mean(), "" if len(robustness) < 2 else f"± {100 * robustness[column].std():.1f}"
        )
        for column, title in TEST_ACCURACIES.items()
    }


def _by_signal(over_seeds: pd.DataFrame) -> Row:
    """The paper's attacks, with a threshold from other records."""
    rows = over_seeds[(over_seeds.quantity == "accuracy") & (over_seeds.threshold_rule == "split")]
    found = {}
    for strategy in PAPER_STRATEGIES:
        for row in rows_of(rows[rows.strategy == strategy]):
            found[strategy] = _percent(row["mean"], _interval(row["low"], row["high"]))
    return found


def _highest(over_seeds: pd.DataFrame) -> Row:
    found = {}
    for quantity, title in HIGHEST.items():
        rows = over_seeds[over_seeds.quantity == quantity].dropna(subset=["mean"])
        if len(rows):
            row = rows_of(rows.nlargest(1, "mean"))[0]
            name = attack_in_words(f"{row['signal']}/{row['strategy']}")
            found[title] = _percent(row["mean"], _interval(row["low"], row["high"]), name)
    return found


def _percent(value: float, ends: str, detail: str = "") -> Cell:
    return Cell(None, "") if pd.isna(value) else Cell(float(value), percent(value), ends, detail)


def _interval(low: float, high: float, sign: str = "") -> str:
    return interval(low, high, sign) or "no interval"
