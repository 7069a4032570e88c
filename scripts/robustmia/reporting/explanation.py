"""What goes with leakage, in a table and in words."""

from __future__ import annotations

import pandas as pd

from robustmia.reporting.studies import rows_of
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
            "rank correlation with leakage (95 % CI)": f"{row['rank_correlation']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})",
        }
        for row in rows_of(correlations)
    )


def explanation_text(correlations: pd.DataFrame, studies: int) -> list[str]:
    """The answer in a sentence, and how it was found."""
    if correlations.empty:
        return ["There are too few runs and points to say what goes with leakage."]
    ordered = correlations.sort_values("rank_correlation", key=abs, ascending=False)
    shown = [row for row in rows_of(ordered) if row["low"] > 0 or row["high"] < 0]
    if not shown:
        answer = "No rank correlation with leakage is shown: every interval holds 0."
    else:
        best, *others = shown
        more = "".join(f"; also the {TITLES[row['quantity']]} ({row['rank_correlation']:+.2f})" for row in others)
        answer = f"Leakage goes most with the {TITLES[best['quantity']]}: rank correlation {best['rank_correlation']:+.2f} ({best['low']:+.2f} to {best['high']:+.2f}){more}."
    return [
        answer,
        f"Over every run and point of {studies} {'studies' if studies > 1 else 'study'}, each the mean over its seeds; leakage is the balanced accuracy of the strongest honest attack. Intervals are of a bootstrap that draws studies, "
        "and then their runs and points. A correlation is no cause: points differ in much else.",
    ]
