"""What an audit finds: the rows of the main tables, and the scores of every record."""

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
