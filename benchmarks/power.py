"""How often 3, 5 and 10 seeds would find the differences of a finished run: `python benchmarks/power.py results/tables/digits/conclusions.csv`.

The differences of the strongest attack, their standard deviations over seeds, and what the records add to their variance are taken from the
run and held to be the true ones (noncentral t distribution, as for `seeds_needed`).
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from scipy.stats import nct, norm, t

LEVEL, SEEDS = 0.05, (3, 5, 10)


def power(difference: float, deviation: float, records_variance: float, level: float) -> list[str]:
    """The probability of a p-value below `level` with each number of seeds, in percent."""
    found = []
    for seeds in SEEDS:
        by_seeds, by_records = deviation / np.sqrt(seeds), np.sqrt(records_variance)
        limit = np.hypot(t.isf(level / 2, seeds - 1) * by_seeds, norm.isf(level / 2) * by_records)
        error = np.hypot(by_seeds, by_records)
        found.append(f"{100 * nct.sf(limit / error, seeds - 1, abs(difference) / error):.0f} %")
    return found


def table(conclusions: pd.DataFrame) -> pd.DataFrame:
    """A row for each defense, with the first step of Holm's correction for all of them."""
    rows = []
    defenses = conclusions[conclusions.difference.notna()].sort_values("difference", ascending=False)
    for row in defenses.itertuples():
        half_width = (row.difference_high - row.difference_low) / 2
        by_seeds = t.isf(LEVEL / 2, row.seeds - 1) * row.difference_sd / np.sqrt(row.seeds)
        records_variance = max(0.0, half_width**2 - by_seeds**2) / norm.isf(LEVEL / 2) ** 2
        found = power(row.difference, row.difference_sd, records_variance, LEVEL / len(defenses))
        named = f"{100 * row.difference:+.1f} ({100 * row.difference_sd:.1f})"
        rows.append([row.run, named, *found])
    return pd.DataFrame(rows, columns=["run", "difference (sd over seeds)", *(f"{seeds} seeds" for seeds in SEEDS)])


if __name__ == "__main__":
    print(table(pd.read_csv(sys.argv[1])).to_markdown(index=False, disable_numparse=True))
