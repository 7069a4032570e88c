"""The results of one target model: rows for the long tables, from its signals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pandas as pd

from robustmia.files.signals import ShadowSignals, SignalLogits, VerifiedBounds
from robustmia.inference.attack_scores import AttackScores, ThresholdedAttack, threshold_all
from robustmia.inference.attacks.base import OWN_VERIFIED, Attack, observe, run_attacks
from robustmia.inference.attacks.shadow_view import sensitivity
from robustmia.inference.columns import Cells
from robustmia.inference.curves import loss_histogram, margin_histogram, roc_table
from robustmia.inference.record_results import RecordResults
from robustmia.inference.robustness import robustness_table, verification_table
from robustmia.inference.soundness import require_sound

Identity = dict[str, Any]
"""`dataset`, `run`, `method` and `seed`: the columns that say which target model a row is about."""
Column = Callable[[ThresholdedAttack], Cells]

STRATEGIES_WITH_CURVES = ("I_B", "I_A", "I_V", "I_V_own")
"""Those with ROC curves and histograms in the tables."""


@dataclass(frozen=True)
class Results:
    """One target model's rows, each table long and tidy, the identity first."""

    membership_inference: pd.DataFrame
    robustness: pd.DataFrame
    roc: pd.DataFrame
    loss_histogram: pd.DataFrame
    verification: pd.DataFrame
    margin_histogram: pd.DataFrame


def evaluate(
    identity: Identity,
    signals: dict[str, SignalLogits],
    rows: np.ndarray,
    attacks: Sequence[Attack],
    columns: Sequence[Column],
    own_verifier: str | None = None,
    in_verified_ball: Iterable[str] = (),
    shadows: ShadowSignals | None = None,
    names: np.ndarray | None = None,
) -> tuple[Results, RecordResults]:
    """Run every attack on every signal.

    Args:
        identity: the target model's columns.
        signals: by name: `benign`, `adversarial`, `verified`, ...
        rows: of the data set, of members and then of non-members.
        attacks: all of them; those that need shadow models are left out where there are none.
        columns: of `membership_inference.csv`.
        own_verifier: the verifier that the model was trained with, if it was.
        in_verified_ball: the signals whose images all lie in the ball of the verified one.
        shadows: of the shadow models; None: there are none.
        names: of the records, str [n] in the order of `rows`, for the message of an error; None: their rows.

    Raises:
        SoundnessError: an attack does what the verified bounds rule out.
    """
    verified = signals.get("verified")
    if verified is not None:
        target, named = "{dataset}/{run}/seed{seed}".format(**identity), rows.astype(str) if names is None else names
        require_sound(target, verified, signals, in_verified_ball, named)
    if isinstance(verified, VerifiedBounds) and own_verifier in verified.verifiers:
        signals = signals | {OWN_VERIFIED: verified.under(str(own_verifier))}
    seen = observe(signals, shadows)
    results, records = run_attacks(attacks, seen), seen[0].records
    thresholded = threshold_all(results)
    paper = [result for result in results if result.strategy in STRATEGIES_WITH_CURVES]
    tables = Results(
        membership_inference=membership_table(identity, thresholded, columns),
        robustness=identified(identity, robustness_table(signals)),
        roc=identified(identity, _joined([_named(result, roc_table(result)) for result in paper])),
        loss_histogram=identified(
            identity, _joined([loss_histogram(result).assign(signal=result.signal) for result in paper])
        ),
        verification=identified(identity, verification_table(verified, own_verifier)),
        margin_histogram=identified(identity, margin_histogram(verified)),
    )
    sensitivities = {one.signal: sensitivity(one.shadow_view) for one in seen if one.shadow_logits is not None}
    return tables, RecordResults.of(rows, thresholded, records, sensitivities, shadows.members if shadows else None)


def load_columns(paths: Iterable[str]) -> list[Column]:
    """The functions of a list of "module:function"."""
    return [resolve_name(path) for path in paths]


def membership_table(
    identity: Identity, thresholded: Iterable[ThresholdedAttack], columns: Sequence[Column]
) -> pd.DataFrame:
    """A row for each attack under each threshold rule: `membership_inference.csv` of one target model."""
    rows = []
    for one in thresholded:
        row: Cells = {"signal": one.attack.signal, "strategy": one.attack.strategy, "threshold_rule": one.rule}
        for column in columns:
            row |= column(one)
        rows.append(row)
    return identified(identity, pd.DataFrame(rows))


def identified(identity: Identity, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the columns that say which target model they are about in front."""
    first = [*identity, *(column for column in ("signal", "strategy") if column in rows)]
    rows = rows.assign(**identity)
    return rows[[*first, *(column for column in rows if column not in first)]].reset_index(drop=True)


def _named(result: AttackScores, table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(signal=result.signal, strategy=result.strategy)


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; there are none where no signal is one of the paper's."""
    return pd.concat(tables) if tables else pd.DataFrame()
