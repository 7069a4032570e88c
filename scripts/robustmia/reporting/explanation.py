"""What goes with leakage, in a table and in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from robustmia.reporting.numbers import correlation
from robustmia.reporting.tables import rows_of
from robustmia.studies.explanation import ENOUGH_STUDIES
from robustmia.studies.sweep import MARGIN

TITLES = {
    "benign gap": "clean train - test accuracy",
    "adversarial gap": "adversarial train - test accuracy",
    "verified gap": "verified train - test accuracy",
    MARGIN: "adversarial margin (log odds)",
    "benign sensitivity": "clean sensitivity to a record",
    "adversarial sensitivity": "adversarial sensitivity to a record",
}


def explanation_table(correlations: pd.DataFrame) -> pd.DataFrame:
    """A row for each quantity that may explain the leak."""
    return pd.DataFrame(
        {
            "quantity": TITLES[row["quantity"]],
            "runs and points": f"{row['points']}",
            "studies": f"{row['studies']}",
            "rank correlation with leakage (95 % CI)": correlation(row["rank_correlation"], row["low"], row["high"]),
        }
        for row in rows_of(correlations)
    )


def explanation_text(correlations: pd.DataFrame, studies: int) -> list[str]:
    """The answer in a sentence, and how it was found."""
    if correlations.empty:
        return ["There are too few runs and points to say what goes with leakage."]
    ordered = rows_of(correlations.sort_values("rank_correlation", key=abs, ascending=False))
    shown = [row for row in ordered if row["low"] > 0 or row["high"] < 0]
    others = [TITLES[row["quantity"]] for row in ordered if row not in shown]
    answer = f"Leakage goes with the {'; with the '.join(map(_named, shown))}." if shown else ""
    rest = f"No correlation is shown with the {' and the '.join(others)}." if others else ""
    return [
        " ".join(filter(None, (answer, rest))),
        f"Rank correlations over every run and point of {studies} {'studies' if studies > 1 else 'study'}, each the mean over its seeds; leakage is the balanced accuracy of the strongest honest attack. Intervals are of a bootstrap that draws studies, "
        f"and then their runs and points; with fewer than {ENOUGH_STUDIES} studies there are none. Which correlation is the largest is not tested, and none is a cause: points differ in much else.",
    ]


def _named(row: dict[str, Any]) -> str:
    return f"{TITLES[row['quantity']]} ({row['rank_correlation']:+.2f}, {row['low']:+.2f} to {row['high']:+.2f})"
