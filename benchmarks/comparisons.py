"""Family-wise error and coverage of three ways to compare runs over a few seeds, simulated: `python benchmarks/comparisons.py`, a minute.

Each run differs from natural training by 0. Compared are the paired t-test of each run by itself, one variance pooled over runs, and
variances that are shrunk towards each other (Smyth 2004), all with Holm's correction.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import digamma, polygamma
from scipy.stats import t

FAMILIES = 20_000


def spreads(runs: int) -> dict[str, np.ndarray]:
    """Standard deviations over seeds, of natural training first."""
    return {
        "equal": np.ones(runs + 1),
        "natural half": np.r_[0.5, np.ones(runs)],
        "one twice as wide": np.r_[1.0, np.full(runs - 1, 0.7), 2.0],
        "0.5 to 1.5": np.linspace(0.5, 1.5, runs + 1),
    }


def shrunk(variances: np.ndarray, freedom: int) -> tuple[np.ndarray, np.ndarray]:
    """Variances [F, R] shrunk within each family, and their degrees of freedom [F, 1] (Smyth 2004, section 6.2)."""
    logs = np.log(variances) - digamma(freedom / 2) + np.log(freedom / 2)
    excess = logs.var(axis=1, ddof=1) - polygamma(1, freedom / 2)
    prior = np.where(excess > 1e-8, 2.0 * _inverse_trigamma(excess.clip(min=1e-8)), 1e6).clip(max=1e6)
    centre = np.where(
        excess > 1e-8, np.exp(logs.mean(axis=1) + digamma(prior / 2) - np.log(prior / 2)), variances.mean(axis=1)
    )
    together = (prior + freedom)[:, None]
    return (prior[:, None] * centre[:, None] + freedom * variances) / together, together


def _inverse_trigamma(values: np.ndarray) -> np.ndarray:
    x = 0.5 + 1.0 / values
    for _ in range(50):
        trigamma = polygamma(1, x)
        x = x + trigamma * (1.0 - trigamma / values) / polygamma(2, x)
    return x


def any_significant(p_values: np.ndarray) -> np.ndarray:
    """Whether Holm's procedure rejects anything at 5 %, for each family: whether the smallest p-value does."""
    return p_values.min(axis=1) * p_values.shape[1] < 0.05


def compared(runs: int, seeds: int, spread: np.ndarray, random: np.random.Generator) -> Iterator[dict]:
    """A row for each way."""
    values = random.normal(size=(FAMILIES, runs + 1, seeds)) * spread[None, :, None]
    differences = values[:, 1:] - values[:, :1]
    means, own = differences.mean(axis=2), differences.var(axis=2, ddof=1)
    pooled = np.repeat(own.mean(axis=1, keepdims=True), runs, axis=1)
    ways = {
        "paired t": (own, np.full((FAMILIES, 1), seeds - 1)),
        "pooled": (pooled, np.full((FAMILIES, 1), runs * (seeds - 1) / 2)),
        "shrunk": shrunk(own, seeds - 1),
    }
    for way, (variances, freedom) in ways.items():
        p_values = 2.0 * t.sf(np.abs(means) / np.sqrt(variances / seeds), freedom)
        covers = (p_values >= 0.05).mean(axis=0)
        yield {
            "way": way,
            "family-wise error": any_significant(p_values).mean(),
            "coverage": covers.mean(),
            "least": covers.min(),
        }


def main() -> None:
    """Print a Markdown table."""
    random, rows = np.random.default_rng(0), []
    for seeds in (3, 5, 10):
        for runs in (3, 6):
            for name, spread in spreads(runs).items():
                about = {"seeds": seeds, "defenses": runs, "spreads": name}
                rows += [about | row for row in compared(runs, seeds, spread, random)]
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3f"))


if __name__ == "__main__":
    main()
