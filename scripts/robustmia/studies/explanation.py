"""What goes with leakage, over all runs and points of all sweeps: generalisation gaps, margins and sensitivity to single records."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr, theilslopes

from robustmia.studies.sweep import MARGIN, STRONGEST

EXPLAINING = ("benign gap", "adversarial gap", "verified gap", MARGIN, "benign sensitivity", "adversarial sensitivity")
RESAMPLES = 2000
ENOUGH_STUDIES = 5  # for a bootstrap that draws whole studies


def joined(sweeps: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each run at each point, by the name of its study: `leak`, and what may explain it; what several studies share, once.

    Args:
        sweeps: tables of `sweep_table`, by study.
    """
    parts = []
    for study, table in sweeps.items():
        wide = table.pivot(index=["point", "run", "method"], columns="quantity", values="mean")
        wide = wide.reindex(columns=[STRONGEST, *EXPLAINING]).rename(columns={STRONGEST: "leak"})
        parts.append(wide.reset_index().assign(study=study))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.drop_duplicates(["run", "leak", "benign gap", "adversarial gap"], ignore_index=True)
    return rows[["study", *(column for column in rows if column != "study")]].rename_axis(columns=None)


def correlations(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each that may explain the leak: Spearman's rank correlation with it, and a line that outliers do not move.

    Returns:
        `quantity`, `studies` and `points` that have it, `rank_correlation` with `low` and `high`, the 95 % interval of a bootstrap that draws whole studies and
        then their rows, of five studies or more; `slope` and `intercept` of the Theil-Sen line of the leak. Fewer than five rows have none.
    """
    found = []
    for quantity in EXPLAINING:
        part = rows.dropna(subset=[quantity, "leak"])
        if len(part) < 5 or part[[quantity, "leak"]].nunique().min() < 2:
            continue
        low, high = _interval(part, quantity)
        line = theilslopes(part.leak, part[quantity])
        found.append(
            {
                "quantity": quantity,
                "studies": part.study.nunique(),
                "points": len(part),
                "rank_correlation": float(spearmanr(part[quantity], part.leak).statistic),
                "low": low,
                "high": high,
                "slope": float(line.slope),
                "intercept": float(line.intercept),
            }
        )
    columns = ("quantity", "studies", "points", "rank_correlation", "low", "high", "slope", "intercept")
    return pd.DataFrame(found, columns=columns)


def _interval(part: pd.DataFrame, quantity: str) -> tuple[float, float]:
    random = np.random.default_rng(0)
    studies = [group[[quantity, "leak"]].to_numpy(float) for _, group in part.groupby("study")]
    if len(studies) < ENOUGH_STUDIES:
        return float("nan"), float("nan")
    drawn = []
    for _ in range(RESAMPLES):
        chosen = [studies[k] for k in random.integers(len(studies), size=len(studies))]
        rows = np.concatenate([group[random.integers(len(group), size=len(group))] for group in chosen])
        if min(len(set(rows[:, 0])), len(set(rows[:, 1]))) > 1:
            drawn.append(spearmanr(rows[:, 0], rows[:, 1]).statistic)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
