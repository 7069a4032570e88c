"""What it does to confidence intervals that the shadow models of a run serve all of its seeds.

Trains target models on digits, and many sets of eight shadow models, all cheap; attacks every target with every set; and prints, for each
number of the attacks that need shadow models, how much of its variance belongs to the set, and how often the interval of a run
covers the true mean where its seeds share one set, and where each has a set of its own.
`python benchmarks/shadow_sets.py FOLDER` takes about half an hour on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from retrainings import Training, digits, half, signals_of

from robustmia.config.registry import STRATEGIES
from robustmia.files.signals import SignalLogits
from robustmia.inference.attack_scores import EvaluationSet, threshold_all
from robustmia.inference.attacks.base import Observation, load_attacks, run_attacks
from robustmia.inference.over_seeds import OverSeeds, measure, shared_keys
from robustmia.inference.record_results import RecordResults
from robustmia.models.device import derive_seed
from robustmia.shadow.split import draw_half

TARGETS, SETS, MODELS = 30, 20, 8
NEED_SHADOWS = ("lira_online_fixed", "lira_offline_fixed", "rmia_online", "privacy_risk", "joint")
ATTACKS = [STRATEGIES[name] for name in ("I_B", "I_A", *NEED_SHADOWS)]
SIGNALS = ("benign", "adversarial")


def measurements(method: str, folder: Path) -> tuple[dict, list[np.ndarray]]:
    """Every number of every target under every set of shadow models, [T, K], and the influences [T, N] under the first set."""
    records = digits()
    targets = [Training(seed, half(records, seed)) for seed in range(TARGETS)]
    shadows = [
        Training(derive_seed(model, "shadow"), draw_half(records.labels, model)) for model in range(SETS * MODELS)
    ]
    of_targets = signals_of(method, targets, records, folder / f"targets-{method}.npz")
    of_shadows = signals_of(method, shadows, records, folder / f"shadows-{method}.npz")
    values: dict = {}
    influences: dict = {}
    for t, target in enumerate(targets):
        for k in range(SETS):
            models = slice(k * MODELS, (k + 1) * MODELS)
            part = _attacked(of_targets, t, target, of_shadows, models, records.labels)
            for key in shared_keys([part]):
                found = measure(part, key)
                if found is not None and key[1] in NEED_SHADOWS and key[2] != "oracle":
                    values.setdefault(key, np.empty((TARGETS, SETS)))[t, k] = found.value
                    if k == 0:
                        influences.setdefault(key, np.zeros((TARGETS, len(records.labels))))[t, part.rows] = (
                            found.influence
                        )
        print(f"{method}: target {t + 1} of {TARGETS}", file=sys.stderr)
    return values, influences


def _attacked(
    targets: dict, t: int, target: Training, shadows: dict, models: slice, labels: np.ndarray
) -> RecordResults:
    members, nonmembers = target.split.members, target.split.nonmembers
    rows = np.concatenate([members, nonmembers])
    records = EvaluationSet(np.arange(len(rows)) < len(members), labels[rows], shadows["is_member"][models][:, rows])
    seen = []
    for name in SIGNALS:
        logits = targets[name][t]
        file = SignalLogits(logits[members], logits[nonmembers], labels[members], labels[nonmembers])
        seen.append(Observation.of(name, file, records, shadows[name][models][:, rows]))
    return RecordResults.of(rows, threshold_all(run_attacks(load_attacks(ATTACKS, "logistic"), seen)), records)


def components(values: np.ndarray) -> tuple[float, float]:
    """Standard deviations over sets of shadow models, and over targets given a set (two-way layout without replication)."""
    targets, sets = values.shape
    residual = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    left = (residual**2).sum() / ((targets - 1) * (sets - 1))
    of_sets = max(0.0, values.mean(axis=0).var(ddof=1) - left / targets)
    of_targets = max(0.0, values.mean(axis=1).var(ddof=1) - left / sets)
    return float(np.sqrt(of_sets)), float(np.sqrt(of_targets + left))


def coverage(values: np.ndarray, influences: np.ndarray, seeds: int, shared: bool, draws: int = 4000) -> float:
    """How often the interval of so many targets, drawn from all, covers the mean over all targets and sets."""
    random, truth, covered = np.random.default_rng(0), values.mean(), 0
    for _ in range(draws):
        chosen = random.choice(TARGETS, seeds, replace=False)
        sets = np.full(seeds, random.integers(SETS)) if shared else random.choice(SETS, seeds, replace=False)
        low, high = OverSeeds(values[chosen, sets], influences[chosen]).interval(0.0, 1.0)
        covered += bool(low <= truth <= high)  # type: ignore[operator]
    return covered / draws


def main(folder: Path) -> None:
    """Train what is not there, and print a Markdown table for each method."""
    torch.set_num_threads(1)
    for method in ("natural", "pgd"):
        values, influences = measurements(method, folder)
        rows = []
        for key, numbers in values.items():
            of_sets, of_targets = components(numbers)
            row = {
                "number": " ".join(filter(None, key)),
                "mean": numbers.mean(),
                "sd of sets": of_sets,
                "sd of targets": of_targets,
            }
            for seeds in (3, 5, 10):
                for shared in (True, False):
                    how = "shared" if shared else "own"
                    row[f"{seeds} seeds, {how}"] = coverage(numbers, influences[key], seeds, shared)
            rows.append(row)
        print(f"\n{method}: {TARGETS} targets, {SETS} sets of {MODELS} shadow models\n")
        print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".4f"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
