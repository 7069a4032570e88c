"""What an audit says: the rows of the main tables, and a short report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from robustmia.audit.signal_files import AuditedSignals
from robustmia.inference.attacks.base import Attack
from robustmia.inference.comparison import RunSummary, compare
from robustmia.inference.evaluate import Column, Identity, evaluate
from robustmia.inference.record_risk import record_table
from robustmia.reporting.labels import spaced
from robustmia.settings import NORM_NAMES

CURVES = ("roc", "loss_histogram", "margin_histogram")


@dataclass(frozen=True)
class AuditTables:
    """What an audit finds."""

    membership_inference: pd.DataFrame
    """Every attack that needs no shadow models, with the columns of the main table."""
    robustness: pd.DataFrame
    """One row: accuracies, with the columns of the main table."""
    records: pd.DataFrame
    """A row for each record, with its score under each attack."""
    strongest: pd.Series
    """The strongest honest attack, as a row of `compare`."""
    curves: dict[str, pd.DataFrame]
    """`roc`, `loss_histogram` and `margin_histogram`, with the columns of the main tables; without rows where there is no such signal."""


def audit_tables(
    identity: Identity,
    audited: AuditedSignals,
    attacks: Sequence[Attack],
    columns: Sequence[Column],
    in_verified_ball: Sequence[str] = (),
) -> AuditTables:
    """Every attack on an audited model that needs no shadow models.

    Args:
        identity: the columns that name the audited model.
        audited: its signals.
        attacks: all of them.
        columns: of `membership_inference.csv`.
        in_verified_ball: the signals whose images all lie in the ball of the verified one.

    Raises:
        SoundnessError: an attack violates the verified bounds.
    """
    count, names = len(audited.rows), np.array(audited.names)
    present = [name for name in in_verified_ball if name in audited.signals]
    results, records = evaluate(
        identity, audited.signals, np.arange(count), attacks, columns, in_verified_ball=present, names=names
    )
    strongest = compare({str(identity["run"]): RunSummary.of("audited", [records], count)}).iloc[0]
    by_record = record_table(records, None, names).assign(record=audited.rows)
    curves = {name: getattr(results, name) for name in CURVES}
    return AuditTables(results.membership_inference, results.robustness, by_record, strongest, curves)


def audit_subject(spec: dict) -> list[str]:
    """What was audited, a line each, from the spec of an audit."""
    settings, dataset = spec["settings"], spec["identity"]["dataset"]
    lines = {"dataset": dataset, **{key: settings.get(key) for key in ("predictions", "values", "weights", "split")}}
    if "model" in settings:
        ball, model = settings["threat_model"], settings["model"]
        lines["model"] = model if isinstance(model, str) else model["settings"]["name"]
        lines["threat model"] = f"{NORM_NAMES[ball['norm']]} ball of radius {ball['epsilon']:g}"
    return [f"{key}: {value}" for key, value in lines.items() if value is not None]


def audit_report(about: list[str], notes: list[str], tables: AuditTables) -> str:
    """A short report in Markdown.

    Args:
        about: what was audited, a line each.
        notes: what a reader has to know beside the numbers.
        tables: what was found.
    """
    membership, robustness, strongest = tables.membership_inference, tables.robustness, tables.strongest
    first = membership.iloc[0]
    accuracies = robustness.dropna(axis=1, how="all").drop(
        columns=["dataset", "run", "method", "seed"], errors="ignore"
    )
    answer, how = strongest_in_words(strongest)
    lines = [
        f"# Audit of {strongest.run}",
        "",
        *(f"- {line}" for line in about),
        f"- {first.members} members, {first.nonmembers} non-members",
        "",
        f"**{answer}** {how}",
        "",
        "## Accuracies of the model",
        "",
        _percent(accuracies).to_markdown(index=False, disable_numparse=True),
        "",
        "## Membership inference",
        "",
        _percent(membership[COLUMNS], COLUMNS[3:]).to_markdown(index=False, disable_numparse=True),
        "",
        RULES_IN_WORDS,
        *(["", "## Notes", ""] if notes else []),
        *(f"- {note}" for note in notes),
    ]
    return "\n".join(lines) + "\n"


def strongest_in_words(strongest: pd.Series) -> tuple[str, str]:
    """How much the strongest honest attack finds out, and how that was found."""
    signal, strategy, rule = map(spaced, strongest.strongest.split("/"))
    answer = (
        f"The strongest honest attack has a balanced accuracy of {100 * strongest.accuracy:.1f} % (95 % confidence interval "
        f"{100 * strongest.accuracy_low:.1f} to {100 * strongest.accuracy_high:.1f} %; chance: 50 %)."
    )
    how = (
        f"It is chosen on one half of the records and measured on the other half; most often it is {strategy} on the {signal} signal with the {rule} "
        "threshold rule. Every interval here is for this one model and other records like these: a model that is trained again in the same way "
        "may reveal more or less."
    )
    return answer, how


RULES_IN_WORDS = (
    "Percent. The oracle rule, which is that of Song et al. (2019), chooses its threshold on the evaluated records themselves, so that "
    "chance is above 50 %, and has no interval; split chooses on one half of the records and is applied to the "
    "other half, split by class does so for each class. True positive rates at a low false positive rate are empty where the "
    "non-members are too few to resolve it. Attacks with shadow models (LiRA, RMIA, privacy risk score, joint) need models "
    "trained like this one, and are not part of an audit."
)
COLUMNS = [
    *("signal", "strategy", "threshold_rule", "accuracy", "accuracy_low", "accuracy_high", "chance_accuracy", "auc"),
    *("tpr_at_1pct_fpr", "tpr_at_0.1pct_fpr"),
]


def _percent(table: pd.DataFrame, columns: list[str] | None = None) -> pd.DataFrame:
    text = table.astype(object)
    for column in columns or table.columns:
        text[column] = ["" if pd.isna(value) else f"{100 * value:.1f}" for value in table[column]]
    return text.set_axis([spaced(str(column)) for column in table.columns], axis=1)
