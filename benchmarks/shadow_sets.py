"""What it does to confidence intervals that the shadow models of a run serve several of its seeds.

Trains target models on digits, and many sets of eight shadow models, all cheap; attacks every target with every set; and prints, for each
number of the attacks that need shadow models and for its difference between two methods, how much the set contributes to its variance,
and how often a 95 % interval that knows nothing of sets covers the true mean where all seeds share one.
`python benchmarks/shadow_sets.py FOLDER` takes about twenty minutes on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from retrainings import Training, attacked, digits, half, signals_of
from scipy.stats import t

from robustmia.config.registry import STRATEGIES
from robustmia.inference.attacks.base import load_attacks
from robustmia.inference.over_seeds import measure, shared_keys
from robustmia.inference.settings import AttackSettings
from robustmia.models.device import derive_seed
from robustmia.shadow.split import shadow_split

TARGETS, SETS, MODELS = 16, 8, 8
NEED_SHADOWS = ("lira_online", "lira_offline", "rmia_online", "privacy_risk", "joint")
ATTACKS = [STRATEGIES[name] for name in ("I_B", "I_A", *NEED_SHADOWS)]


FAILED = 0.5
"""A shadow model of a lower accuracy than this, on all records, did not learn."""


def measurements(method: str, folder: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Every number of every target under every set of shadow models, [T, K]; and whether a set has a model that did not learn, [K]."""
    records = digits()
    targets = [Training(seed, half(records, seed)) for seed in range(TARGETS)]
    members = len(targets[0].split.members)
    shadows = [
        Training(derive_seed(k, "shadow", model), shadow_split(records.labels, members, k, model))
        for k in range(SETS)
        for model in range(MODELS)
    ]
    of_targets, of_shadows = (signals_of(method, trainings, records, folder) for trainings in (targets, shadows))
    attacks = load_attacks(ATTACKS, AttackSettings())
    values: dict[str, np.ndarray] = {}
    for n, target in enumerate(targets):
        for k in range(SETS):
            logits = {name: of_targets[name][n] for name in ("benign", "adversarial")}
            chosen = {name: of_shadows[name][k * MODELS : (k + 1) * MODELS] for name in of_shadows}
            part = attacked(logits, target.split, records.labels, attacks, chosen)
            for key in shared_keys([part]):
                found = measure(part, key)
                if found is not None and key[1] in NEED_SHADOWS and key[2] != "oracle":
                    values.setdefault(" ".join(filter(None, key)), np.empty((TARGETS, SETS)))[n, k] = found.value
        print(f"{method}: target {n + 1} of {TARGETS}", file=sys.stderr)
    accuracies = np.stack([(logits.argmax(axis=1) == records.labels).mean() for logits in of_shadows["benign"]])
    return values, (accuracies.reshape(SETS, MODELS) < FAILED).any(axis=1)


def components(values: np.ndarray) -> tuple[float, float]:
    """Standard deviations over sets of shadow models, and over targets given a set (two-way layout without replication)."""
    targets, sets = values.shape
    residual = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    left = (residual**2).sum() / ((targets - 1) * (sets - 1))
    of_sets = max(0.0, values.mean(axis=0).var(ddof=1) - left / targets)
    of_targets = max(0.0, values.mean(axis=1).var(ddof=1) - left / sets)
    return float(np.sqrt(of_sets)), float(np.sqrt(of_targets + left))


def coverage(of_sets: float, of_targets: float, seeds: int) -> float:
    """Of the t interval of so many seeds, whose error has the set's part in common."""
    error = of_targets / np.sqrt(seeds)
    widening = np.hypot(error, of_sets) / error
    return float(1.0 - 2.0 * t.sf(t.isf(0.025, seeds - 1) / widening, seeds - 1))


def tabulate(title: str, numbers: dict[str, np.ndarray], sets: np.ndarray) -> None:
    """Print a Markdown table of what the sets that are True contribute."""
    rows = []
    for name, values in numbers.items():
        of_sets, of_targets = components(values[:, sets])
        row = {"number": name, "mean": values[:, sets].mean(), "sd of sets": of_sets, "sd of targets": of_targets}
        rows.append(row | {f"{seeds} seeds": coverage(of_sets, of_targets, seeds) for seeds in (3, 5, 10)})
    print(f"\n{title}: {TARGETS} targets, {sets.sum()} sets of {MODELS} shadow models\n")
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".4f"))


def main(folder: Path) -> None:
    """Train what is not there, and print Markdown tables: with all sets, and without those that have a model that did not learn."""
    torch.set_num_threads(1)
    (natural, failed), (pgd, failed_too) = (measurements(method, folder) for method in ("natural", "pgd"))
    differences = {name: pgd[name] - values for name, values in natural.items()}
    learned = ~(failed | failed_too)
    for title, numbers in (("natural", natural), ("pgd", pgd), ("pgd - natural", differences)):
        tabulate(title, numbers, np.ones(SETS, bool))
        if 1 < learned.sum() < SETS:
            tabulate(f"{title}, without the sets with a model that did not learn", numbers, learned)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
