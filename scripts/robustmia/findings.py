"""What the comparison of runs says, in a table and in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

LEVEL = 0.05  # below which a p-value counts as significant


ON_FIRST_PAGE = ["run", "strongest attack", "right about", "more than natural", "p (Holm)"]  # which is narrow


def findings_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """The comparison as text, the run that leaks most first."""
    ordered = comparison.sort_values("accuracy", ascending=False, kind="stable")
    return pd.DataFrame(
        {
            "run": ordered.run,
            "strongest attack": [_attack(name) for name in ordered.strongest],
            "right about": [_with_spread(row) for row in _rows(ordered)],
            "95 % over records": [_interval(row["accuracy_low"], row["accuracy_high"]) for row in _rows(ordered)],
            "more than natural": [_difference(row) for row in _rows(ordered)],
            "p (Holm)": ["" if pd.isna(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001" for p in ordered.p_holm],
            "seeds agree": ["" if pd.isna(agree) else "yes" if agree else "no" for agree in ordered.seeds_agree],
        }
    ).reset_index(drop=True)


def findings_words(comparison: pd.DataFrame) -> list[str]:
    """One paragraph each: who leaks most, what is real against natural training, and how this was found."""
    ordered = comparison.sort_values("accuracy", ascending=False, kind="stable")
    most = ordered.iloc[0]
    leaking = ordered[ordered.accuracy_low > 0.5]
    silent = ordered[ordered.accuracy_low <= 0.5]
    first = "No run is shown to leak: every interval holds 50 %, what a coin is right about."
    if len(leaking):
        first = (
            f"{most.run} leaks most: the strongest honest attack is right about {100 * most.accuracy:.1f} % of its records, "
            "where a coin is right about 50 %."
        )
        others = (
            f"No leak is shown for {_names(silent)}." if len(silent) else "Every run leaks: no interval holds 50 %."
        )
        first = f"{first} {others}"
    paragraphs = [first]
    tested = ordered[ordered.difference.notna()]
    if len(tested):
        paragraphs.append(_against_natural(tested, ordered))
    paragraphs.append(
        "The strongest attack of each run is chosen on one half of the records and measured on the other, over all honest "
        "threshold rules (in whose thresholds the judged record had no part). Intervals are bootstraps over records. p: a "
        "permutation test that swaps, record by record, what is called of a defense's model and of the natural one, corrected for "
        "the number of defenses (Holm). " + _what_seeds_say(int(comparison.seeds.max()))
    )
    return paragraphs


def _what_seeds_say(seeds: int) -> str:
    if seeds == 1:
        return "There is one seed, so all this tells of these models, and not of what training again would give."
    return (
        "It tells of these records; whether training again would say the same is for the seeds, so a difference is called "
        "significant only where p is below 0.05 and all seeds have its sign."
    )


def first_page(introduction: str, comparisons: list[pd.DataFrame], missing: dict[str, list[str]]) -> str:
    """The report's first page in reStructuredText: an introduction, then what each data set's comparison says.

    Args:
        missing: what has no results, by data set.
    """
    parts = [introduction.rstrip()]
    if missing:
        words = "; ".join(f"{', '.join(lost)} ({dataset})" for dataset, lost in missing.items())
        parts.append(f"**Missing, since jobs failed: {words}.** All else is complete.")
    for comparison in comparisons:
        dataset = str(comparison.dataset.iloc[0])
        table = findings_table(comparison)[ON_FIRST_PAGE].to_markdown(
            index=False, disable_numparse=True, tablefmt="rst"
        )
        parts += [f"{dataset}\n{'-' * len(dataset)}", *findings_words(comparison), table]
    return "\n\n".join(parts) + "\n"


def _against_natural(tested: pd.DataFrame, ordered: pd.DataFrame) -> str:
    natural = ordered[ordered.method == "natural"].iloc[0]
    real = (tested.p_holm < LEVEL) & tested.seeds_agree.map({True: True, False: False}).fillna(True).astype(bool)
    groups = (
        ("more, significantly", tested[real & (tested.difference > 0)]),
        ("less, significantly", tested[real & (tested.difference < 0)]),
        ("neither more nor less, as far as these records and seeds can tell", tested[~real]),
    )
    said = [f"{_names(rows, differences=True)} {_verb(rows)} {what}" for what, rows in groups if len(rows)]
    return f"Against natural training ({100 * natural.accuracy:.1f} %): " + "; ".join(said) + "."


def _verb(rows: pd.DataFrame) -> str:
    return "leaks" if len(rows) == 1 else "leak"


def _names(rows: pd.DataFrame, differences: bool = False) -> str:
    names = [f"{row['run']} ({100 * row['difference']:+.1f})" if differences else row["run"] for row in _rows(rows)]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _attack(name: str) -> str:
    signal, strategy, rule = name.split("/")
    return f"{strategy.replace('_', ' ')} on {signal.replace('_', ' ')}, {rule.replace('_', ' ')}"


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _with_spread(row: dict[str, Any]) -> str:
    spread = "" if pd.isna(row["accuracy_sd"]) else f" ± {100 * row['accuracy_sd']:.1f}"
    return f"{100 * row['accuracy']:.1f}{spread} %"


def _interval(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _difference(row: dict[str, Any]) -> str:
    if pd.isna(row["difference"]):
        return ""
    return f"{100 * row['difference']:+.1f} ({100 * row['difference_low']:+.1f} to {100 * row['difference_high']:+.1f})"
