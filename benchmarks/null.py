"""Do the intervals and tests hold when models are trained again? Trainings of one method are compared as if they were of different ones.

A family is four runs of one method that share splits and differ only in the seeds of their trainings: the first plays natural
training and the others play defenses, so that every difference is 0. Beside it, natural and PGD training of the same splits are
compared, which do differ. `python benchmarks/null.py FOLDER [FAMILIES]` trains small networks on digits (40 a family; 64 families of
both methods take about an hour and a half of processor time), keeps their signals in the folder, and prints Markdown tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from multiprocessing import Pool
from pathlib import Path

import pandas as pd
import torch
from retrainings import Training, attacked, digits, half, signals_of
from scipy.stats import binomtest

from robustmia.config.registry import STRATEGIES
from robustmia.inference.attacks.base import load_attacks
from robustmia.inference.comparison import RunSummary, compare
from robustmia.inference.over_seeds import numbers_of, over_seeds_table
from robustmia.inference.record_results import RecordResults
from robustmia.inference.settings import AttackSettings

METHODS = ("natural", "pgd")
RUNS, SEEDS = 4, 10
COUNTS = (3, 5, 10)  # of seeds that an experiment has
ATTACKS = [STRATEGIES[name] for name in ("I_B", "I_A", "modified_entropy", "correctness")]
Results = list[list[RecordResults]]  # by run and seed


def family(method: str, number: int, folder: Path) -> Results:
    """Trainings of one family, attacked, by run and seed."""
    torch.set_num_threads(1)
    records = digits()
    trainings = [
        Training(100_000 * number + 1_000 * run + seed, half(records, 1_000 * number + seed))
        for run, seed in product(range(RUNS), range(SEEDS))
    ]
    arrays = signals_of(method, trainings, records, folder)
    attacks = load_attacks(ATTACKS, AttackSettings())
    results = [
        attacked(
            {name: arrays[name][one] for name in ("benign", "adversarial")}, training.split, records.labels, attacks
        )
        for one, training in enumerate(trainings)
    ]
    return [results[run * SEEDS : (run + 1) * SEEDS] for run in range(RUNS)]


def experiment(number: int, folder: Path) -> pd.DataFrame:
    """What one family's intervals and tests say, for each number of seeds that it is cut into."""
    of_method = {method: family(method, number, folder) for method in METHODS}
    parts = []
    for count in COUNTS:
        for first in range(0, SEEDS - count + 1, count):
            chosen = {m: [run[first : first + count] for run in runs] for m, runs in of_method.items()}
            for method, runs in chosen.items():
                rows = pd.concat([_compared(runs), _over_seeds(runs)]).assign(method=method)
                parts.append(rows.assign(seeds=count, block=f"{number}/{first}"))
            real = _compared([chosen["natural"][0], chosen["pgd"][0]]).assign(method="pgd against natural")
            parts.append(real.assign(seeds=count, block=f"{number}/{first}"))
    return pd.concat(parts)


def _compared(runs: Results) -> pd.DataFrame:
    """The strongest attack of each run, and its difference from the first."""
    records = len(runs[0][0].rows)
    summaries = {
        f"run{n}": RunSummary.of("natural" if n == 0 else "defense", run, records) for n, run in enumerate(runs)
    }
    table = compare(summaries)
    named = table.rename(columns={"accuracy": "mean", "accuracy_low": "low", "accuracy_high": "high"})
    return named.assign(what="accuracy of the strongest attack")[[*KEPT, "p", "p_holm"]]


def _over_seeds(runs: Results) -> pd.DataFrame:
    """Every attack's numbers."""
    records = len(runs[0][0].rows)
    numbers = [numbers_of(run, records) for run in runs]
    tables = [
        over_seeds_table(f"run{n}", "natural", runs[n][0], own, numbers[0] if n else {})
        for n, own in enumerate(numbers)
    ]
    table = pd.concat(tables)
    names = table.quantity + ", " + table.strategy + " " + table.threshold_rule + " on " + table.signal
    return table.assign(what=names.str.replace("  ", " "))[list(KEPT)]


KEPT = ("what", "run", "mean", "low", "high", "difference", "difference_low", "difference_high")


def coverage(found: pd.DataFrame) -> pd.DataFrame:
    """How often intervals hold what they are of: the mean over all trainings, and for differences 0."""
    rows = []
    null = found[found.method.isin(METHODS)]
    for (seeds, method, what), part in null.groupby(["seeds", "method", "what"], sort=False):
        truth, differences = part["mean"].mean(), part.dropna(subset=["difference_low"])
        inside = part.low.le(truth) & part.high.ge(truth)
        zero = differences.difference_low.le(0) & differences.difference_high.ge(0)
        rows.append(
            {
                "seeds": seeds,
                "trained by": method,
                "number": what,
                "intervals": part.low.notna().sum(),
                "cover": inside[part.low.notna()].mean(),
                "differences": len(zero),
                "cover 0": zero.mean(),
            }
        )
    return pd.DataFrame(rows)


def families_claiming(found: pd.DataFrame) -> pd.DataFrame:
    """How many families have at least one difference that is called significant."""
    rows = []
    for (seeds, method), part in found.dropna(subset=["p_holm"]).groupby(["seeds", "method"], sort=False):
        claims = part.groupby("block").p_holm.min().lt(0.05)
        low, high = binomtest(int(claims.sum()), len(claims)).proportion_ci(method="wilson")
        rows.append(
            {
                "seeds": seeds,
                "trained by": method,
                "families": len(claims),
                "with a significant difference": f"{100 * claims.mean():.1f} % ({100 * low:.1f} to {100 * high:.1f})",
                "p below 0.05": f"{100 * part.p.lt(0.05).mean():.1f} %",
                "mean difference": f"{100 * part.difference.mean():+.2f}",
            }
        )
    return pd.DataFrame(rows)


def main(folder: Path, families: int) -> None:
    """Train what is not there, and print the tables."""
    with Pool(2) as pool:
        parts: Iterator[pd.DataFrame] = pool.imap(partial(experiment, folder=folder), range(families))
        found = pd.concat([_said(part, number) for number, part in enumerate(parts)])
    found.to_csv(folder / "found.csv", index=False)
    table = coverage(found)
    print(f"\n{families} families of {RUNS} runs and {SEEDS} seeds, on digits.\n")
    print(families_claiming(found).to_markdown(index=False), "\n")
    print(_by_quantity(table).to_markdown(index=False, floatfmt=".3f"), "\n")
    print(table.to_markdown(index=False, floatfmt=".3f"))


def _by_quantity(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and least coverage over attacks."""
    groups = table.assign(quantity=table.number.str.partition(",")[0]).groupby(
        ["seeds", "trained by", "quantity"], sort=False
    )
    return groups.agg(
        intervals=("intervals", "sum"),
        cover=("cover", "mean"),
        least=("cover", "min"),
        differences=("differences", "sum"),
        cover_0=("cover 0", "mean"),
        least_0=("cover 0", "min"),
    ).reset_index()


def _said(part: pd.DataFrame, number: int) -> pd.DataFrame:
    print(f"family {number + 1} is done", file=sys.stderr)
    return part


def _arguments(given: Sequence[str]) -> tuple[Path, int]:
    return Path(given[0]), int(given[1]) if len(given) > 1 else 64


if __name__ == "__main__":
    main(*_arguments(sys.argv[1:]))
