"""Numbers of a run over its seeds, with 95 % confidence intervals that include the variation between trainings as well as the sampling of records.

The unit is a training: a seed draws the split, if the data set has none of its own, the initial weights and the shadow models. The
variance of a mean over T seeds has two parts, since records and seeds are crossed (Owen 2007; Cameron, Gelbach and Miller 2011). The
seeds' values vary with a variance s^2, which adds s^2 / T. And the same records come back under every seed: the covariance that this
gives the values is estimated from the products of each record's influences under two different seeds. The half width of an interval is
the root of the sum of two squares: t s / sqrt(T), with Student's t for T - 1 degrees of freedom, and z times the standard error that
the records add. So it is never narrower than the t interval. Differences between runs are taken seed by seed and record by record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import nct, norm, t

from robustmia.inference.columns import LOW_RATES, chance_accuracy
from robustmia.inference.decisions import Decisions
from robustmia.inference.metrics import ROC, accuracy_interval, auc, auc_interval, placements
from robustmia.inference.record_results import RecordResults
from robustmia.inference.settings import LEVEL
from robustmia.inference.thresholds import HONEST

SEEDS_OF_A_TEST = 3  # at least: two often have equal values of some number, and then no spread
POWER = 0.8
MOST_SEEDS = 1000  # that are worth naming
SMALLEST_P = 1e-12


@dataclass(frozen=True)
class Measurement:
    """A number of one target model."""

    value: float
    influence: np.ndarray
    """float64 [n]: what each record, members first, adds to its error: the influence function over the number of records."""
    interval: tuple[float, float] | None
    """The 95 % confidence interval over records, for this model; None where there is none."""


@dataclass(frozen=True)
class OverSeeds:
    """A number of the target models of one run, one for each seed."""

    values: np.ndarray
    """float64 [T]."""
    influences: np.ndarray
    """float64 [T, N]: of each record of the data set on each value; 0 where a record was not evaluated."""
    records_interval: tuple[float, float] | None = None
    """The first model's confidence interval over records, for want of a better one where there is only one seed."""

    @classmethod
    def of(cls, measured: Sequence[Measurement], rows: Sequence[np.ndarray], records: int) -> OverSeeds:
        """From what was measured under each seed, on so many rows of the data set's records."""
        influences = np.zeros((len(measured), records))
        for target, (part, where) in enumerate(zip(measured, rows, strict=True)):
            influences[target, where] = part.influence
        return cls(np.array([part.value for part in measured]), influences, measured[0].interval)

    def __sub__(self, other: OverSeeds) -> OverSeeds:
        """The difference of two runs, seed by seed; with one seed it has no interval."""
        return OverSeeds(self.values - other.values, self.influences - other.influences)

    @property
    def seeds(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def deviation(self) -> float | None:
        """The standard deviation over seeds; None with one."""
        return float(self.values.std(ddof=1)) if self.seeds > 1 else None

    def interval(self, least: float, most: float) -> tuple[float | None, float | None]:
        """The 95 % confidence interval of the mean, cut to the values that it can have; of one seed, that over records, if any."""
        if self.seeds == 1:
            return self.records_interval or (None, None)
        half = self._half_width(LEVEL)
        return max(least, self.mean - half), min(most, self.mean + half)

    @property
    def interval_covers(self) -> str:
        """What the interval covers, in words."""
        return "records and training" if self.seeds > 1 else "records"

    def p_value(self) -> float:
        """Two-sided, of the hypothesis that the mean is 0: the level at which the interval ends there. Of two seeds or more."""
        if not self.mean:
            return 1.0
        if self._half_width(SMALLEST_P) <= abs(self.mean):
            return SMALLEST_P
        return float(brentq(lambda level: self._half_width(level) - abs(self.mean), SMALLEST_P, 1.0))

    def _half_width(self, level: float) -> float:
        """Of the interval of confidence 1 - level."""
        by_seeds = float(t.isf(level / 2, self.seeds - 1)) * float(self.values.std(ddof=1)) / np.sqrt(self.seeds)
        return float(np.hypot(by_seeds, norm.isf(level / 2) * np.sqrt(self.records_variance)))

    @cached_property
    def records_variance(self) -> float:
        """What the records that seeds share add to the variance of the mean, however many seeds there are; at least 0."""
        of_pairs = float((self.influences.sum(axis=0) ** 2).sum() - (self.influences**2).sum())
        return max(0.0, of_pairs) / (self.seeds * (self.seeds - 1))

    def seeds_needed(self, level: float) -> int | None:
        """How many seeds would show a mean as large as this, with so much variance, at a level of the test in 80 % of all cases.

        None: more than 1,000, or no number of seeds, or nothing is known of the spread.
        """
        deviation = self.deviation
        if not deviation or not self.mean:
            return None
        counts = np.arange(SEEDS_OF_A_TEST, MOST_SEEDS + 1)
        enough = np.flatnonzero(power(self.mean, deviation, self.records_variance, counts, level) >= POWER)
        return int(counts[enough[0]]) if len(enough) else None


def power(mean: float, deviation: float, records_variance: float, seeds: np.ndarray, level: float) -> np.ndarray:
    """The probability that a test at a level finds a mean, with each of several numbers of seeds (noncentral t distribution).

    Args:
        deviation: over seeds.
        records_variance: what the records add to the variance of the mean.
    """
    by_seeds, by_records = deviation / np.sqrt(seeds), np.sqrt(records_variance)
    limits = np.hypot(t.isf(level / 2, seeds - 1) * by_seeds, norm.isf(level / 2) * by_records)
    error = np.hypot(by_seeds, by_records)
    return nct.sf(limits / error, seeds - 1, abs(mean) / error)


# ---------------------------------------------------------------- what is measured of one target model


def accuracy_of(decisions: np.ndarray, is_member: np.ndarray, honest: bool = True) -> Measurement:
    """Balanced accuracy, from how often each record is classified as a member, [n] in [0, 1]."""
    rates = Decisions(decisions[is_member], decisions[~is_member]).rates
    members, nonmembers = int(is_member.sum()), int((~is_member).sum())
    influence = np.where(
        is_member,
        0.5 * (decisions - rates.true_positive_rate) / members,
        -0.5 * (decisions - rates.false_positive_rate) / nonmembers,
    )
    return Measurement(rates.accuracy, influence, accuracy_interval(rates, members, nonmembers) if honest else None)


def auc_of(scores: np.ndarray, is_member: np.ndarray) -> Measurement:
    """The area under the ROC curve; influences are those of DeLong et al. (1988, equations 4 and 5)."""
    members, nonmembers = scores[is_member], scores[~is_member]
    area, influence = auc(members, nonmembers), np.empty(len(scores))
    for side, placed in zip((is_member, ~is_member), placements(members, nonmembers), strict=True):
        influence[side] = (placed - area) / len(placed)
    return Measurement(area, influence, auc_interval(members, nonmembers))


def true_positive_rate_of(scores: np.ndarray, is_member: np.ndarray, false_positive_rate: float) -> Measurement | None:
    """The true positive rate at a low false positive rate; None where the non-members cannot resolve it."""
    point = ROC.of(scores[is_member], scores[~is_member]).at(false_positive_rate)
    if point is None:
        return None
    above, influence = scores > point.threshold, np.empty(len(scores))
    for side, weight in ((is_member, 1.0), (~is_member, -point.slope)):
        influence[side] = weight * (above[side] - above[side].mean()) / side.sum()
    return Measurement(point.true_positive_rate, influence, (point.low, point.high))


Key = tuple[str, str, str, str]
"""Signal, strategy, threshold rule (empty where none is needed) and quantity."""


def measure(results: RecordResults, key: Key) -> Measurement | None:
    """A number of one target model; None where there is no such attack, or the non-members cannot resolve it."""
    signal, strategy, rule, quantity = key
    attack, is_member = f"{signal}/{strategy}", results.is_member
    if attack not in results.attacks or (rule and f"{attack}/{rule}" not in results.thresholded):
        return None
    if quantity == "accuracy":
        return accuracy_of(results.decisions_of(f"{attack}/{rule}"), is_member, rule in HONEST)
    scores = results.scores_of(attack)
    return (
        auc_of(scores, is_member)
        if quantity == "auc"
        else true_positive_rate_of(scores, is_member, LOW_RATES[quantity])
    )


def over_seeds(results: Sequence[RecordResults], key: Key, records: int) -> OverSeeds | None:
    """A number over the seeds, if the results of all of them have it.

    Args:
        results: of each seed.
        key: of the number.
        records: of the data set.
    """
    measured = [one for part in results if (one := measure(part, key)) is not None]
    return OverSeeds.of(measured, [part.rows for part in results], records) if len(measured) == len(results) else None


def chance(results: RecordResults, key: Key) -> float:
    """What a number is expected to be where scores say nothing about membership."""
    _, _, rule, quantity = key
    if quantity == "accuracy":
        return chance_accuracy(rule, int(results.is_member.sum()), int((~results.is_member).sum()))[0]
    return LOW_RATES.get(quantity, 0.5)


def keys_of(results: RecordResults) -> list[Key]:
    """The numbers of one target model's results, in their order."""
    found: list[Key] = []
    for name in (*map(str, results.thresholded), *map(str, results.attacks)):
        signal, strategy, rule = (*name.split("/"), "")[:3]
        has_curve = strategy != "correctness"  # which has only two scores
        of_attack = ("auc", *LOW_RATES) if has_curve else ("auc",)
        found += [(signal, strategy, rule, each) for each in (("accuracy",) if rule else of_attack)]
    return found


# ---------------------------------------------------------------- the table

DIFFERENCE_COLUMNS = ("difference", "difference_sd", "difference_low", "difference_high")
"""As `difference_columns` names them."""
COLUMNS = (
    *("run", "method", "signal", "strategy", "threshold_rule", "quantity"),
    *("seeds", "mean", "sd", "low", "high", "interval_covers", "chance"),
    *DIFFERENCE_COLUMNS,
)


Numbers = dict[Key, OverSeeds]


def numbers_of(results: Sequence[RecordResults], records: int) -> Numbers:
    """Every number that the results of all seeds have, over the seeds; those that some seed cannot resolve are left out.

    Args:
        results: of each seed.
        records: of the data set.
    """
    numbers = {key: over_seeds(results, key, records) for key in keys_of(results[0])}
    return {key: number for key, number in numbers.items() if number is not None}


def over_seeds_table(run: str, method: str, first: RecordResults, numbers: Numbers, natural: Numbers) -> pd.DataFrame:
    """Every number of a run over its seeds, and how it differs from the same number under natural training.

    Args:
        run: its name.
        method: the name of its method.
        first: results of one of its seeds, for what chance would give.
        numbers: of the run.
        natural: of the natural run, with seeds in the same order; empty: there is none, or this is it.

    Returns:
        A row for each number that all seeds have: the `accuracy` of an attack under a threshold rule, the `auc` and the true
        positive rates of an attack. `low` and `high` cover what `interval_covers` says: `records and training`, or with one seed
        `records`. `chance` is what uninformative scores are expected to give; under the oracle rule, whose threshold saw the records,
        more than 0.5. With one seed a difference has no interval.
    """
    rows = []
    for key, of_run in numbers.items():
        named = dict(zip(("signal", "strategy", "threshold_rule", "quantity"), key, strict=True))
        row = {"run": run, "method": method, **named, **mean_columns(of_run), "chance": chance(first, key)}
        rows.append(row | (difference_columns(of_run - natural[key]) if key in natural else {}))
    return pd.DataFrame(rows, columns=COLUMNS)


def mean_columns(of_run: OverSeeds) -> dict:
    """Of the number of one run."""
    low, high = of_run.interval(0.0, 1.0)
    about = {"seeds": of_run.seeds, "mean": of_run.mean, "sd": of_run.deviation}
    return about | {"low": low, "high": high, "interval_covers": of_run.interval_covers}


def difference_columns(difference: OverSeeds) -> dict:
    """Of a difference between two runs."""
    low, high = difference.interval(-1.0, 1.0)
    about = {"difference": difference.mean, "difference_sd": difference.deviation}
    return about | {"difference_low": low, "difference_high": high}
