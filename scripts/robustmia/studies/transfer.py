"""Attacks with shadow models that were not trained as the target was: what does an attacker lose who does not know how?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from robustmia.files.signals import ShadowSignals, SignalLogits
from robustmia.inference.attack_scores import EvaluationSet, threshold_all
from robustmia.inference.attacks.base import Attack, Observation, run_attacks
from robustmia.inference.over_seeds import Key, Measurement, OverSeeds, difference_columns, mean_columns, measure
from robustmia.inference.record_results import RecordResults

ATTACKS: dict[str, Key] = {
    "LiRA, adversarial": ("adversarial", "lira_online", "", "auc"),
    "RMIA, adversarial": ("adversarial", "rmia_online", "", "auc"),
    "I_A, threshold": ("adversarial", "I_A", "shadow", "accuracy"),
    "I_T, classifier": ("targeted", "I_T_shadow", "shadow", "accuracy"),
    "LiRA, benign": ("benign", "lira_online", "", "auc"),
    "I_B, threshold": ("benign", "I_B", "shadow", "accuracy"),
}
"""Those that take something from shadow models: the area under the ROC curve of scores, the balanced accuracy of thresholds and classifiers."""


@dataclass(frozen=True)
class Knowledge:
    """A way of training: that of a target, or that which an attacker supposes."""

    point: str
    run: str

    @property
    def name(self) -> str:
        """In words."""
        return ", ".join(filter(None, (self.run, self.point)))


def attack_with(
    signals: dict[str, SignalLogits], rows: np.ndarray, shadows: ShadowSignals, attacks: Sequence[Attack]
) -> RecordResults:
    """The results of a target model's records under attacks that take these shadow models for the target's own kind.

    Args:
        signals: of the target model, by name.
        rows: of the data set, of members and then of non-members.
        shadows: with the same signals of the same records.
        attacks: all of them.
    """
    records = EvaluationSet.of(next(iter(signals.values())), shadows.in_mask)
    seen = [Observation.of(name, file, records, shadows.logits.get(name)) for name, file in signals.items()]
    return RecordResults.of(rows, threshold_all(run_attacks(attacks, seen)), records)


def transfer_table(
    results_of: Callable[[Knowledge, Knowledge], Sequence[RecordResults]], of: Sequence[Knowledge], records: int
) -> pd.DataFrame:
    """Every attack on the targets of each kind with the shadow models of each kind.

    Args:
        results_of: from the shadow models' kind and the targets' to the results of each seed.
        of: the kinds.
        records: of the data set.

    Returns:
        A row for each attack of ATTACKS, kind of `target` and kind of `shadow`: `mean`, `sd`, `low`, `high` and `interval_covers` as in
        `membership_over_seeds.csv`; `difference`, with `_low` and `_high`: from the attacker who knows the kind, seed by seed.
    """
    rows = []
    for target in of:
        cells = {shadow: _numbers(results_of(shadow, target), records) for shadow in of}
        for attack in ATTACKS:
            for shadow, numbers in cells.items():
                if attack not in numbers:
                    continue
                row = {"attack": attack, "target": target.name, "shadow": shadow.name, **mean_columns(numbers[attack])}
                own = None if shadow == target else cells[target].get(attack)
                rows.append(row if own is None else row | difference_columns(numbers[attack] - own))
    columns = ("difference", "difference_sd", "difference_low", "difference_high")
    table = pd.DataFrame(rows)
    return table.reindex(columns=[*(name for name in table if name not in columns), *columns])


def _numbers(results: Sequence[RecordResults], records: int) -> dict[str, OverSeeds]:
    found = {}
    for attack, key in ATTACKS.items():
        measured = [one for part in results if (one := _measured(part, key))]
        if len(measured) == len(results):
            found[attack] = OverSeeds.of(measured, [part.rows for part in results], records)
    return found


def _measured(results: RecordResults, key: Key) -> Measurement | None:
    """A number of one target model; None where there is no such attack."""
    signal, strategy, rule, _ = key
    there = f"{signal}/{strategy}/{rule}" in results.thresholded if rule else f"{signal}/{strategy}" in results.attacks
    return measure(results, key) if there else None


def losses(table: pd.DataFrame) -> pd.DataFrame:
    """What is lost on average by not knowing: a row for each attack, over all pairs of different kinds.

    Returns:
        `known` and `unknown`, the means over targets; `lost`, their difference, and `worst`, the largest difference of a single pair.
    """
    rows = []
    for attack, part in table.groupby("attack", sort=False):
        known, unknown = part[part.target == part.shadow], part[part.target != part.shadow]
        if not len(unknown):
            continue
        worst = unknown.sort_values("difference", kind="stable").iloc[0]
        rows.append(
            {
                "attack": attack,
                "known": known["mean"].mean(),
                "unknown": unknown["mean"].mean(),
                "lost": -unknown.difference.mean(),
                "pairs": len(unknown),
                "shown": int((unknown.difference_high < 0).sum()),
                "worst": -worst.difference,
                "worst_target": worst.target,
                "worst_shadow": worst.shadow,
            }
        )
    return pd.DataFrame(rows)
