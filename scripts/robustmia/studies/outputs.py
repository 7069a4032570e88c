"""What it helps to change the outputs of a trained model, against attackers who know of it and who do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import softmax

from robustmia.files.signals import ShadowSignals, SignalLogits
from robustmia.inference.attack_scores import AttackScores, threshold_all
from robustmia.inference.attacks.base import Attack, observe, run_attacks
from robustmia.inference.over_seeds import Key, OverSeeds, difference_columns, mean_columns, over_seeds
from robustmia.inference.record_results import RecordResults

Change = Callable[[np.ndarray], np.ndarray]
"""From logits [..., K] to those that an attacker sees."""
UNCHANGED = "unchanged"
LABEL_ONLY = "label only"
BINS = 15
QUANTITIES: dict[str, Key] = {
    "clean inputs, threshold": ("benign", "I_B", "split", "accuracy"),
    "clean inputs, AUC": ("benign", "I_B", "", "auc"),
    "adversarial inputs, threshold": ("adversarial", "I_A", "split", "accuracy"),
    "adversarial inputs, AUC": ("adversarial", "I_A", "", "auc"),
    "adversarial inputs, shadow threshold": ("adversarial", "I_A", "shadow", "accuracy"),
    "adversarial inputs, LiRA AUC": ("adversarial", "lira_online", "", "auc"),
    "adversarial inputs, RMIA AUC": ("adversarial", "rmia_online", "", "auc"),
    "clean inputs, correctness": ("benign", "correctness", "fixed", "accuracy"),
    "adversarial inputs, correctness": ("adversarial", "correctness", "fixed", "accuracy"),
    "distance to the boundary": ("boundary", "distance", "split", "accuracy"),
    "distance to the boundary, AUC": ("boundary", "distance", "", "auc"),
}


@dataclass(frozen=True)
class Output:
    """A way of giving outputs."""

    name: str
    kind: str
    """`unchanged`, `temperature`, `decimals` or `label only`."""
    value: float | None
    apply: Change

    @property
    def is_undone(self) -> bool:
        """Whether an attacker who knows it gets the outputs back as they were: a temperature divides logits, and can be multiplied again."""
        return self.kind == "temperature"


def outputs(temperatures: Sequence[float], decimals: Sequence[int]) -> list[Output]:
    """Unchanged ones first, then every temperature, number of decimals, and the label only."""
    return [
        Output(UNCHANGED, "unchanged", None, lambda logits: logits),
        *(Output(f"temperature {t:g}", "temperature", t, partial(cooled, temperature=t)) for t in temperatures),
        *(Output(f"{d} decimal{'s' if d > 1 else ''}", "decimals", d, partial(rounded, decimals=d)) for d in decimals),
        Output(LABEL_ONLY, "label only", None, label_only),
    ]


def cooled(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logits at a temperature (Guo et al. 2017, section 4.2)."""
    return logits / temperature


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in float64."""
    return softmax(logits.astype(np.float64), axis=-1)


def rounded(logits: np.ndarray, decimals: int) -> np.ndarray:
    """Logarithms of probabilities that are rounded to so many decimals; of one that is rounded to 0, that of half a unit."""
    unit = 10.0**-decimals
    return np.log(np.maximum(np.round(probabilities(logits), decimals), unit / 2))


def label_only(logits: np.ndarray) -> np.ndarray:
    """0 for the likeliest class, and -10 for the others."""
    likeliest = logits.argmax(axis=-1)[..., None]
    seen = np.full(logits.shape, -10.0)
    np.put_along_axis(seen, likeliest, 0.0, axis=-1)
    return seen


def calibration_error(logits: np.ndarray, labels: np.ndarray) -> float:
    """The expected calibration error (Guo et al. 2017, equation 3): accuracy against confidence in 15 bins of equal width.

    Args:
        logits: [n, K].
        labels: [n].
    """
    p = probabilities(logits)
    confidence, correct = p.max(axis=1), p.argmax(axis=1) == labels
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((confidence[places == k] - correct[places == k]).sum()) for k in range(BINS)]
    return float(sum(gaps) / len(labels))


@dataclass(frozen=True)
class Seen:
    """What there is of one target model."""

    rows: np.ndarray
    """int64 [n]: of the data set, of members and then of non-members."""
    signals: dict[str, SignalLogits]
    """`benign` and `adversarial`."""
    distances: np.ndarray
    """float64 [n]: to the boundary."""
    shadows: ShadowSignals | None

    def attacked(self, output: Output, aware: bool, attacks: Sequence[Attack]) -> RecordResults:
        """The results of its records for an attacker who knows how outputs are changed, or who takes them as they are."""
        changed = output.apply if not (aware and output.is_undone) else lambda logits: logits
        shadow_change = output.apply if aware and not output.is_undone else lambda logits: logits
        signals = {
            name: replace(file, members=changed(file.members), nonmembers=changed(file.nonmembers))
            for name, file in self.signals.items()
        }
        shadows = self.shadows
        if shadows:
            shadows = replace(shadows, logits={name: shadow_change(shadows.logits[name]) for name in signals})
        seen = observe(signals, shadows)
        results, records = run_attacks(attacks, seen), seen[0].records
        if output.kind == LABEL_ONLY:
            results = [one for one in results if one.strategy == "correctness"]
        distance = AttackScores("boundary", "distance", self.distances, replace(records, in_mask=None))
        return RecordResults.of(self.rows, threshold_all([*results, distance]), records)

    def utility(self, output: Output) -> dict[str, float]:
        """Accuracy and calibration error on clean non-members."""
        file = self.signals["benign"]
        logits = output.apply(file.nonmembers)
        accuracy = float((logits.argmax(axis=1) == file.nonmember_labels).mean())
        return {"test accuracy": accuracy, "calibration error": calibration_error(logits, file.nonmember_labels)}


def outputs_table(
    runs: dict[str, Sequence[Seen]], ways: Sequence[Output], attacks: Sequence[Attack], records: int
) -> pd.DataFrame:
    """Every attack on every way of giving outputs.

    Args:
        runs: target models by run, one for each seed.
        ways: unchanged outputs first.
        attacks: that are run.
        records: of the data set.

    Returns:
        A row for each run, `output`, `attacker` (`unaware` takes outputs as if nothing were changed; `aware` knows how they are) and
        quantity: of QUANTITIES, with `mean`, `sd`, `low`, `high`, `interval_covers` and `difference` from unchanged outputs as elsewhere, or
        `test accuracy` and `calibration error` (which have no attacker), the mean and the standard deviation over seeds.
    """
    rows = []
    for run, targets in runs.items():
        plain: dict[str, OverSeeds] = {}
        for output in ways:
            named = {"run": run, "output": output.name, "kind": output.kind, "value": output.value}
            for attacker in ("unaware", "aware"):
                found = _numbers([target.attacked(output, attacker == "aware", attacks) for target in targets], records)
                plain = plain or found
                for quantity, value in found.items():
                    row = named | {"attacker": attacker, "quantity": quantity, **mean_columns(value)}
                    changed = quantity in plain and output.kind != "unchanged"
                    rows.append(row | (difference_columns(value - plain[quantity]) if changed else {}))
            rows += _utilities(named, [target.utility(output) for target in targets])
    return pd.DataFrame(rows)


def _numbers(results: Sequence[RecordResults], records: int) -> dict[str, OverSeeds]:
    numbers = {quantity: over_seeds(results, key, records) for quantity, key in QUANTITIES.items()}
    return {quantity: number for quantity, number in numbers.items() if number is not None}


def _utilities(named: dict, of_seeds: Sequence[dict[str, float]]) -> list[dict]:
    values = pd.DataFrame(of_seeds)
    return [
        named
        | {
            "quantity": name,
            "seeds": len(values),
            "mean": values[name].mean(),
            "sd": values[name].std() if len(values) > 1 else None,
        }
        for name in values
    ]
