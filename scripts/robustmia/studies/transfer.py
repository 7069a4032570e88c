"""Attacks with shadow models that were not trained as the target was: what does an attacker lose who does not know how?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from robustmia.files.signals import ShadowSignals, SignalLogits
from robustmia.inference.attack_scores import threshold_all
from robustmia.inference.attacks.base import Attack, are_enough, observe, run_attacks
from robustmia.inference.over_seeds import (
    DIFFERENCE_COLUMNS,
    Key,
    OverSeeds,
    difference_columns,
    mean_columns,
    over_seeds,
)
from robustmia.inference.record_results import RecordResults
from robustmia.studies.other_records import attack_by_other_records

ATTACKS: dict[str, tuple[Key, ...]] = {
    "LiRA, adversarial": (("adversarial", "lira_online", "", "auc"), ("adversarial", "lira_offline", "", "auc")),
    "RMIA, adversarial": (("adversarial", "rmia_online", "", "auc"), ("adversarial", "rmia_offline", "", "auc")),
    "I_A, threshold": (("adversarial", "I_A", "shadow", "accuracy"),),
    "I_T, classifier": (("targeted", "I_T_shadow", "shadow", "accuracy"),),
    "LiRA, benign": (("benign", "lira_online", "", "auc"), ("benign", "lira_offline", "", "auc")),
    "I_B, threshold": (("benign", "I_B", "shadow", "accuracy"),),
}
"""Those that take something from shadow models, each as the first of its forms that there is: the area under the ROC curve of scores, the balanced
accuracy of thresholds and classifiers."""


@dataclass(frozen=True)
class Knowledge:
    """A way of training: that of a target, or that which an attacker supposes."""

    point: str
    run: str
    other_records: bool = False
    """Of shadow models: whether their records are neither members nor non-members of the target."""

    @property
    def name(self) -> str:
        """In words."""
        return ", ".join(filter(None, (self.run, self.point, "other records" if self.other_records else "")))


def attack_with(
    signals: dict[str, SignalLogits],
    rows: np.ndarray,
    shadows: ShadowSignals,
    labels: np.ndarray,
    attacks: Sequence[Attack],
) -> RecordResults | None:
    """The results of a target model's records under attacks that take these shadow models for the target's own kind.

    Args:
        signals: of the target model, by name.
        rows: of the data set, of members and then of non-members.
        shadows: with the same signals of all records of the data set.
        labels: of all of them, int64.
        attacks: all of them.

    Returns:
        None where shadow models were trained on some of the target's records and not on others.
    """
    own = shadows.of(rows)
    if not own.in_mask.any():
        return attack_by_other_records(signals, rows, shadows, labels, attacks)
    if not are_enough(own.in_mask):
        return None
    seen = observe(signals, own)
    return RecordResults.of(rows, threshold_all(run_attacks(attacks, seen)), seen[0].records)


def transfer_table(
    results_of: Callable[[Knowledge, Knowledge], Sequence[RecordResults | None]], of: Sequence[Knowledge], records: int
) -> pd.DataFrame:
    """Every attack on the targets of each kind with the shadow models of each kind.

    Args:
        results_of: from the shadow models' kind and the targets' to the results of each seed, None as in `attack_with`.
        of: the kinds of shadow models; those without `other_records` are the targets'.
        records: of the data set.

    Returns:
        A row for each attack of ATTACKS, kind of `target` and kind of `shadow`, where there are results: `strategy`, its form; `other_records`, whether
        shadow models have other records; `mean`, `sd`, `low`, `high` and `interval_covers` as in `membership_over_seeds.csv`; `difference`, with
        `_low` and `_high`: from the attacker who knows the kind, seed by seed.
    """
    rows = []
    for target in of:
        if target.other_records:
            continue
        cells = {shadow: _numbers(results_of(shadow, target), records) for shadow in of}
        for attack in ATTACKS:
            for shadow, numbers in cells.items():
                if attack not in numbers:
                    continue
                strategy, number = numbers[attack]
                named = {"attack": attack, "strategy": strategy, "target": target.name, "shadow": shadow.name}
                row = named | {"other_records": shadow.other_records, **mean_columns(number)}
                own = None if shadow == target else cells[target].get(attack)
                rows.append(row if own is None else row | difference_columns(number - own[1]))
    table = pd.DataFrame(rows)
    return table.reindex(columns=[*(name for name in table if name not in DIFFERENCE_COLUMNS), *DIFFERENCE_COLUMNS])


def _numbers(results: Sequence[RecordResults | None], records: int) -> dict[str, tuple[str, OverSeeds]]:
    """The strategy and the number of each attack that there is for all seeds."""
    there = [part for part in results if part is not None]
    if len(there) < len(results):
        return {}
    found: dict[str, tuple[str, OverSeeds]] = {}
    for attack, keys in ATTACKS.items():
        for key in keys:
            if (number := over_seeds(there, key, records)) is not None:
                found.setdefault(attack, (key[1], number))
    return found


def losses(table: pd.DataFrame) -> pd.DataFrame:
    """What is lost on average by not knowing: a row for each attack and kind of records, over all pairs of different kinds.

    Returns:
        `known` and `unknown`, the means over these pairs of what an attacker reaches who knows the target's kind, and who does not; `lost`, their
        difference; `pairs`, and how many of their differences are `shown` to be below 0; and `worst`, the largest difference of a single pair.
    """
    rows = []
    for (attack, other_records), part in table.groupby(["attack", "other_records"], sort=False):
        unknown = part[part.target != part.shadow]
        if not len(unknown):
            continue
        worst = unknown.sort_values("difference", kind="stable").iloc[0]
        rows.append(
            {
                "attack": attack,
                "other_records": other_records,
                "known": (unknown["mean"] - unknown.difference).mean(),
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
