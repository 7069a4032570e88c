"""The columns of `membership_inference.csv`, listed in `robustmia.config.registry`.

Each function takes one attack under one threshold rule and returns some of the columns by name; None is an empty cell.
"""

from __future__ import annotations

from robustmia.inference.attack_scores import ThresholdedAttack
from robustmia.inference.metrics import accuracy_interval, auc, auc_interval, exact_interval, uninformative_floor

Cells = dict[str, float | int | str | None]

LOW_RATES = {"tpr_at_1pct_fpr": 0.01, "tpr_at_0.1pct_fpr": 0.001}


def accuracy(row: ThresholdedAttack) -> Cells:
    """Balanced accuracy with its confidence interval, what uninformative scores would give, and both rates."""
    rates, members, nonmembers = row.decisions.rates, len(row.decisions.members), len(row.decisions.nonmembers)
    low, high = accuracy_interval(rates, members, nonmembers)
    floor = uninformative_floor(members, nonmembers) if row.rule == "oracle" else (None, None)
    return {
        "accuracy": rates.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "floor_accuracy": floor[0],
        "floor_accuracy_95th": floor[1],
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
        rate = row.attack.roc.true_positive_rate_at(false_positive_rate, nonmembers) if has_curve else None
        low, high = (None, None) if rate is None else exact_interval(rate, len(scores.members))
        cells |= {name: rate, f"{name}_low": low, f"{name}_high": high}
    lacking = [f"{100 * rate:g} %" for rate in LOW_RATES.values() if rate * nonmembers < 1.0]
    unresolved = f"{nonmembers} non-members do not resolve {' and '.join(lacking)}" if lacking else None
    return cells | {"unresolved": unresolved}


def counts(row: ThresholdedAttack) -> Cells:
    """The numbers of members and of non-members."""
    return {"members": len(row.decisions.members), "nonmembers": len(row.decisions.nonmembers)}
