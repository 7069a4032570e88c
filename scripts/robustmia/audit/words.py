"""What an audit found, in sentences."""

from __future__ import annotations

from typing import Any

import pandas as pd

from robustmia.reporting.labels import attack_in_words
from robustmia.reporting.numbers import interval, percent
from robustmia.reporting.page.leaderboard import TEST_ACCURACIES
from robustmia.settings import NORM_NAMES, written_length

RULES = {"fixed": "", "split": ", with one threshold", "split_by_class": ", with a threshold for each class"}


def audit_subject(spec: dict[str, Any], images: str | None) -> dict[str, str]:
    """What was audited, by key.

    Args:
        spec: of the inference of an audit.
        images: the file or folder of a data set of images.
    """
    settings = spec["settings"]
    subject = {"dataset": " ".join(filter(None, [spec["identity"]["dataset"], images])) or None}
    subject |= {key: settings.get(key) for key in ("predictions", "values", "weights", "split")}
    if "model" in settings:
        ball, model = settings["threat_model"], settings["model"]
        subject["model"] = model if isinstance(model, str) else model["settings"]["name"]
        subject["threat model"] = f"{NORM_NAMES[ball['norm']]} ball of radius {written_length(ball['epsilon'])}"
    return {key: value for key, value in subject.items() if value is not None}


def strongest_in_words(strongest: pd.Series) -> list[str]:
    """How much the strongest honest attack finds out, and how that was found."""
    attack, rule = strongest.strongest.rsplit("/", 1)
    ends = interval(strongest.accuracy_low, strongest.accuracy_high)
    accuracy = (
        f"a balanced accuracy of {percent(strongest.accuracy)} % (95 % confidence interval {ends} %; guessing: 50 %)"
    )
    if strongest.accuracy_low > 0.5:
        answer = f"Yes: the strongest attack tells members from non-members with {accuracy}."
    else:
        answer = f"No leak is shown: the strongest attack has {accuracy}. Accuracies of up to {100 * strongest.accuracy_high:.1f} % are not ruled out."
    how = (
        f"It is chosen on one half of the records and measured on the other half; most often it is {attack_in_words(attack)}{RULES[rule]}. "
        "Every interval here is for this one model and other records like these: a model that is trained again in the same way "
        "may reveal more or less."
    )
    return [answer, how]


def most_telling(membership: pd.DataFrame) -> pd.Series:
    """The attack with the highest true positive rate at 1 % false positives or, where none has one, with the highest AUC of those whose scores differ."""
    resolved = membership[membership.tpr_at_1pct_fpr.notna()]
    if len(resolved):
        return resolved.nlargest(1, "tpr_at_1pct_fpr").iloc[0]
    graded = membership[membership.strategy != "correctness"]
    return graded.nlargest(1, "auc").iloc[0]


def single_records_in_words(membership: pd.DataFrame) -> str:
    """How many members can be named while few others are accused."""
    best = most_telling(membership)
    if pd.isna(best.tpr_at_1pct_fpr):
        return f"Single records: {best.nonmembers} non-members are too few to say how many members are found at a false positive rate of 1 %."
    ends = interval(best.tpr_at_1pct_fpr_low, best.tpr_at_1pct_fpr_high)
    selected = " It is the best of all attacks on these very records, so that this is somewhat too high."
    return (
        f"Single records: where 1 % of the non-members are taken for members, {name_of(best)} finds {percent(best.tpr_at_1pct_fpr)} % of the members "
        f"(95 % confidence interval {ends} %); guessing finds 1 %.{selected if best.tpr_at_1pct_fpr > 0.01 else ''}"
    )


def accuracies_in_words(robustness: pd.Series) -> dict[str, str]:
    """Accuracies of the model, by kind."""
    return {
        title: f"{100 * robustness[column.replace('test', 'train')]:.1f} % of members, {100 * robustness[column]:.1f} % of non-members"
        for column, title in TEST_ACCURACIES.items()
        if pd.notna(robustness[column])
    }


def name_of(attack: pd.Series) -> str:
    """An attack of the table, in words."""
    return attack_in_words(f"{attack.signal}/{attack.strategy}")
