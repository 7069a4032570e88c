"""What a transfer study says, in a table and in words."""

from __future__ import annotations

import pandas as pd

from robustmia.reporting.labels import spaced
from robustmia.reporting.tables import rows_of


def transfer_text_table(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each attack and kind of shadow model, a column for each kind of target, in percent."""
    rows = []
    for (attack, shadow), part in table.groupby(["attack", "shadow"], sort=False):
        cells = {f"target: {row['target']}": f"{100 * row['mean']:.1f}" for row in rows_of(part)}
        rows.append({"attack": attack, "shadow models": shadow, **cells})
    return pd.DataFrame(rows).fillna("")


def transfer_text(losses: pd.DataFrame, seeds: int) -> list[str]:
    """A sentence for each attack: what the attacker loses by not knowing how the target was trained."""
    said = [_of_attack(row, seeds) for row in rows_of(losses)]
    covers = (
        "intervals of single differences include the variation between trainings, and are not corrected for their number"
        if seeds > 1
        else "with one seed there are no intervals, and other trainings would give other differences"
    )
    return [
        *said,
        "LiRA and RMIA: area under the ROC curve; thresholds and the classifier: balanced accuracy. Chance is 50 %. On the diagonal the shadow "
        f"models are trained as the target is.{_without_records(losses)} Means over {seeds} {'seeds' if seeds > 1 else 'seed'}; {covers}.",
    ]


def _of_attack(row: dict, seeds: int) -> str:
    if row["other_records"]:
        return _of_other_records(row, seeds)
    worst = f"The largest loss, {100 * row['worst']:.1f} points, is that of shadow models of {spaced(row['worst_shadow'])} against {spaced(row['worst_target'])}."
    return (
        f"{row['attack']}: {100 * row['known']:.1f} % with shadow models of the target's own kind, {100 * row['unknown']:.1f} % with others, a loss of "
        f"{100 * row['lost']:.1f} points on average.{_shown(row, seeds)} {worst}"
    )


def _of_other_records(row: dict, seeds: int) -> str:
    return (
        f"{row['attack']}: with shadow models of other records {100 * row['unknown']:.1f} %, against {100 * row['known']:.1f} % with shadow models of the "
        f"target's own kind and of its records among others, a loss of {100 * row['lost']:.1f} points on average.{_shown(row, seeds)}"
    )


def _shown(row: dict, seeds: int) -> str:
    return f" Intervals of {row['shown']} of the {row['pairs']} differences lie below 0." if seeds > 1 else ""


def _without_records(losses: pd.DataFrame) -> str:
    if not len(losses) or not losses.other_records.any():
        return ""
    return (
        " Shadow models of other records saw none of the target's members and non-members, so that LiRA and RMIA are their offline forms there; a pair "
        "is left out where shadow models were trained on some of the target's records and not on others."
    )
