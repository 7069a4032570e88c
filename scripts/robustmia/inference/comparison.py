"""Many targets together: the strongest honest strategy of each run, and whether a defense leaks more than natural training.

A call c of a record, in [0, 1], adds to the accuracy of its target: 1/2 + (mean c of members - mean c of non-members) / 2. So
accuracy is linear in calls, and resampling records is a matrix product. The same records come back under other seeds, on
one side or the other; resampling takes all of a record's appearances together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from robustmia.inference.attempts import Judged
from robustmia.inference.thresholds import HONEST

DRAWS = 2000
CHUNK = 2**24  # elements of a block of draws
HALVINGS = 20


@dataclass(frozen=True)
class Targets:
    """All targets of one run, a seed each: calls under every honest judgement."""

    names: tuple[str, ...]
    """J names: signal/strategy/rule."""
    called: np.ndarray
    """float64 [J, T, N] of T targets and all N records of the data set; 0 where a record was not evaluated."""
    weights: np.ndarray
    """float64 [T, N]: 1/2 over the number of members for a member, minus that of non-members for one; 0 where not evaluated."""

    @classmethod
    def of(cls, judged: list[Judged], records: int) -> Targets:
        """From the files of each seed."""
        honest = [list(part.rules) for part in judged]
        names = [name for name in honest[0] if name.rpartition("/")[2] in HONEST and all(name in h for h in honest)]
        called = np.zeros((len(names), len(judged), records))
        weights = np.zeros((len(judged), records))
        for target, part in enumerate(judged):
            called[:, target, part.rows] = part.called[[list(part.rules).index(name) for name in names]]
            sides = np.where(part.is_member, 0.5 / part.is_member.sum(), -0.5 / (~part.is_member).sum())
            weights[target, part.rows] = sides
        return cls(tuple(names), called, weights)

    @property
    def accuracies(self) -> np.ndarray:
        """Balanced accuracy of each judgement on each target, [J, T]."""
        return 0.5 + np.einsum("jtn,tn->jt", self.called, self.weights)


# ---------------------------------------------------------------- the strongest honest strategy


@dataclass(frozen=True)
class Strongest:
    """Calls of whichever judgement did best, for each half of the records chosen on the other half."""

    called: np.ndarray
    """float64 [T, N]: mean over 20 halvings."""
    chosen: str
    """The judgement chosen most often: signal/strategy/rule."""


def strongest(targets: Targets) -> Strongest:
    """The strongest honest strategy of a run, without having chosen it on the records that it is measured on.

    Of 20 random halvings of the records each half is judged by the judgement of the highest mean accuracy, over all seeds, on the
    other half: the best of many would look strong by luck alone.
    """
    random = np.random.default_rng(0)
    records = targets.weights.shape[1]
    called, counts = np.zeros(targets.weights.shape), np.zeros(len(targets.names))
    for _ in range(HALVINGS):
        half = random.permutation(records) % 2
        for fitted, judged in ((0, 1), (1, 0)):
            gains = np.einsum("jtn,tn->j", targets.called, _balanced(targets.weights * (half == fitted)))
            best = int(gains.argmax())
            counts[best] += 1
            called[:, half == judged] += targets.called[best][:, half == judged] / HALVINGS
    return Strongest(called, targets.names[int(counts.argmax())])


def _balanced(weights: np.ndarray) -> np.ndarray:
    """Weights [T, N] of which each side adds up to 1/2 again, whatever records were left out."""
    balanced = np.zeros_like(weights)
    for side in (weights > 0, weights < 0):
        balanced += np.where(side, np.sign(weights) * 0.5 / side.sum(axis=1, keepdims=True).clip(min=1), 0.0)
    return balanced


# ---------------------------------------------------------------- intervals and tests


def bootstrap_interval(gains: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of a sum over records, each drawn with replacement, in 2,000 draws with a fixed seed.

    Args:
        gains: [N], what each record adds, to an accuracy or to a difference of two.
    """
    random = np.random.default_rng(0)
    block = max(1, CHUNK // len(gains))
    chances = np.full(len(gains), 1.0 / len(gains))
    sums = [
        random.multinomial(len(gains), chances, size=min(block, DRAWS - start)) @ gains
        for start in range(0, DRAWS, block)
    ]
    low, high = np.quantile(np.concatenate(sums), [0.025, 0.975])
    return float(low), float(high)


def swap_test(gains: np.ndarray) -> float:
    """Two-sided p-value of a sum of differences, if for each record the two sides might as well be swapped.

    An exact permutation test by 2,000 random swaps with a fixed seed (Fisher's sign flips); never below 1/2001.

    Args:
        gains: [N], for each record what it adds to the difference.
    """
    random = np.random.default_rng(0)
    seen = gains[gains != 0]
    if not len(seen):
        return 1.0
    block = max(1, CHUNK // len(seen))
    extreme = 0
    for start in range(0, DRAWS, block):
        signs = 1.0 - 2.0 * random.integers(2, size=(min(block, DRAWS - start), len(seen)))
        extreme += int((np.abs(signs @ seen) >= np.abs(seen.sum()) * (1.0 - 1e-12)).sum())
    return (1 + extreme) / (1 + DRAWS)


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values corrected for their number (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = (len(p_values) - np.arange(len(p_values))) * p_values[order]
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(steps).clip(max=1.0)
    return corrected


@dataclass(frozen=True)
class Summary:
    """What is left of a run's targets once its strongest attack is known: small, so that many runs fit side by side."""

    method: str
    strongest: str
    called: np.ndarray
    """float64 [T, N]."""
    weights: np.ndarray
    """float64 [T, N]."""

    @classmethod
    def of(cls, method: str, targets: Targets) -> Summary:
        """Of all targets of one run."""
        chosen = strongest(targets)
        return cls(method, chosen.chosen, chosen.called, targets.weights)

    @property
    def accuracies(self) -> np.ndarray:
        """Of the strongest attack on each target, [T]."""
        return 0.5 + (self.called * self.weights).sum(axis=1)


def compare(runs: dict[str, Summary]) -> pd.DataFrame:
    """The strongest honest strategy against each run, and each run against the natural one.

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


def _row(run: str, summary: Summary) -> dict:
    low, high = _accuracy_interval(summary.called, summary.weights)
    by_seed = summary.accuracies
    return {
        "run": run,
        "method": summary.method,
        "strongest": summary.strongest,
        "seeds": len(by_seed),
        "accuracy": by_seed.mean(),
        "accuracy_sd": by_seed.std(ddof=1) if len(by_seed) > 1 else None,
        "accuracy_low": low,
        "accuracy_high": high,
    }


def _accuracy_interval(called: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Of the mean accuracy over targets; calls are centred on each side's mean, so that the sides' sizes, drawn too, add nothing."""
    members, nonmembers = weights > 0, weights < 0
    centred = called.copy()
    for side in (members, nonmembers):
        count = side.sum(axis=1, keepdims=True)
        centred -= np.where(side, np.where(side, called, 0.0).sum(axis=1, keepdims=True) / count, 0.0)
    mean = 0.5 + (called * weights).sum(axis=1).mean()
    low, high = bootstrap_interval((centred * weights).mean(axis=0)[(weights != 0).any(axis=0)])
    return mean + low, mean + high


def _difference(summary: Summary, natural: Summary) -> dict:
    changed = summary.called - natural.called
    gains = changed * summary.weights
    by_seed = gains.sum(axis=1)
    low, high = _accuracy_interval(changed, summary.weights)
    agree = bool((np.sign(by_seed) == np.sign(by_seed.mean())).all()) if len(by_seed) > 1 else None
    return {
        "difference": by_seed.mean(),
        "difference_low": low - 0.5,
        "difference_high": high - 0.5,
        "p_records": swap_test(gains.mean(axis=0)),
        "p_seeds": _p_over_seeds(by_seed),
        "seeds_agree": agree,
    }


def _p_over_seeds(differences: np.ndarray) -> float | None:
    return float(ttest_1samp(differences, 0.0).pvalue) if len(differences) > 1 and differences.std() else None
