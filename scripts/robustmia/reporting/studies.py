"""What a study says, in a table and in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from robustmia.inference.over_seeds import SEEDS_OF_A_TEST
from robustmia.inference.settings import LEVEL
from robustmia.reporting.labels import listed, p_value, spaced
from robustmia.reporting.numbers import percent
from robustmia.reporting.tables import rows_of
from robustmia.studies.sweep import PRIVACY, STRONGEST, have_other_members

OF_THE_TABLE = {
    STRONGEST: "strongest attack (95 % CI)",
    "benign test accuracy": "clean test accuracy",
    "adversarial test accuracy": "adv. test accuracy",
    "adversarial gap": "adv. train - test",
    "verified test accuracy": "ver. test accuracy",
    "adversarial sensitivity": "adv. sensitivity",
    PRIVACY[0]: "privacy, (epsilon, delta)",
}
"""The quantities that people read, with their headings."""


def sweep_text_table(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each point and run, in percent."""
    rows = []
    for (point, run), part in table.groupby(["point", "run"], sort=False):
        quantities = {str(row["quantity"]): row for row in rows_of(part)}
        row = {"point": point, "run": run}
        for quantity, heading in OF_THE_TABLE.items():
            row[heading] = _cell(quantities, quantity) if quantity in quantities else ""
        leak = quantities[STRONGEST]
        row["from the first point"] = _change(leak, "from_first")
        row["p (Holm)"] = p_value(leak["p_holm"])
        row["from natural"] = _change(leak, "difference")
        rows.append(row)
    text = pd.DataFrame(rows)
    return text.drop(columns=[column for column in text if (text[column] == "").all()])


def sweep_text(table: pd.DataFrame, keys: Sequence[str], is_evaluated_alike: bool) -> list[str]:
    """Paragraphs: how leakage changes from point to point for each run, and what the intervals cover.

    Args:
        table: of `sweep_table`.
        keys: what is varied; empty where points have names.
        is_evaluated_alike: whether all points have the same signals, so that their accuracies can be compared.
    """
    leaks, points = table[table.quantity == STRONGEST], table.point.nunique()
    said = []
    if points > 1:
        said = [f"{_answer(leaks, keys)}Balanced accuracy of the strongest attack:"]
        said += [_of_run(str(run), rows_of(part), keys) for run, part in leaks.groupby("run", sort=False)]
    if points > 1 and is_evaluated_alike:
        said.append(_front(table, keys))
    said += _other_members(leaks, keys)
    return [*said, _method(int(table.seeds.max()), points)]


def _answer(leaks: pd.DataFrame, keys: Sequence[str]) -> str:
    """Whether the leak changes, in a sentence; empty where no change was measured."""
    varied = f"with {listed(keys)}" if keys else f"from the first point ({leaks.point.iloc[0]})"
    if leaks.from_first.isna().all():
        return ""
    if leaks.p_holm.isna().all():
        return f"Whether the leak changes {varied} is not tested, since a test takes {SEEDS_OF_A_TEST} seeds. "
    changed = [spaced(str(run)) for run in leaks.run[leaks.p_holm < LEVEL].unique()]
    if not changed:
        return f"No significant change of the leak {varied} is found. "
    return f"The leak of {listed(changed)} changes significantly {varied}. "


def _of_run(run: str, leaks: list[dict[str, Any]], keys: Sequence[str]) -> str:
    """How the leak of a run changes from its first point."""
    first, *later = leaks
    others = [
        row for row in later if not pd.isna(row["from_first"])
    ]  # of the others the models are those of the first point
    if not others:
        return f"{spaced(run)}: {100 * first['mean']:.1f} %{f' at {_place(first, keys)}' if not later else ', the same models at every point'}."
    changes = [f"{_place(row, keys)}: {100 * row['from_first']:+.1f}" for row in others]
    tested = [row for row in others if not pd.isna(row["p_holm"])]
    found = [_place(row, keys) for row in tested if row["p_holm"] < LEVEL]
    result = (
        f"; significant: {', '.join(found)}" if found else "; none of these changes is significant" if tested else ""
    )
    return f"{spaced(run)}: {100 * first['mean']:.1f} % at {_place(first, keys)}; then {'; '.join(changes)}{result}."


def _place(row: dict[str, Any], keys: Sequence[str]) -> str:
    """A point: its name, or the value of the varied key; of several keys, each with its value."""
    if not keys:
        return str(row["point"])
    if len(keys) == 1:
        return written(row[keys[0]])
    return ", ".join(f"{spaced(key.rpartition('.')[2])} {written(row[key])}" for key in keys)


def written(value: object) -> str:
    """A value of a varied key, as short as it can be."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _other_members(leaks: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Where shadow models could not be trained on about as many records as their targets."""
    other = leaks[have_other_members(leaks.members, leaks.shadow_members)].drop_duplicates(["point"])
    if not len(other):
        return []
    named = [f"{_place(row, keys)}: {row['shadow_members']:.0f} in place of {row['members']}" for row in rows_of(other)]
    return [
        f"Shadow models are not trained on as many records as their targets at some points ({'; '.join(named)}), since of so few shadow models two have to be "
        "trained on each record, and two not. Attacks with shadow models are weaker there than they could be, and sensitivities are not given; a higher number of shadow_models helps."
    ]


def _front(table: pd.DataFrame, keys: Sequence[str]) -> str:
    """Which runs and points reveal least for their robust accuracy."""
    leaks = {(row["point"], row["run"]): row for row in rows_of(table[table.quantity == STRONGEST])}
    named = [
        f"{spaced(row['run'])} at {_place(leaks[row['point'], row['run']], keys)} ({100 * row['robust']:.1f} %, {100 * row['leak']:.1f} %)"
        for row in rows_of(pareto_front(table))
    ]
    return (
        f"On the Pareto front, where no other is as robust and reveals less (adversarial test accuracy, strongest attack): {'; '.join(named)}. Which ones "
        "these are is not tested: many lie within each other's intervals."
    )


def trade_offs(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each point and run: `leak` and `robust`, the adversarial test accuracy, with their intervals."""
    keys, ends = ["point", "run", "method"], ["mean", "low", "high"]
    parts = {}
    for name, quantity in (("leak", STRONGEST), ("robust", "adversarial test accuracy")):
        part = table[table.quantity == quantity].set_index(keys)[ends]
        parts[name] = part.set_axis([name, f"{name}_low", f"{name}_high"], axis=1)
    return pd.concat(parts.values(), axis=1).reset_index()


def pareto_front(table: pd.DataFrame) -> pd.DataFrame:
    """Those of `trade_offs` than which no other is more robust and leaks less, the least robust first."""
    points = trade_offs(table).sort_values(["robust", "leak"], ascending=[False, True], kind="stable")
    least = points.leak.cummin()
    return points[(points.leak <= least) & ~least.duplicated()].iloc[::-1].reset_index(drop=True)


def _method(seeds: int, points: int) -> str:
    covers = (
        "Confidence intervals include the variation between trainings with other seeds, and that from the sampling of records."
        if seeds > 1
        else "There is only one seed: intervals are for these trained models, and do not include the variation between trainings."
    )
    tested = (
        " Changes from the first point are taken seed by seed; their p-values are corrected for all runs and points together (Holm), and a "
        "change is called significant if p is below 0.05."
        if seeds >= SEEDS_OF_A_TEST and points > 1
        else ""
    )
    return (
        "The strongest honest attack is chosen on one half of the records of each model and measured on the other; chance is 50 %. "
        f"{covers}{tested}"
    )


def _cell(quantities: dict[str, dict[str, Any]], quantity: str) -> str:
    row = quantities[quantity]
    if quantity in PRIVACY:
        return f"({row['mean']:.1f}, {quantities[PRIVACY[1]]['mean']:g})"
    return percent(row["mean"], row["low"], row["high"]) if quantity == STRONGEST else percent(row["mean"])


def _change(row: dict[str, Any], name: str) -> str:
    return percent(row[name], row[f"{name}_low"], row[f"{name}_high"], sign="+")
