"""Many target models together: the strongest honest attack on each run, and whether a defense leaks more than natural training.

A decision d for a record, in [0, 1], adds to the balanced accuracy: 1/2 + (mean d of members - mean d of non-members) / 2. So
accuracy is linear in decisions, and resampling records is a matrix product. The same records come back under other seeds, as
members or as non-members; resampling takes all of a record's appearances together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from robustmia.inference.record_results import RecordResults
from robustmia.inference.thresholds import HONEST

DRAWS = 2000
ELEMENTS_AT_ONCE = 2**24  # of a block of draws
SPLITS = 20
FEW_RECORDS = 30  # members or non-members, below which a bootstrap is too narrow


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
    """Decisions of whichever attack and rule did best, for each half of the records chosen on the other half."""

    decisions: np.ndarray
    """float64 [T, N]: mean over 20 splits."""
    name: str
    """The one that was chosen most often: signal/strategy/rule."""


def strongest_attack(run: RunDecisions) -> StrongestAttack:
    """The strongest honest attack on a run, without choosing it on the records that it is measured on.

    In each of 20 random splits of the records into halves, each half gets the attack and rule of the highest mean accuracy, over
    all seeds, on the other half: the best of many would look strong by luck alone.
    """
    random = np.random.default_rng(0)
    records = run.weights.shape[1]
    decisions, counts = np.zeros(run.weights.shape), np.zeros(len(run.names))
    for _ in range(SPLITS):
        half = random.permutation(records) % 2
        for fitted, held_out in ((0, 1), (1, 0)):
            gains = np.einsum("jtn,tn->j", run.decisions, _balanced(run.weights * (half == fitted)))
            best = int(gains.argmax())
            counts[best] += 1
            decisions[:, half == held_out] += run.decisions[best][:, half == held_out] / SPLITS
    return StrongestAttack(decisions, run.names[int(counts.argmax())])


def _balanced(weights: np.ndarray) -> np.ndarray:
    """Weights [T, N] of which each side adds up to 1/2 again, whatever records were left out."""
    balanced = np.zeros_like(weights)
    for side in (weights > 0, weights < 0):
        balanced += np.where(side, np.sign(weights) * 0.5 / side.sum(axis=1, keepdims=True).clip(min=1), 0.0)
    return balanced


# ---------------------------------------------------------------- intervals and tests


def bootstrap_interval(gains: np.ndarray) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a sum over records, in 2,000 draws with a fixed seed.

    Args:
        gains: [N], what each record adds, to an accuracy or to a difference of two.
    """
    random = np.random.default_rng(0)
    block = max(1, ELEMENTS_AT_ONCE // len(gains))
    chances = np.full(len(gains), 1.0 / len(gains))
    sums = [
        random.multinomial(len(gains), chances, size=min(block, DRAWS - start)) @ gains
        for start in range(0, DRAWS, block)
    ]
    low, high = np.quantile(np.concatenate(sums), [0.025, 0.975])
    return float(low), float(high)


def hoeffding(members: int, nonmembers: int) -> float:
    """Half the width of a 95 % confidence interval of a balanced accuracy, whatever the decisions in [0, 1] (Hoeffding 1963, theorem 2)."""
    return float(np.sqrt(np.log(2.0 / 0.05) * (1.0 / members + 1.0 / nonmembers) / 8.0))


def swap_test(gains: np.ndarray) -> float:
    """Two-sided p-value of a sum of differences, under the hypothesis that for each record the two models may be swapped.

    A Monte Carlo permutation test by 2,000 random swaps with a fixed seed (Fisher's sign flips); never below 1/2001.

    Args:
        gains: [N], for each record what it adds to the difference.
    """
    random = np.random.default_rng(0)
    nonzero = gains[gains != 0]
    if not len(nonzero):
        return 1.0
    block = max(1, ELEMENTS_AT_ONCE // len(nonzero))
    extreme = 0
    for start in range(0, DRAWS, block):
        signs = 1.0 - 2.0 * random.integers(2, size=(min(block, DRAWS - start), len(nonzero)))
        extreme += int((np.abs(signs @ nonzero) >= np.abs(nonzero.sum()) * (1.0 - 1e-12)).sum())
    return (1 + extreme) / (1 + DRAWS)


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values corrected for their number (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = (len(p_values) - np.arange(len(p_values))) * p_values[order]
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(steps).clip(max=1.0)
    return corrected


@dataclass(frozen=True)
class RunSummary:
    """What is kept of a run's decisions once its strongest attack is known: small, so that many runs fit side by side."""

    method: str
    strongest: str
    """signal/strategy/rule."""
    decisions: np.ndarray
    """float64 [T, N]."""
    weights: np.ndarray
    """float64 [T, N]."""

    @classmethod
    def of(cls, method: str, run: RunDecisions) -> RunSummary:
        """Of all target models of one run."""
        strongest = strongest_attack(run)
        return cls(method, strongest.name, strongest.decisions, run.weights)

    @property
    def accuracies(self) -> np.ndarray:
        """Balanced accuracy of the strongest attack on each target model, [T]."""
        return 0.5 + (self.decisions * self.weights).sum(axis=1)


def compare(runs: dict[str, RunSummary]) -> pd.DataFrame:
    """The strongest honest attack on each run, and each run compared with the natural one.

    Args:
        runs: by name, seeds in the same order; the first of method `natural` is what others are compared with.

    Returns:
        A row for each run. `accuracy`: mean over seeds, `accuracy_sd` over seeds, `accuracy_low` and `_high` a bootstrap over
        records. `difference` from natural training with its bootstrap; `p_records`: the swap test over records, `p_holm`: that for
        all defenses together; `p_seeds`: a paired t-test over seeds; `seeds_agree`: whether all seeds have the same sign.
        Columns of the difference are empty for the natural run itself and without one; the last two with one seed.
    """
    natural = next((run for run, summary in runs.items() if summary.method == "natural"), None)
    rows = []
    for run, summary in runs.items():
        compared = natural is not None and run != natural
        rows.append(_row(run, summary) | (_difference(summary, runs[str(natural)]) if compared else {}))
    table = pd.DataFrame(rows, columns=COLUMNS)
    tested = table.p_records.notna()
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p_records"].to_numpy(float))
    return table


COLUMNS = (
    *("run", "method", "strongest", "seeds", "accuracy", "accuracy_sd", "accuracy_low", "accuracy_high"),
    *("difference", "difference_low", "difference_high", "p_records", "p_holm", "p_seeds", "seeds_agree"),
)


def _row(run: str, summary: RunSummary) -> dict:
    low, high = _interval(summary.decisions, summary.weights, largest=0.5)
    by_seed = summary.accuracies
    return {
        "run": run,
        "method": summary.method,
        "strongest": summary.strongest,
        "seeds": len(by_seed),
        "accuracy": by_seed.mean(),
        "accuracy_sd": by_seed.std(ddof=1) if len(by_seed) > 1 else None,
        "accuracy_low": 0.5 + low,
        "accuracy_high": 0.5 + high,
    }


def _interval(decisions: np.ndarray, weights: np.ndarray, largest: float) -> tuple[float, float]:
    """Of what decisions add up to with their weights, in the mean over target models, within -largest and largest.

    They are centred on each side's mean, so that the sides' sizes, drawn too, add nothing.
    """
    sides = (weights > 0, weights < 0)
    counts = [side.sum(axis=1, keepdims=True) for side in sides]
    mean = (decisions * weights).sum(axis=1).mean()
    if min(count.min() for count in counts) < FEW_RECORDS:
        half = 2.0 * largest * hoeffding(*(int(count.min()) for count in counts))
        low, high = -half, half
    else:
        centred = decisions.copy()
        for side, count in zip(sides, counts, strict=True):
            centred -= np.where(side, np.where(side, decisions, 0.0).sum(axis=1, keepdims=True) / count, 0.0)
        low, high = bootstrap_interval((centred * weights).mean(axis=0)[(weights != 0).any(axis=0)])
    return max(-largest, mean + low), min(largest, mean + high)


def _difference(summary: RunSummary, natural: RunSummary) -> dict:
    changed = summary.decisions - natural.decisions
    gains = changed * summary.weights
    by_seed = gains.sum(axis=1)
    low, high = _interval(changed, summary.weights, largest=1.0)
    agree = bool((np.sign(by_seed) == np.sign(by_seed.mean())).all()) if len(by_seed) > 1 else None
    return {
        "difference": by_seed.mean(),
        "difference_low": low,
        "difference_high": high,
        "p_records": swap_test(gains.mean(axis=0)),
        "p_seeds": _p_over_seeds(by_seed),
        "seeds_agree": agree,
    }


def _p_over_seeds(differences: np.ndarray) -> float | None:
    return float(ttest_1samp(differences, 0.0).pvalue) if len(differences) > 1 and differences.std() else None
