"""Many target models together: whether a defense leaks more than natural training, to the strongest honest attack on each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from robustmia.inference.over_seeds import (
    DIFFERENCE_COLUMNS,
    SEEDS_OF_A_TEST,
    OverSeeds,
    accuracy_of,
    difference_columns,
    mean_columns,
)
from robustmia.inference.record_results import RecordResults
from robustmia.inference.settings import LEVEL
from robustmia.inference.strongest import strongest_attack


@dataclass(frozen=True)
class RunSummary:
    """The strongest attack on the target models of a run: small, so that many runs fit side by side."""

    method: str
    train_accuracy: float
    """Clean accuracy on members; not a number where it was not measured."""
    strongest: str
    """The one that was chosen most often: signal/strategy/rule."""
    accuracy: OverSeeds
    """Balanced accuracy of the strongest attack on each."""

    @classmethod
    def of(cls, method: str, results: Sequence[RecordResults], records: int) -> RunSummary:
        """From the results of each seed, on rows of so many records."""
        strongest = [strongest_attack(part) for part in results]
        measured = [
            accuracy_of(attack.decisions, part.is_member) for attack, part in zip(strongest, results, strict=True)
        ]
        fits = [side[part.is_member].mean() for part in results if (side := part.correct_on("benign")) is not None]
        chosen = sum((attack.chosen for attack in strongest), Counter[str]())
        accuracy = OverSeeds.of(measured, [part.rows for part in results], records)
        train_accuracy = float(np.mean(fits)) if fits else float("nan")
        return cls(method, train_accuracy, chosen.most_common(1)[0][0], accuracy)


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values corrected for their number (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = (len(p_values) - np.arange(len(p_values))) * p_values[order]
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(steps).clip(max=1.0)
    return corrected


COLUMNS = (
    *("run", "method", "train_accuracy", "strongest", "seeds"),
    *("accuracy", "accuracy_sd", "accuracy_low", "accuracy_high", "interval_covers"),
    *(*DIFFERENCE_COLUMNS, "p", "p_holm", "significant", "seeds_needed"),
)


def compare(runs: dict[str, RunSummary]) -> pd.DataFrame:
    """The strongest honest attack on each run, and each run compared with the natural one.

    Args:
        runs: by name, seeds in the same order; the first of method `natural` is what others are compared with.

    Returns:
        A row for each run. `train_accuracy`: clean, on members. `accuracy`: mean over seeds, `accuracy_sd` over seeds, `accuracy_low` and `_high` its confidence interval,
        which covers what `interval_covers` says: `records and training`, or with one seed `records`. `difference` from natural
        training, seed by seed, with its interval; `p` of the paired test over seeds, `p_holm` the same for all defenses together,
        `significant` where that is below 0.05; where it is not, `seeds_needed` to show a difference of this size and spread in 80 % of all cases (empty: more
        than 1,000). Columns of the difference are empty for the natural run itself and without one; intervals with one seed, those of tests with fewer than three.
    """
    natural = next((run for run, summary in runs.items() if summary.method == "natural"), None)
    rows = {run: _row(run, summary) for run, summary in runs.items()}
    differences = {
        run: summary.accuracy - runs[natural].accuracy
        for run, summary in runs.items()
        if natural is not None and run != natural
    }
    for run, difference in differences.items():
        rows[run] |= difference_columns(difference)
    tested = {run: difference for run, difference in differences.items() if difference.seeds >= SEEDS_OF_A_TEST}
    p_values = np.array([difference.p_value() for difference in tested.values()])
    for (run, difference), p, p_holm in zip(tested.items(), p_values, holm(p_values), strict=True):
        significant = bool(p_holm < LEVEL)
        needed = None if significant else difference.seeds_needed(LEVEL / len(tested))
        rows[run] |= {"p": p, "p_holm": p_holm, "significant": significant, "seeds_needed": needed}
    return pd.DataFrame(list(rows.values()), columns=COLUMNS)


def _row(run: str, summary: RunSummary) -> dict:
    names = {"mean": "accuracy"} | {part: f"accuracy_{part}" for part in ("sd", "low", "high")}
    columns = {names.get(name, name): value for name, value in mean_columns(summary.accuracy).items()}
    known = {"method": summary.method, "train_accuracy": summary.train_accuracy, "strongest": summary.strongest}
    return {"run": run, **known, **columns}
