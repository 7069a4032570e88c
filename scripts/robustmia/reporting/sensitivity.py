"""What a study of sensitivity says, in a table and in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from robustmia.reporting.labels import spaced
from robustmia.reporting.numbers import correlation, interval, percent
from robustmia.reporting.tables import rows_of


def sensitivity_text_table(summary: pd.DataFrame) -> pd.DataFrame:
    """A row for each run and signal, in percent."""
    return pd.DataFrame(
        {
            "run": row["run"],
            "inputs": row["signal"],
            "sensitivity (95 % CI)": _interval(row, "sensitivity", ""),
            "with another record left out": f"{100 * row['left_in']:+.1f}",
            "beyond 97.5 % of retrainings": f"{100 * row['outside']:.0f}",
            "difference from natural": _interval(row, "difference", "difference_"),
            "rank correlation with risk": correlation(
                *(row[f"rank_correlation{end}"] for end in ("", "_low", "_high"))
            ),
        }
        for row in rows_of(summary)
    )


def _interval(row: dict[str, Any], name: str, prefix: str) -> str:
    value, low, high = (row.get(column, float("nan")) for column in (name, f"{prefix}low", f"{prefix}high"))
    return percent(value, low, high, sign="+")


def sensitivity_text(summary: pd.DataFrame) -> list[str]:
    """Paragraphs: whether robust models depend more on single records, whether that goes with risk, and how it was found."""
    first = summary.iloc[0]
    return [
        *_against_natural(summary),
        _with_risk(summary),
        f"Sensitivity is the confidence in a record, the probability of its class, of models that were trained on it, less that of a model that was "
        f"trained without it. Means are over {int(first.records)} random members, each left out once, and {int(first.retrainings)} models that were trained again "
        "with all members; their intervals cover records and training again, on one split. Training again moves confidences as well: the column on "
        "retrainings says how many of all records that were left out lose more than 97.5 % of the differences which arise with no record missing, so that 2.5 would be expected "
        "of records that do not matter.",
    ]


def _against_natural(summary: pd.DataFrame) -> list[str]:
    said = []
    for row in rows_of(summary.dropna(subset=["difference"])) if "difference" in summary else []:
        low, high = row["difference_low"], row["difference_high"]
        verb = (
            "depends more on single records than"
            if low > 0
            else "depends less on single records than"
            if high < 0
            else None
        )
        ends = f"{percent(row['difference'], sign='+')} points, {interval(low, high, sign='+')}"
        said.append(
            f"On {row['signal']} inputs {spaced(row['run'])} {verb} natural training ({ends})."
            if verb
            else f"On {row['signal']} inputs no difference in sensitivity between {spaced(row['run'])} and natural training is shown ({ends})."
        )
    return said


def _with_risk(summary: pd.DataFrame) -> str:
    found = [row for row in rows_of(summary) if row["rank_correlation_low"] > 0]
    if not found:
        return "That a record's sensitivity predicts its risk is not shown: no interval of the rank correlations, over the random records, lies above 0."
    named = ", ".join(
        f"{spaced(row['run'])} on {row['signal']} inputs ({row['rank_correlation']:+.2f})" for row in found
    )
    return f"A record's sensitivity predicts its risk for {named} (rank correlations over the random records); the intervals of others hold 0 or lie below."
