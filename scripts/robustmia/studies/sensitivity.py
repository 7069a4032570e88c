"""How much a model's confidence in a record depends on whether it was trained on it (Song et al. 2019, section 4.2).

For each chosen record a model is trained again without it. Training again moves confidences anyway, so that what counts is the
difference from models that were trained again with all members, and how large such a difference is where no record is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata, t

from robustmia.errors import UserError
from robustmia.inference.record_results import RecordResults
from robustmia.inference.scores import log_odds, probability

SIGNALS = {"benign": "clean", "adversarial": "adversarial"}
"""Those whose confidences are compared, and how tables call them."""
GROUPS = ("random", "most at risk", "least at risk")
RESAMPLES = 2000
ENOUGH_RECORDS = 5  # for a rank correlation


def choose(results: Sequence[RecordResults], counts: Sequence[int], seed: int) -> pd.DataFrame:
    """The members that are left out: random ones, and of the others those at most and at least risk.

    Args:
        results: of the runs' target models, of one split. A record's risk is that of RMIA on adversarial inputs where there are shadow
            models, and its score under I_A where there are none; it is ranked among the members, and the mean rank over the runs counts.
        counts: how many random, most and least at risk.
        seed: of the random ones.

    Returns:
        A row for each: `row` of the data set, `label`, `group` of GROUPS, and `risk`, its mean rank in [0, 1].

    Raises:
        UserError: there are fewer members than that.
    """
    members, labels = (values[results[0].is_member] for values in (results[0].rows, results[0].labels))
    risk = np.mean([pd.Series(_risk(part)).rank(pct=True).to_numpy() for part in results], axis=0)
    if sum(counts) > len(members):
        raise UserError(
            f"{sum(counts)} members are to be left out, and there are {len(members)}; lower random, most_at_risk and least_at_risk of the study"
        )
    order = np.random.default_rng([seed, 2019]).permutation(len(members))
    drawn, rest = order[: counts[0]], order[counts[0] :]
    rest = rest[np.argsort(-risk[rest], kind="stable")]
    chosen = (drawn, rest[: counts[1]], rest[len(rest) - counts[2] :])
    parts = [
        pd.DataFrame({"row": members[own], "label": labels[own], "group": group, "risk": risk[own]})
        for group, own in zip(GROUPS, chosen, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def _risk(results: RecordResults) -> np.ndarray:
    """Of each member."""
    names, wanted = list(results.attacks), ("adversarial/rmia_online", "adversarial/rmia_offline", "adversarial/I_A")
    attack = next(name for name in wanted if name in names)
    return results.scores_of(attack)[results.is_member]


@dataclass(frozen=True)
class Retrained:
    """Confidences of models that were trained again, in the chosen records: the probability of the true class."""

    without: np.ndarray
    """float64 [n, n]: of the model that was trained without record i (row) in record j (column)."""
    again: np.ndarray
    """float64 [R, n]: of models that were trained with all members."""

    @classmethod
    def of(cls, without: np.ndarray, again: np.ndarray, labels: np.ndarray) -> Retrained:
        """From logits, [n, n, K] and [R, n, K], and the records' labels [n]."""
        return cls(*(np.array([probability(log_odds(z, labels)) for z in models]) for models in (without, again)))

    @property
    def sensitivity(self) -> np.ndarray:
        """What is lost without the record, [n]: the mean confidence with it less that without it."""
        return self.again.mean(axis=0) - np.diagonal(self.without)

    @property
    def left_in(self) -> np.ndarray:
        """The same of the models that were trained without another record, [n]: their mean, which should be about 0."""
        count = len(self.without)
        others = (self.without.sum(axis=0) - np.diagonal(self.without)) / max(1, count - 1)
        return self.again.mean(axis=0) - others

    @property
    def baseline(self) -> np.ndarray:
        """What training again does with no record left out, [R, n]: the mean confidence of the other models less that of each."""
        total, count = self.again.sum(axis=0), len(self.again)
        return (total - self.again) / (count - 1) - self.again

    @property
    def band(self) -> tuple[np.ndarray, np.ndarray]:
        """Between which the k-th largest difference is in 95 % of draws where no record is left out, low and high, [n].

        As with the sensitivities, a draw has the mean of as many trainings, less another training for each record.
        """
        random, (count, records) = np.random.default_rng(0), self.again.shape
        means = random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) @ self.again / count
        single = self.again[random.integers(count, size=(RESAMPLES, records)), np.arange(records)]
        low, high = np.quantile(np.sort(means - single, axis=1)[:, ::-1], [0.025, 0.975], axis=0)
        return low, high


def sensitivity_table(chosen: pd.DataFrame, retrained: dict[tuple[str, str], Retrained]) -> pd.DataFrame:
    """A row for each run, signal and chosen record, `retrained` by run and signal.

    Returns:
        `run`, `signal`, `row`, `group`, `risk`; `confidence` with the record, the mean over retrainings; `sensitivity`, what of it is lost
        without the record; `left_in`, what is lost without another one; `baseline_sd`, the standard deviation over retrainings;
        `band_low` and `band_high`, between which the k-th largest sensitivity is where nothing is left out, in the order of the table,
        which is that of the sensitivities.
    """
    parts = []
    for (run, signal), found in retrained.items():
        low, high = found.band
        part = chosen.assign(
            run=run,
            signal=SIGNALS[signal],
            confidence=found.again.mean(axis=0),
            sensitivity=found.sensitivity,
            left_in=found.left_in,
            baseline_sd=found.again.std(axis=0, ddof=1),
        ).sort_values("sensitivity", ascending=False, kind="stable")
        parts.append(part.assign(band_low=low, band_high=high))
    table = pd.concat(parts, ignore_index=True)
    return table[["run", "signal", *(column for column in table if column not in ("run", "signal"))]]


def summary(chosen: pd.DataFrame, retrained: dict[tuple[str, str], Retrained], natural: str | None) -> pd.DataFrame:
    """A row for each run and signal: means over the random records, which stand for all members.

    Returns:
        `sensitivity`, `low` and `high`: its mean and 95 % confidence interval over records and retrainings; `left_in`, the mean of the same
        with another record left out; `outside`: the part of all chosen records whose sensitivity is larger than 97.5 % of what
        training again does; `difference`, with `_low` and `_high`: from the natural run, record by record; `rank_correlation`, with `_low` and
        `_high`: Spearman's, of sensitivity and risk, over the random records, with a bootstrap interval over records.
    """
    is_random = (chosen.group == "random").to_numpy()
    rows = []
    for (run, signal), found in retrained.items():
        base = retrained.get((str(natural), signal)) if run != natural else None
        row = {"run": run, "signal": SIGNALS[signal], "records": int(is_random.sum()), "retrainings": len(found.again)}
        row |= _mean("", found, is_random) | {"left_in": found.left_in[is_random].mean()}
        row["outside"] = float((found.sensitivity > np.quantile(found.baseline, 0.975)).mean())
        if base is not None:
            row |= _mean("difference", found, is_random, base)
        rows.append(row | _correlation(found.sensitivity[is_random], chosen.risk.to_numpy()[is_random]))
    return pd.DataFrame(rows)


def _mean(name: str, found: Retrained, of: np.ndarray, base: Retrained | None = None) -> dict[str, float]:
    """The mean over some records, or its difference from that of another run, with an interval.

    Its variance is that of the records' own values, each of which has the noise of its own retraining, and that of the mean of the
    models which are trained with all members, which all records share.
    """
    values = found.sensitivity[of] - (base.sensitivity[of] if base else 0.0)
    shared = [part.again[:, of].mean(axis=1) for part in (found, base) if part is not None]
    variance = values.var(ddof=1) / len(values) + sum(part.var(ddof=1) / len(part) for part in shared)
    freedom = min(len(values), *map(len, shared)) - 1
    half = float(t.isf(0.025, freedom) * np.sqrt(variance))
    mean = float(values.mean())
    key = name or "sensitivity"
    prefix = f"{name}_" if name else ""
    return {key: mean, f"{prefix}low": mean - half, f"{prefix}high": mean + half}


def _correlation(sensitivity: np.ndarray, risk: np.ndarray) -> dict[str, float]:
    """Of fewer than five records there is none."""
    random, count = np.random.default_rng(0), len(risk)
    if count < ENOUGH_RECORDS:
        return dict.fromkeys(("rank_correlation", "rank_correlation_low", "rank_correlation_high"), float("nan"))
    rows = random.integers(count, size=(RESAMPLES, count))
    low, high = np.nanquantile(_spearman(sensitivity[rows], risk[rows]), [0.025, 0.975])
    found = float(_spearman(sensitivity[None], risk[None])[0])
    return {"rank_correlation": found, "rank_correlation_low": float(low), "rank_correlation_high": float(high)}


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The rank correlation of each row, [n], from [n, records] twice; not a number where all values of a row are equal."""
    x, y = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (rankdata(values, axis=1) for values in (x, y)))
    with np.errstate(invalid="ignore"):
        return (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
