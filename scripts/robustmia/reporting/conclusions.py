"""What the comparison of runs says, in a table and in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from robustmia.reporting.labels import attack_in_words, listed, p_value
from robustmia.reporting.numbers import interval, percent
from robustmia.reporting.tables import rows_of

FITS = 0.9  # clean accuracy on members, below which a model is said not to fit them
MANY_SEEDS = 100  # above which a difference is said to be too small to be shown


def conclusions_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """The comparison as text, the run of the highest accuracy first."""
    ordered = comparison.sort_values("accuracy", ascending=False, kind="stable")
    return pd.DataFrame(
        {
            "run": ordered.run,
            "strongest attack": [attack_in_words(name) for name in ordered.strongest],
            "balanced accuracy (95 % CI)": [_accuracy(row) for row in rows_of(ordered)],
            "sd over seeds": ["" if pd.isna(sd) else f"{100 * sd:.1f}" for sd in ordered.accuracy_sd],
            "difference from natural": [_difference(row) for row in rows_of(ordered)],
            "p (Holm)": ordered.p_holm.map(p_value).tolist(),
            "seeds needed": ["" if pd.isna(seeds) else f"{int(seeds)}" for seeds in ordered.seeds_needed],
        }
    ).reset_index(drop=True)


def conclusions_text(comparison: pd.DataFrame) -> list[str]:
    """One paragraph each: which runs leak, which do not fit their members, how runs differ from natural training, and how this was found."""
    ordered = comparison.sort_values("accuracy", ascending=False, kind="stable")
    paragraphs = [_leaking(ordered)]
    if len(unfit := comparison[comparison.train_accuracy < FITS]):
        paragraphs.append(_unfit(unfit))
    compared, baseline = ordered[ordered.difference.notna()], ordered[ordered.difference.isna()]
    if len(compared):
        paragraphs.append(_against_natural(compared, baseline.iloc[0]))
    copies = comparison.get("duplicates", pd.Series([None])).iloc[0]
    if isinstance(copies, str) and copies:
        paragraphs.append(copies)
    return [*paragraphs, _method(comparison)]


def _leaking(ordered: pd.DataFrame) -> str:
    most, leaking, others = ordered.iloc[0], ordered[ordered.accuracy_low > 0.5], ordered[ordered.accuracy_low <= 0.5]
    about = "" if most.seeds > 1 else " of this model" if len(ordered) == 1 else " of these models"
    if not len(leaking):
        return (
            f"No leak{about} is shown: no 95 % confidence interval of the strongest attack on a run lies above 50 %, which is chance. "
            f"Accuracies of up to {100 * ordered.accuracy_high.max():.1f} % are not ruled out."
        )
    first = (
        f"The strongest honest attack does best on {most.run}: a balanced accuracy of {100 * most.accuracy:.1f} % (95 % confidence "
        f"interval {_interval(most.accuracy_low, most.accuracy_high)}; chance: 50 %)."
    )
    if not len(others):
        return (
            f"{first} The 95 % confidence interval of every run lies above 50 % (not corrected for the number of runs)."
        )
    does_not = "intervals do not lie" if len(others) > 1 else "interval does not lie"
    return f"{first} No leak is shown for {_names(others)}, whose 95 % confidence {does_not} above 50 %."


def _unfit(unfit: pd.DataFrame) -> str:
    which = ", ".join(f"{row['run']} {100 * row['train_accuracy']:.0f} %" for row in rows_of(unfit))
    return (
        f"Models that classify less than {100 * FITS:.0f} % of their own members correctly: {which}. A model that does not fit its members "
        "usually reveals less about them; smaller batches, more epochs or a larger network may change that."
    )


def _against_natural(compared: pd.DataFrame, natural: pd.Series) -> str:
    first, seeds = f"Compared with natural training ({100 * natural.accuracy:.1f} %)", int(natural.seeds)
    if compared.p_holm.isna().all():
        return (
            f"{first} the accuracy differs by {_differences(compared)} points. {'Two seeds are' if seeds > 1 else 'One seed is'} too few "
            "for a test: other trainings would give other differences. A test takes three seeds; small differences take five or more."
        )
    significant = compared.significant.astype(bool)
    groups = (
        ("more", compared[significant & (compared.difference > 0)]),
        ("less", compared[significant & (compared.difference < 0)]),
    )
    said = [f"{_names(rows, differences=True)} {_verb(rows)} significantly {how}" for how, rows in groups if len(rows)]
    rest = compared[~significant]
    if len(rest):
        said.append(f"no significant difference is shown for {_names(rest, differences=True)}")
    sentence = f"{first}: {'; '.join(said)}."
    return f"{sentence} {_power(rest, seeds)}" if len(rest) else sentence


def _power(rest: pd.DataFrame, seeds: int) -> str:
    """How many seeds the differences that are not significant would need."""
    within_reach = rest[rest.seeds_needed <= MANY_SEEDS]
    if not len(within_reach):
        which = "It is" if len(rest) == 1 else "They are"
        return f"{which} so small, compared with the spread over seeds, that even {MANY_SEEDS} seeds would hardly show {'it' if len(rest) == 1 else 'them'}."
    needed = ", ".join(f"{int(row['seeds_needed'])} for {row['run']}" for row in rows_of(within_reach))
    others = "" if len(within_reach) == len(rest) else f", and over {MANY_SEEDS} for the others"
    return (
        f"With {seeds} seeds this is no evidence that there is none: if the differences and their spread over seeds are as estimated, about "
        f"this many seeds would show them in four cases out of five: {needed}{others}."
    )


def _method(comparison: pd.DataFrame) -> str:
    seeds = int(comparison.seeds.max())
    said = [
        "The strongest attack on each model is chosen on one half of the records and measured on the other half, among all attacks under "
        "honest threshold rules, whose thresholds do not depend on the record that is classified."
    ]
    if seeds == 1:
        said.append(
            "There is only one seed: confidence intervals are for these trained models and other records, and do not include the variation between trainings."
        )
    else:
        said.append(
            "Confidence intervals include the variation between trainings with other seeds, and that from the sampling of records."
        )
    if comparison.p_holm.notna().any():
        said.append(
            "p-values, too, account for the variation between trainings and the sampling of records; they are corrected for the number of defenses (Holm), which "
            "the intervals are not. A difference is called significant if p is below 0.05."
        )
    return " ".join(said)


def _verb(rows: pd.DataFrame) -> str:
    return "leaks" if len(rows) == 1 else "leak"


def _names(rows: pd.DataFrame, differences: bool = False) -> str:
    names = [f"{row['run']} ({100 * row['difference']:+.1f})" if differences else row["run"] for row in rows_of(rows)]
    return listed(names)


def _differences(rows: pd.DataFrame) -> str:
    return ", ".join(f"{100 * row['difference']:+.1f} ({row['run']})" for row in rows_of(rows))


def _accuracy(row: dict[str, Any]) -> str:
    return f"{100 * row['accuracy']:.1f} ({_interval(row['accuracy_low'], row['accuracy_high'])})"


def _interval(low: float, high: float) -> str:
    return f"{interval(low, high)} %"


def _difference(row: dict[str, Any]) -> str:
    return percent(row["difference"], row["difference_low"], row["difference_high"], sign="+")
