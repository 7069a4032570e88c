"""What changes from point to point of a study: leakage, accuracies and generalisation gaps of every run at every point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from robustmia.inference.comparison import RunSummary, holm
from robustmia.inference.over_seeds import (
    DIFFERENCE_COLUMNS,
    SEEDS_OF_A_TEST,
    Measurement,
    OverSeeds,
    difference_columns,
    mean_columns,
)
from robustmia.inference.record_results import RecordResults
from robustmia.inference.settings import LEVEL

SIGNALS = ("benign", "adversarial", "verified")
"""Those whose accuracies are a model's clean, adversarial and verified accuracy."""
STRONGEST = "strongest attack accuracy"
MARGIN, MARGIN_OF = "adversarial margin", "adversarial/I_A"
SENSITIVE = ("benign", "adversarial")
"""Signals whose sensitivity to single records is compared."""
OTHER_MEMBERS = 0.1  # of those of the targets, by which those of shadow models may differ without a word
PRIVACY = ("privacy epsilon", "privacy delta")


@dataclass(frozen=True)
class TargetsAt:
    """The target models of one run at one point, one for each seed."""

    point: str
    values: dict[str, Any]
    """What is changed at this point, by dotted key."""
    run: str
    method: str
    results: Sequence[RecordResults]
    """Those of target models that several points share are the same objects."""
    privacy: tuple[float, float] | None = None
    """Epsilon and delta of differentially private training."""
    is_shown: bool = True
    """Whether it has rows of its own; if not, others are compared with it all the same."""

    @property
    def members(self) -> tuple[int, float]:
        """How many members the target models have, and their shadow models; not a number without any."""
        shadow = self.results[0].shadow_members
        return int(self.results[0].is_member.sum()), float(shadow[0]) if len(shadow) else float("nan")

    def shares_models_with(self, other: TargetsAt) -> bool:
        """Whether these are the very same target models."""
        return all(own is theirs for own, theirs in zip(self.results, other.results, strict=True))


def sweep_table(targets: Sequence[TargetsAt]) -> pd.DataFrame:
    """Every quantity of every run at every point.

    Args:
        targets: of all points, runs in one order, the seeds in one order. The first point, and the first run of method `natural`, are
            what others are compared with.

    Returns:
        A row for each point, run and `quantity`, where they are shown: the `strongest attack accuracy`, and for each signal in SIGNALS `train accuracy`,
        `test accuracy` and their difference, `gap`; and the `adversarial margin`, the mean log odds of the true class of adversarial
        non-members; with shadow models of about as many members the `benign sensitivity` and the `adversarial sensitivity`, means over members; and of private
        training the `privacy epsilon` and `privacy delta`, which have no intervals. `members` of the targets
        and of their shadow models; `mean`, `sd`, `low`, `high` and `interval_covers` as in
        `membership_over_seeds.csv`. `from_first`, with `_low` and `_high`, is the difference from the same run at the first point, seed by
        seed; `p`, `p_holm` and `significant` are of its test, of the strongest attack alone, corrected for all runs and points; where the target models are those of the first point
        there is nothing to compare.
        `difference`, with `_low` and `_high`, is that from natural training at the same point.
    """
    records = 1 + max(int(part.rows.max()) for target in targets for part in target.results)
    measured = [_quantities(target, records) for target in targets]
    first = {target.run: (target, own) for target, (own, _) in reversed(list(zip(targets, measured, strict=True)))}
    natural = {
        target.point: own
        for target, (own, _) in reversed(list(zip(targets, measured, strict=True)))
        if target.method == "natural"
    }
    rows = []
    for target, (own, strongest) in zip(targets, measured, strict=True):
        if not target.is_shown:
            continue
        at_first, own_first = first[target.run]
        named = {"point": target.point, **target.values, "run": target.run, "method": target.method}
        named |= dict(zip(("members", "shadow_members"), target.members, strict=True))
        rows += [
            named | {"quantity": name, "mean": value}
            for name, value in zip(PRIVACY, target.privacy or (), strict=False)
        ]
        for quantity, value in own.items():
            row = named | {"strongest": strongest, "quantity": quantity, **_mean(quantity, value)}
            if not target.shares_models_with(at_first) and quantity in own_first:
                row |= _from_first(quantity, value - own_first[quantity])
            there = natural.get(target.point, own)
            if there is not own and quantity in there and quantity != MARGIN:
                row |= difference_columns(value - there[quantity])
            rows.append(row)
    return _tested(pd.DataFrame(rows))


def have_other_members(members: Any, shadow_members: Any) -> Any:
    """Whether shadow models have noticeably more or fewer members than their targets; both are numbers, or columns of them."""
    return abs(shadow_members / members - 1) > OTHER_MEMBERS


def _quantities(target: TargetsAt, records: int) -> tuple[dict[str, OverSeeds], str]:
    """The quantities of a run at a point over its seeds, and the name of the strongest attack."""
    summary = RunSummary.of(target.method, target.results, records)
    rows, found = [part.rows for part in target.results], {STRONGEST: summary.accuracy}
    for signal in SIGNALS:
        correct = [(side, part.is_member) for part in target.results if (side := part.correct_on(signal)) is not None]
        if len(correct) < len(target.results):
            continue
        for quantity, measure in (("train accuracy", _train), ("test accuracy", _test), ("gap", _gap)):
            measured = [measure(*of_seed) for of_seed in correct]
            found[f"{signal} {quantity}"] = OverSeeds.of(measured, rows, records)
    if all(MARGIN_OF in part.attacks for part in target.results):
        margins = [_test(part.scores_of(MARGIN_OF), part.is_member) for part in target.results]
        found[MARGIN] = OverSeeds.of(margins, rows, records)
    for signal in () if have_other_members(*target.members) else SENSITIVE:
        if all(signal in part.sensitive for part in target.results):
            means = [_train(part.sensitivity_of(signal), part.is_member) for part in target.results]
            found[f"{signal} sensitivity"] = OverSeeds.of(means, rows, records)
    return found, summary.strongest


def _train(correct: np.ndarray, is_member: np.ndarray) -> Measurement:
    """The mean over members of a number of each record, [n]: whether it is classified correctly, say."""
    value = float(correct[is_member].mean())
    return Measurement(value, np.where(is_member, (correct - value) / is_member.sum(), 0.0), None)


def _test(correct: np.ndarray, is_member: np.ndarray) -> Measurement:
    """The mean over non-members."""
    return _train(correct, ~is_member)


def _gap(correct: np.ndarray, is_member: np.ndarray) -> Measurement:
    """Accuracy on members less that on non-members."""
    train, test = _train(correct, is_member), _test(correct, is_member)
    return Measurement(train.value - test.value, train.influence - test.influence, None)


def _mean(quantity: str, value: OverSeeds) -> dict[str, Any]:
    columns = mean_columns(value)
    if quantity == MARGIN or quantity.endswith(("gap", "sensitivity")):  # which may be below 0, or above 1
        columns["low"], columns["high"] = value.interval(*_ends(quantity))
    return columns


def _ends(quantity: str) -> tuple[float, float]:
    """Of what a difference of a quantity can be."""
    return (-np.inf, np.inf) if quantity == MARGIN else (-1.0, 1.0)


def _from_first(quantity: str, difference: OverSeeds) -> dict[str, Any]:
    low, high = difference.interval(*_ends(quantity))
    is_tested = quantity == STRONGEST and difference.seeds >= SEEDS_OF_A_TEST
    tested = {"p": difference.p_value()} if is_tested else {}
    return {"from_first": difference.mean, "from_first_low": low, "from_first_high": high, **tested}


COLUMNS = ("from_first", "from_first_low", "from_first_high", "p", "p_holm", "significant")


def _tested(table: pd.DataFrame) -> pd.DataFrame:
    """With p-values corrected for their number, and all columns in order."""
    ends = (*COLUMNS, *DIFFERENCE_COLUMNS)
    table = table.reindex(columns=[*(column for column in table if column not in ends), *ends])
    tested = table.p.notna()
    table.loc[tested, "p_holm"] = holm(table.p[tested].to_numpy(float))
    table["significant"] = (table.p_holm < LEVEL).where(tested)
    return table
