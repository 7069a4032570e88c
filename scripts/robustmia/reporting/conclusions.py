"""What the comparison of runs says, in a table and in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from robustmia.reporting.labels import spaced

LEVEL = 0.05  # below which a p-value is called significant

FIRST_PAGE_COLUMNS = [
    "run",
    "strongest attack",
    "balanced accuracy",
    "difference from natural",
    "p (Holm)",
]  # it is narrow


def conclusions_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """The comparison as text, the run that leaks most first."""
    ordered = comparison.sort_values("accuracy", ascending=False, kind="stable")
    return pd.DataFrame(
        {
            "run": ordered.run,
            "strongest attack": [_attack(name) for name in ordered.strongest],
            "balanced accuracy": [_with_spread(row) for row in _rows(ordered)],
            "95 % CI": [_interval(row["accuracy_low"], row["accuracy_high"]) for row in _rows(ordered)],
            "difference from natural": [_difference(row) for row in _rows(ordered)],
            "p (Holm)": ["" if pd.isna(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001" for p in ordered.p_holm],
            "same sign for all seeds": ["" if pd.isna(x) else "yes" if x else "no" for x in ordered.seeds_agree],
        }
    ).reset_index(drop=True)


def conclusions_text(comparison: pd.DataFrame) -> list[str]:
    """One paragraph each: which run leaks most, how runs differ from natural training, and how this was found."""
    ordered = comparison.sort_values("accuracy", ascending=False, kind="stable")
    most = ordered.iloc[0]
    leaking = ordered[ordered.accuracy_low > 0.5]
    others = ordered[ordered.accuracy_low <= 0.5]
    first = "No run is shown to leak membership: every 95 % confidence interval contains 50 %, which is chance."
    if len(leaking):
        first = (
            f"{most.run} leaks most: the strongest honest attack has a balanced accuracy of {100 * most.accuracy:.1f} % "
            "(chance: 50 %)."
        )
        rest = (
            f"No leak is shown for {_names(others)}, whose 95 % confidence intervals contain 50 %."
            if len(others) > 1
            else f"No leak is shown for {_names(others)}, whose 95 % confidence interval contains 50 %."
            if len(others)
            else "Every run leaks: no 95 % confidence interval contains 50 %."
        )
        first = f"{first} {rest}"
    paragraphs = [first]
    tested = ordered[ordered.difference.notna()]
    if len(tested):
        paragraphs.append(_against_natural(tested, ordered))
    paragraphs.append(
        "For each run the strongest attack is chosen on one half of the records and measured on the other half, among all "
        "attacks under honest threshold rules, whose thresholds do not depend on the record that is classified. Confidence "
        "intervals are bootstraps over records. The p-value is that of a permutation test that swaps, record by record, the "
        "membership decisions under the defense's model and under the natural one, corrected for the number of defenses "
        "(Holm). " + _scope(int(comparison.seeds.max()))
    )
    copies = comparison.get("duplicates", pd.Series([None])).iloc[0]
    return [*paragraphs, str(copies)] if isinstance(copies, str) and copies else paragraphs


def _scope(seeds: int) -> str:
    if seeds == 1:
        return (
            "There is only one seed, so these statements are about these trained models, and not about training again."
        )
    return (
        "Intervals and p-values describe the sampling of records, not of trained models. Because training again may change "
        "the result, a difference is called significant only if p is below 0.05 and the difference has the same sign for "
        "all seeds."
    )


def first_page(introduction: str, comparisons: list[pd.DataFrame]) -> str:
    """The report's first page in reStructuredText: an introduction, then the conclusions for each data set."""
    parts = [introduction.rstrip()]
    for comparison in comparisons:
        dataset = str(comparison.dataset.iloc[0])
        table = conclusions_table(comparison)[FIRST_PAGE_COLUMNS].to_markdown(
            index=False, disable_numparse=True, tablefmt="rst"
        )
        parts += [f"{dataset}\n{'-' * len(dataset)}", *conclusions_text(comparison), table]
    return "\n\n".join(parts) + "\n"


def _against_natural(tested: pd.DataFrame, ordered: pd.DataFrame) -> str:
    natural = ordered[ordered.method == "natural"].iloc[0]
    significant = (tested.p_holm < LEVEL) & tested.seeds_agree.map({True: True, False: False}).fillna(True).astype(bool)
    groups = (
        ("significantly more", tested[significant & (tested.difference > 0)]),
        ("significantly less", tested[significant & (tested.difference < 0)]),
    )
    said = [f"{_names(rows, differences=True)} {_verb(rows)} {how}" for how, rows in groups if len(rows)]
    rest = tested[~significant]
    if len(rest):
        said.append(f"for {_names(rest, differences=True)} no significant difference is found")
    return f"Compared with natural training ({100 * natural.accuracy:.1f} %): " + "; ".join(said) + "."


def _verb(rows: pd.DataFrame) -> str:
    return "leaks" if len(rows) == 1 else "leak"


def _names(rows: pd.DataFrame, differences: bool = False) -> str:
    names = [f"{row['run']} ({100 * row['difference']:+.1f})" if differences else row["run"] for row in _rows(rows)]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _attack(name: str) -> str:
    signal, strategy, rule = name.split("/")
    return f"{spaced(strategy)} on {spaced(signal)}, {spaced(rule)}"


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _with_spread(row: dict[str, Any]) -> str:
    spread = "" if pd.isna(row["accuracy_sd"]) else f" ± {100 * row['accuracy_sd']:.1f}"
    return f"{100 * row['accuracy']:.1f}{spread} %"


def _interval(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _difference(row: dict[str, Any]) -> str:
    if pd.isna(row["difference"]):
        return ""
    return f"{100 * row['difference']:+.1f} ({100 * row['difference_low']:+.1f} to {100 * row['difference_high']:+.1f})"
