"""The columns of `membership_inference.csv`, listed in `robustmia.config.registry`.

Each function takes one attack under one threshold rule and returns some of the columns by name; None is an empty cell.
"""

from __future__ import annotations

from robustmia.inference.attack_scores import ThresholdedAttack
from robustmia.inference.metrics import accuracy_interval, auc, auc_interval, oracle_chance
from robustmia.inference.thresholds import HONEST

Cells = dict[str, float | int | str | None]

LOW_RATES = {"tpr_at_1pct_fpr": 0.01, "tpr_at_0.1pct_fpr": 0.001}


def chance_accuracy(rule: str, members: int, nonmembers: int) -> tuple[float, float | None]:
    """The balanced accuracy that uninformative scores are expected to give, and under the oracle rule its 95th percentile."""
    return (0.5, None) if rule in HONEST else oracle_chance(members, nonmembers)


def accuracy(row: ThresholdedAttack) -> Cells:
    """Balanced accuracy with its confidence interval, what uninformative scores would give, and both rates.

    Under the oracle rule the threshold was chosen on these very records, so that there is no interval, and chance is above 0.5.
    """
    rates, members, nonmembers = row.decisions.rates, len(row.decisions.members), len(row.decisions.nonmembers)
    honest = row.rule in HONEST
    low, high = accuracy_interval(rates, members, nonmembers) if honest else (None, None)
    chance, chance_95th = chance_accuracy(row.rule, members, nonmembers)
    return {
        "accuracy": rates.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "threshold_saw_records": not honest,
        "chance_accuracy": chance,
        "chance_accuracy_95th": chance_95th,
        "true_positive_rate": rates.true_positive_rate,
        "false_positive_rate": rates.false_positive_rate,
        "advantage": rates.true_positive_rate - rates.false_positive_rate,
    }


def area(row: ThresholdedAttack) -> Cells:
    """The area under the ROC curve, which needs no threshold, with its confidence interval."""
    scores = row.attack.sides
    low, high = auc_interval(scores.members, scores.nonmembers)
    return {"auc": auc(scores.members, scores.nonmembers), "auc_low": low, "auc_high": high}


def low_false_positive_rates(row: ThresholdedAttack) -> Cells:
    """True positive rates at low false positive rates, with confidence intervals; empty where they cannot be resolved.

    The correctness baseline has only two scores, and so no curve.
    """
    scores, cells = row.attack.sides, Cells()
    nonmembers = len(scores.nonmembers)
    for name, false_positive_rate in LOW_RATES.items():
        has_curve = row.attack.strategy != "correctness"
        rate = row.attack.roc.at(false_positive_rate) if has_curve else None
        found = (None, None, None) if rate is None else (rate.true_positive_rate, rate.low, rate.high)
        cells |= dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
    lacking = [f"{100 * rate:g} %" for rate in LOW_RATES.values() if rate * nonmembers < 1.0]
    unresolved = f"{nonmembers} non-members do not resolve {' and '.join(lacking)}" if lacking else None
    return cells | {"unresolved": unresolved}


def counts(row: ThresholdedAttack) -> Cells:
    """The numbers of members and of non-members."""
    return {"members": len(row.decisions.members), "nonmembers": len(row.decisions.nonmembers)}
