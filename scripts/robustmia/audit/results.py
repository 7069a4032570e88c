"""What an audit says: the rows of the main tables, and a short report."""

from __future__ import annotations

import pandas as pd

from robustmia.inference.attempts import Evaluated, correctness, judge, plain_attempts
from robustmia.inference.evaluate import Identity, membership_table, robustness_table
from robustmia.inference.soundness import require_unbroken
from robustmia.inference.strategies import MORE_STRATEGIES, STRATEGIES
from robustmia.inference.strong import i_t
from robustmia.inference.targeted import Classifier
from robustmia.inference.thresholds import HONEST
from robustmia.logits import SignalLogits


def audit_tables(
    identity: Identity, signals: dict[str, SignalLogits], classifier: Classifier = "logistic"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`membership_inference.csv` and `robustness.csv` by every strategy that needs no shadow models.

    Raises:
        SoundnessError: an attack does what the verified bounds rule out.
    """
    if "verified" in signals:
        in_ball = [name for name in ("benign", "adversarial") if name in signals]
        require_unbroken(str(identity["run"]), signals["verified"], signals, in_ball)
    records = Evaluated.of(next(iter(signals.values())))
    attempts = plain_attempts((*STRATEGIES, *MORE_STRATEGIES), signals)
    attempts += [correctness(name, signal) for name, signal in signals.items() if name != "targeted"]
    if "targeted" in signals:
        attempts += i_t(signals["targeted"], None, records, classifier)
    return membership_table(identity, judge(attempts, records), records), robustness_table(identity, signals)


def audit_report(
    name: str, about: list[str], notes: list[str], membership: pd.DataFrame, robustness: pd.DataFrame
) -> str:
    """A short report in Markdown.

    Args:
        name: of the audit.
        about: what was audited, a line each.
        notes: what a reader has to know beside the numbers.
        membership: rows of `audit_tables`.
        robustness: likewise.
    """
    first = membership.iloc[0]
    best = membership[membership.threshold_rule.isin(HONEST)].nlargest(1, "accuracy").iloc[0]
    accuracies = robustness.dropna(axis=1, how="all").drop(
        columns=["dataset", "run", "method", "seed"], errors="ignore"
    )
    lines = [
        f"# Audit of {name}",
        *(f"- {line}" for line in about),
        f"- {first.members} members, {first.nonmembers} non-members.",
        "",
        f"The best honest attack is right about {100 * best.accuracy:.1f} % of the records (95 % interval over records "
        f"{100 * best.accuracy_low:.1f} to {100 * best.accuracy_high:.1f}): {best.strategy} on the {best.signal} signal, rule "
        f"{best.threshold_rule}. It is the best of {len(membership)} rows, so its interval is a little too hopeful for the attacker. "
        "50 % is a coin.",
        "",
        "## Accuracies of the model",
        "",
        _percent(accuracies).to_markdown(index=False, disable_numparse=True),
        "",
        "## Membership inference",
        "",
        _percent(membership[SHOWN], SHOWN[3:]).to_markdown(index=False, disable_numparse=True),
        "",
        f"Percent. The oracle rule chooses its threshold on the evaluated records, and gives {100 * _floor(membership):.1f} % without any "
        "information; split chooses on one half and judges the other, split by class does so for each class. Rates at a low false "
        "positive rate are empty where the non-members are too few to resolve it. Strategies with shadow models (LiRA, RMIA, "
        "privacy risk score, joint) need models trained like this one, and are not in an audit.",
        *(["", "## Notes", ""] if notes else []),
        *(f"- {note}" for note in notes),
    ]
    return "\n".join(lines) + "\n"


SHOWN = [
    *("signal", "strategy", "threshold_rule", "accuracy", "accuracy_low", "accuracy_high", "auc"),
    *("tpr_at_1pct_fpr", "tpr_at_0.1pct_fpr"),
]


def _floor(membership: pd.DataFrame) -> float:
    return float(membership.floor_accuracy.dropna().iloc[0])


def _percent(table: pd.DataFrame, columns: list[str] | None = None) -> pd.DataFrame:
    text = table.astype(object)
    for column in columns or table.columns:
        text[column] = ["" if pd.isna(value) else f"{100 * value:.1f}" for value in table[column]]
    return text.set_axis([str(column).replace("_", " ") for column in table.columns], axis=1)
