"""What an audit says: the rows of the main tables, and a short report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from robustmia.inference.attempts import Evaluated, Judged, correctness, judge, plain_attempts
from robustmia.inference.comparison import Summary, Targets, compare
from robustmia.inference.evaluate import Identity, membership_table, robustness_table
from robustmia.inference.soundness import require_unbroken
from robustmia.inference.strategies import FURTHER, STRATEGIES
from robustmia.inference.strong import i_t
from robustmia.inference.targeted import Classifier
from robustmia.logits import SignalLogits


def audit_tables(
    identity: Identity, signals: dict[str, SignalLogits], classifier: Classifier = "logistic"
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """`membership_inference.csv` and `robustness.csv` by every strategy that needs no shadow models, and the strongest of them.

    Raises:
        SoundnessError: an attack does what the verified bounds rule out.
    """
    name = str(identity["run"])
    if "verified" in signals:
        in_ball = [signal for signal in ("benign", "adversarial") if signal in signals]
        require_unbroken(name, signals["verified"], signals, in_ball)
    records = Evaluated.of(next(iter(signals.values())))
    attempts = plain_attempts((*STRATEGIES, *FURTHER), signals)
    attempts += [correctness(signal, answers) for signal, answers in signals.items() if signal != "targeted"]
    if "targeted" in signals:
        attempts += i_t(signals["targeted"], None, records, classifier)
    judgements, count = judge(attempts, records), len(records.labels)
    targets = Targets.of([Judged.of(np.arange(count), judgements, records)], count)
    strongest = compare({name: Summary.of("audited", targets)}).iloc[0]
    return membership_table(identity, judgements, records), robustness_table(identity, signals), strongest


def audit_report(
    about: list[str], notes: list[str], membership: pd.DataFrame, robustness: pd.DataFrame, strongest: pd.Series
) -> str:
    """A short report in Markdown.

    Args:
        about: what was audited, a line each.
        notes: what a reader has to know beside the numbers.
        membership: of `audit_tables`, and the rest likewise.
    """
    first = membership.iloc[0]
    accuracies = robustness.dropna(axis=1, how="all").drop(
        columns=["dataset", "run", "method", "seed"], errors="ignore"
    )
    signal, strategy, rule = strongest.strongest.split("/")
    lines = [
        f"# Audit of {strongest.run}",
        "",
        *(f"- {line}" for line in about),
        f"- {first.members} members, {first.nonmembers} non-members",
        "",
        f"**The strongest honest attack is right about {100 * strongest.accuracy:.1f} % of the records** (95 % interval over records "
        f"{100 * strongest.accuracy_low:.1f} to {100 * strongest.accuracy_high:.1f}; 50 % is a coin). It is chosen on one half of the "
        f"records and measured on the other; most often it is {strategy} on the {signal} signal, rule {rule}.",
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
