"""What an audit says: the rows of the main tables, and a short report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from robustmia.files.signals import SignalLogits
from robustmia.inference.attacks.base import Attack
from robustmia.inference.comparison import RunDecisions, RunSummary, compare
from robustmia.inference.evaluate import Column, Identity, evaluate
from robustmia.reporting.labels import spaced
from robustmia.settings import NORM_NAMES


def audit_tables(
    identity: Identity,
    signals: dict[str, SignalLogits],
    attacks: Sequence[Attack],
    columns: Sequence[Column],
    in_verified_ball: Sequence[str] = (),
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """`membership_inference.csv` and `robustness.csv` by every attack that needs no shadow models, and the strongest of them.

    Args:
        identity: the columns that name the audited model.
        signals: by name.
        attacks: all of them.
        columns: of `membership_inference.csv`.
        in_verified_ball: the signals whose images all lie in the ball of the verified one.

    Raises:
        SoundnessError: an attack does what the verified bounds rule out.
    """
    first = next(iter(signals.values()))
    count = len(first.members) + len(first.nonmembers)
    present = [name for name in in_verified_ball if name in signals]
    results, records = evaluate(identity, signals, np.arange(count), attacks, columns, in_verified_ball=present)
    run = RunDecisions.of([records], count)
    strongest = compare({str(identity["run"]): RunSummary.of("audited", run)}).iloc[0]
    return results.membership_inference, results.robustness, strongest


def audit_subject(spec: dict) -> list[str]:
    """What was audited, a line each, from the spec of an audit."""
    settings, dataset = spec["settings"], spec["identity"]["dataset"]
    lines = {"dataset": dataset, **{key: settings.get(key) for key in ("predictions", "values", "weights", "split")}}
    if "model" in settings:
        ball, model = settings["threat_model"], settings["model"]
        lines["model"] = model if isinstance(model, str) else model["settings"]["name"]
        lines["threat model"] = f"{NORM_NAMES[ball['norm']]} ball of radius {ball['epsilon']:g}"
    return [f"{key}: {value}" for key, value in lines.items() if value is not None]


def audit_report(
    about: list[str], notes: list[str], membership: pd.DataFrame, robustness: pd.DataFrame, strongest: pd.Series
) -> str:
    """A short report in Markdown.

    Args:
        about: what was audited, a line each.
        notes: what a reader has to know beside the numbers.
        membership: of `audit_tables`, and the rest likewise.
    """
    first = membership.iloc[0]
    accuracies = robustness.dropna(axis=1, how="all").drop(
        columns=["dataset", "run", "method", "seed"], errors="ignore"
    )
    signal, strategy, rule = map(spaced, strongest.strongest.split("/"))
    lines = [
        f"# Audit of {strongest.run}",
        "",
        *(f"- {line}" for line in about),
        f"- {first.members} members, {first.nonmembers} non-members",
        "",
        f"**The strongest honest attack has a balanced accuracy of {100 * strongest.accuracy:.1f} %** (95 % confidence interval "
        f"over records {100 * strongest.accuracy_low:.1f} to {100 * strongest.accuracy_high:.1f} %; chance: 50 %). It is chosen on "
        f"one half of the records and measured on the other half; most often it is {strategy} on the {signal} signal with the {rule} "
        "threshold rule.",
        "",
        "## Accuracies of the model",
        "",
        _percent(accuracies).to_markdown(index=False, disable_numparse=True),
        "",
        "## Membership inference",
        "",
        _percent(membership[COLUMNS], COLUMNS[3:]).to_markdown(index=False, disable_numparse=True),
        "",
        "Percent. The oracle rule chooses its threshold on the evaluated records themselves, which gives "
        f"{100 * _floor(membership):.1f} % on uninformative scores; split chooses on one half of the records and is applied to the "
        "other half, split by class does so for each class. True positive rates at a low false positive rate are empty where the "
        "non-members are too few to resolve it. Attacks with shadow models (LiRA, RMIA, privacy risk score, joint) need models "
        "trained like this one, and are not part of an audit.",
        *(["", "## Notes", ""] if notes else []),
        *(f"- {note}" for note in notes),
    ]
    return "\n".join(lines) + "\n"


COLUMNS = [
    *("signal", "strategy", "threshold_rule", "accuracy", "accuracy_low", "accuracy_high", "auc"),
    *("tpr_at_1pct_fpr", "tpr_at_0.1pct_fpr"),
]


def _floor(membership: pd.DataFrame) -> float:
    return float(membership.floor_accuracy.dropna().iloc[0])


def _percent(table: pd.DataFrame, columns: list[str] | None = None) -> pd.DataFrame:
    text = table.astype(object)
    for column in columns or table.columns:
        text[column] = ["" if pd.isna(value) else f"{100 * value:.1f}" for value in table[column]]
    return text.set_axis([spaced(str(column)) for column in table.columns], axis=1)
