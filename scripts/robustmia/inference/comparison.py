"""Many target models together: the strongest honest attack on each run, and whether a defense leaks more than natural training.

A decision d for a record, in [0, 1], adds to the balanced accuracy: 1/2 + (mean d of members - mean d of non-members) / 2. So
accuracy is linear in decisions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from robustmia.inference.over_seeds import OverSeeds, accuracy_of, difference_columns
from robustmia.inference.record_results import RecordResults
from robustmia.inference.settings import LEVEL
from robustmia.inference.thresholds import HONEST

SPLITS = 20


@dataclass(frozen=True)
class RunDecisions:
    """Membership decisions for all target models of one run, one for each seed, by every attack under every honest rule."""

    names: tuple[str, ...]
    """J names: signal/strategy/rule."""
    decisions: np.ndarray
    """float64 [J, T, N] for T target models and all N records of the data set; 0 where a record was not evaluated."""
    weights: np.ndarray
    """float64 [T, N]: 1/2 over the number of members for a member, minus that of non-members for one; 0 where not evaluated."""

    @classmethod
    def of(cls, results: list[RecordResults], records: int) -> RunDecisions:
        """From the files of each seed."""
        available = [list(part.thresholded) for part in results]
        names = [
            name
            for name in available[0]
            if name.rpartition("/")[2] in HONEST and all(name in others for others in available)
        ]
        decisions = np.zeros((len(names), len(results), records))
        weights = np.zeros((len(results), records))
        for target, part in enumerate(results):
            decisions[:, target, part.rows] = part.decisions[[available[target].index(name) for name in names]]
            sides = np.where(part.is_member, 0.5 / part.is_member.sum(), -0.5 / (~part.is_member).sum())
            weights[target, part.rows] = sides
        return cls(tuple(names), decisions, weights)

    @property
    def accuracies(self) -> np.ndarray:
        """Balanced accuracy of each attack and rule on each target model, [J, T]."""
        return 0.5 + np.einsum("jtn,tn->jt", self.decisions, self.weights)


# ---------------------------------------------------------------- the strongest honest attack


@dataclass(frozen=True)
class StrongestAttack:
    """Decisions of whichever attack and rule did best elsewhere: on other records of other seeds' models."""

    decisions: np.ndarray
    """float64 [T, N]: mean over 20 splits."""
    name: str
    """The one that was chosen most often: signal/strategy/rule."""


def strongest_attack(run: RunDecisions) -> StrongestAttack:
    """The strongest honest attack on a run, chosen neither on the records nor on the models that it is measured on.

    In each of 20 random splits of the records into halves, each half gets, for each seed, the attack and rule of the highest mean
    accuracy on the other half over all other seeds: the best of many would look strong by luck alone, and the luck of a training
    is the same in both halves. With one seed there are no other models, and the choice is by the other half alone.
    """
    random = np.random.default_rng(0)
    seeds, records = run.weights.shape
    decisions, counts = np.zeros(run.weights.shape), np.zeros(len(run.names), int)
    for _ in range(SPLITS):
        half = random.permutation(records) % 2
        for fitted, held_out in ((0, 1), (1, 0)):
            gains = np.einsum("jtn,tn->jt", run.decisions, _balanced(run.weights * (half == fitted)))
            by_others = gains.sum(axis=1, keepdims=True) - gains if seeds > 1 else gains
            best = by_others.argmax(axis=0)
            counts += np.bincount(best, minlength=len(counts))
            here = half == held_out
            decisions[:, here] += run.decisions[best, np.arange(seeds)][:, here] / SPLITS
    return StrongestAttack(decisions, run.names[int(counts.argmax())])


def _balanced(weights: np.ndarray) -> np.ndarray:
    """Weights [T, N] of which each side adds up to 1/2 again, whatever records were left out."""
    balanced = np.zeros_like(weights)
    for side in (weights > 0, weights < 0):
        balanced += np.where(side, np.sign(weights) * 0.5 / side.sum(axis=1, keepdims=True).clip(min=1), 0.0)
    return balanced


# ---------------------------------------------------------------- the comparison


@dataclass(frozen=True)
class RunSummary:
    """The strongest attack on a run: small, so that many runs fit side by side."""

    method: str
    strongest: str
    """signal/strategy/rule."""
    accuracy: OverSeeds
    """Its balanced accuracy."""

    @classmethod
    def of(cls, method: str, run: RunDecisions) -> RunSummary:
        """Of all target models of one run."""
        strongest = strongest_attack(run)
        rows = [np.flatnonzero(weights) for weights in run.weights]
        measured = [
            accuracy_of(decisions[there], weights[there] > 0)
            for decisions, weights, there in zip(strongest.decisions, run.weights, rows, strict=True)
        ]
        return cls(method, strongest.name, OverSeeds.of(measured, rows, run.weights.shape[1]))


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values corrected for their number (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = (len(p_values) - np.arange(len(p_values))) * p_values[order]
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(steps).clip(max=1.0)
    return corrected


COLUMNS = (
    *("run", "method", "strongest", "seeds"),
    *("accuracy", "accuracy_sd", "accuracy_low", "accuracy_high", "interval_covers"),
    *("difference", "difference_sd", "difference_low", "difference_high", "p", "p_holm", "significant", "seeds_needed"),
)


def compare(runs: dict[str, RunSummary]) -> pd.DataFrame:
    """The strongest honest attack on each run, and each run compared with the natural one.

    Args:
        runs: by name, seeds in the same order; the first of method `natural` is what others are compared with.

    Returns:
        A row for each run. `accuracy`: mean over seeds, `accuracy_sd` over seeds, `accuracy_low` and `_high` its confidence interval,
        which covers what `interval_covers` says: `records and training`, or with one seed `records`. `difference` from natural
        training, seed by seed, with its interval; `p` of the paired t-test over seeds, `p_holm` the same for all defenses together,
        `significant` where that is below 0.05; where it is not, `seeds_needed` to show a difference of this size and spread in 80 % of all cases (empty: more
        than 1,000). Columns of the difference are empty for the natural run itself and without one; all but the first with one seed.
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
    tested = {run: difference for run, difference in differences.items() if difference.seeds > 1}
    p_values = np.array([difference.p_value() for difference in tested.values()])
    for (run, difference), p, p_holm in zip(tested.items(), p_values, holm(p_values), strict=True):
        significant = bool(p_holm < LEVEL)
        needed = None if significant else difference.seeds_needed(LEVEL / len(tested))
        rows[run] |= {"p": p, "p_holm": p_holm, "significant": significant, "seeds_needed": needed}
    return pd.DataFrame(list(rows.values()), columns=COLUMNS)


def _row(run: str, summary: RunSummary) -> dict:
    accuracy = summary.accuracy
    low, high = accuracy.interval(0.0, 1.0)
    return {
        "run": run,
        "method": summary.method,
        "strongest": summary.strongest,
        "seeds": accuracy.seeds,
        "accuracy": accuracy.mean,
        "accuracy_sd": accuracy.deviation,
        "accuracy_low": low,
        "accuracy_high": high,
        "interval_covers": accuracy.interval_covers,
    }
