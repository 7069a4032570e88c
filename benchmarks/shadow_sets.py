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
from retrainings import Training, digits, half, signals_of
from scipy.stats import t

from robustmia.config.registry import STRATEGIES
from robustmia.files.signals import SignalLogits
from robustmia.inference.attack_scores import EvaluationSet, threshold_all
from robustmia.inference.attacks.base import Observation, load_attacks, run_attacks
from robustmia.inference.over_seeds import measure, shared_keys
from robustmia.inference.record_results import RecordResults
from robustmia.inference.settings import AttackSettings
from robustmia.models.device import derive_seed
from robustmia.shadow.split import shadow_split

TARGETS, SETS, MODELS = 16, 8, 8
NEED_SHADOWS = ("lira_online", "lira_offline", "rmia_online", "privacy_risk", "joint")
ATTACKS = [STRATEGIES[name] for name in ("I_B", "I_A", *NEED_SHADOWS)]
SIGNALS = ("benign", "adversarial")


def measurements(method: str, folder: Path) -> dict[str, np.ndarray]:
    """Every number of every target under every set of shadow models, [T, K]."""
    file = folder / f"numbers-{method}.npz"
    if file.exists():
        return dict(np.load(file))
    records = digits()
    targets = [Training(seed, half(records, seed)) for seed in range(TARGETS)]
    members = len(targets[0].split.members)
    shadows = [
        Training(derive_seed(k, "shadow", model), shadow_split(records.labels, members, k, model))
        for k in range(SETS)
        for model in range(MODELS)
    ]
    of_targets = signals_of(method, targets, records, folder / f"targets-{method}.npz")
    of_shadows = signals_of(method, shadows, records, folder / f"shadows-{method}.npz")
    values: dict[str, np.ndarray] = {}
    for n, target in enumerate(targets):
        for k in range(SETS):
            models = slice(k * MODELS, (k + 1) * MODELS)
            part = _attacked(of_targets, n, target, of_shadows, models, records.labels)
            for key in shared_keys([part]):
                found = measure(part, key)
                if found is not None and key[1] in NEED_SHADOWS and key[2] != "oracle":
                    values.setdefault(" ".join(filter(None, key)), np.empty((TARGETS, SETS)))[n, k] = found.value
        print(f"{method}: target {n + 1} of {TARGETS}", file=sys.stderr)
    np.savez(file, **values)
    return values


def _attacked(
    targets: dict, n: int, target: Training, shadows: dict, models: slice, labels: np.ndarray
) -> RecordResults:
    members, nonmembers = target.split.members, target.split.nonmembers
    rows = np.concatenate([members, nonmembers])
    records = EvaluationSet(np.arange(len(rows)) < len(members), labels[rows], shadows["is_member"][models][:, rows])
    seen = []
    for name in SIGNALS:
        logits = targets[name][n]
        file = SignalLogits(logits[members], logits[nonmembers], labels[members], labels[nonmembers])
        seen.append(Observation.of(name, file, records, shadows[name][models][:, rows]))
    return RecordResults.of(rows, threshold_all(run_attacks(load_attacks(ATTACKS, AttackSettings()), seen)), records)


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


def main(folder: Path) -> None:
    """Train what is not there, and print Markdown tables."""
    torch.set_num_threads(1)
    numbers = {method: measurements(method, folder) for method in ("natural", "pgd")}
    differences = {name: numbers["pgd"][name] - values for name, values in numbers["natural"].items()}
    for title, found in (*numbers.items(), ("pgd - natural", differences)):
        rows = []
        for name, values in found.items():
            of_sets, of_targets = components(values)
            row = {"number": name, "mean": values.mean(), "sd of sets": of_sets, "sd of targets": of_targets}
            covers = {f"{seeds} seeds": coverage(of_sets, of_targets, seeds) for seeds in (3, 5, 10)}
            rows.append(row | covers)
        print(f"\n{title}: {TARGETS} targets, {SETS} sets of {MODELS} shadow models\n")
        print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".4f"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
