"""The table of an audit's page: every attack."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from robustmia.reporting.labels import attack_in_words
from robustmia.reporting.numbers import interval, percent
from robustmia.reporting.page.leaderboard import Cell, Row, without_empty_columns
from robustmia.reporting.tables import rows_of

NOTE = (
    "Percent; in small print 95 % confidence intervals over records. Accuracy and by class: the threshold, or one for each class, is chosen on one half of the records and applied to the other half; correctness needs none. The strongest attack, above, may have a lower accuracy than one in the table: it is chosen without the records that it is measured on. "
    "Oracle: the rule of Song et al. (2019), which chooses the threshold on the evaluated records themselves, so that scores without information have more than 50 % (chance). "
    "True positive rates (TPR) at a low false positive rate (FPR) are empty where the non-members are too few. Attacks with shadow models (LiRA, RMIA, privacy risk score, joint) need models "
    "trained like this one, and are not part of an audit. Press a heading to sort."
)


def attacks(membership: pd.DataFrame) -> list[Row]:
    """A row for each attack, that of the highest accuracy with a threshold from other records first."""
    rows = []
    for (strategy, signal), group in membership.groupby(["strategy", "signal"], sort=False):
        by_rule = {row["threshold_rule"]: row for row in rows_of(group)}
        first = rows_of(group)[0]
        rows.append(
            {
                "attack": Cell(None, attack_in_words(f"{signal}/{strategy}")),
                "accuracy": _percent(by_rule.get("split", by_rule.get("fixed", {})), "accuracy"),
                "by class": _percent(by_rule.get("split_by_class", {}), "accuracy"),
                "oracle": _oracle(by_rule.get("oracle", {})),
                "AUC": _percent(first, "auc"),
                "TPR at 1 % FPR": _percent(first, "tpr_at_1pct_fpr"),
                "TPR at 0.1 % FPR": _percent(first, "tpr_at_0.1pct_fpr"),
            }
        )
    rows.sort(key=lambda row: -(row["accuracy"].value or 0.0))
    return without_empty_columns(rows)


def _oracle(row: dict[str, Any]) -> Cell:
    cell = _percent(row, "accuracy")
    return Cell(cell.value, cell.text, detail=f"chance {100 * row['chance_accuracy']:.1f}") if cell.text else cell


def _percent(row: dict[str, Any], column: str) -> Cell:
    """A value with its interval; nothing where the row has none."""
    value = row.get(column, np.nan)
    if pd.isna(value):
        return Cell(None, "")
    ends = (row.get(f"{column}_{end}", np.nan) for end in ("low", "high"))
    return Cell(float(value), percent(value), interval(*ends))
