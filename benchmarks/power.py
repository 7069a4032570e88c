"""How often 3, 5 and 10 seeds would find the differences of a finished run: `PYTHONPATH=scripts python benchmarks/power.py results/tables/digits/conclusions.csv`.

The differences of the strongest attack, their standard deviations over seeds, and what the records add to their variance are taken from the
run, as if they were the true ones.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from robustmia.inference.over_seeds import power
from robustmia.inference.settings import LEVEL
from robustmia.reporting.numbers import percent

SEEDS = np.array([3, 5, 10])


def power_table(conclusions: pd.DataFrame) -> pd.DataFrame:
    """A row for each defense, with the first step of Holm's correction for all of them."""
    rows = []
    defenses = conclusions[conclusions.difference.notna()].sort_values("difference", ascending=False)
    for row in defenses.itertuples():
        half_width = (row.difference_high - row.difference_low) / 2
        by_seeds = t.isf(LEVEL / 2, row.seeds - 1) * row.difference_sd / np.sqrt(row.seeds)
        records_variance = max(0.0, half_width**2 - by_seeds**2) / norm.isf(LEVEL / 2) ** 2
        found = power(row.difference, row.difference_sd, records_variance, SEEDS, LEVEL / len(defenses))
        named = f"{percent(row.difference, sign='+')} ({percent(row.difference_sd)})"
        rows.append([row.run, named, *(f"{100 * part:.0f} %" for part in found)])
    return pd.DataFrame(rows, columns=["run", "difference (sd over seeds)", *(f"{seeds} seeds" for seeds in SEEDS)])


if __name__ == "__main__":
    print(power_table(pd.read_csv(sys.argv[1])).to_markdown(index=False, disable_numparse=True))
