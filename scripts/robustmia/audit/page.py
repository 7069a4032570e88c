"""The report of an audit: the answer, every attack, figures, and the records that are taken for members most surely."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from robustmia.audit.signal_files import AuditedSignals
from robustmia.data.records import Records
from robustmia.files.tables import read_table
from robustmia.reporting.figures.data import FigureData
from robustmia.reporting.figures.style import save, style
from robustmia.reporting.labels import attack_in_words
from robustmia.reporting.page.leaderboard import TEST_ACCURACIES, Cell, Row
from robustmia.reporting.page.page import Drawing, RecordShown, Section, read_drawing, render_page
from robustmia.reporting.tables import rows_of
from robustmia.settings import NORM_NAMES, instantiate

QUESTION = "Does this model reveal who was in its training set?"
SHOWN = 12  # records
LARGEST_SIDE = 96  # pixels of an image on the page
RULES = {"fixed": "", "split": ", with one threshold", "split_by_class": ", with a threshold for each class"}
TABLE_IN_WORDS = (
    "Percent; in small print 95 % confidence intervals over records. Accuracy and by class: the threshold, or one for each class, is chosen on one half of the records and applied to the other half; correctness needs none. "
    "Oracle: the rule of Song et al. (2019), which chooses the threshold on the evaluated records themselves, so that scores without information have more than 50 % (chance). "
    "True positive rates (TPR) at a low false positive rate (FPR) are empty where the non-members are too few. Attacks with shadow models (LiRA, RMIA, privacy risk score, joint) need models "
    "trained like this one, and are not part of an audit. Press a heading to sort."
)
CAPTIONS = {
    "roc": (
        "ROC curves, as ratios to chance",
        "True positive rate of each of the paper's attacks as a multiple of the false positive rate: at 1 the attack is no better than chance.",
    ),
    "loss_distribution": (
        "losses of members and non-members",
        "Cumulative distribution of the losses of members and non-members. Half the largest vertical distance of the two lines, added to 50 %, is the highest balanced accuracy that one threshold on the loss can have. A line that begins above 0 or ends below 100 % has records beyond the axis.",
    ),
    "margin_distribution": (
        "verified margins of members and non-members",
        "Cumulative distribution of the highest verified bound of a wrong class's margin: left of 0 a record is verified.",
    ),
}


@dataclass(frozen=True)
class Audit:
    """What an audit found, and of what."""

    name: str
    subject: dict[str, str]
    """What was audited, from `audit_subject`."""
    signals: AuditedSignals
    membership: pd.DataFrame
    """`membership_inference.csv`"""
    robustness: pd.DataFrame
    """`robustness.csv`"""
    by_record: pd.DataFrame
    """`records.csv`"""
    strongest: pd.Series
    """`strongest.csv`"""
    records: Records | None
    """The images; None: there are predictions alone."""
    provenance: dict[str, str]
    """With which versions."""


def audit_subject(spec: dict[str, Any], images: str | None) -> dict[str, str]:
    """What was audited, by key.

    Args:
        spec: of the inference of an audit.
        images: the file or folder of a data set of images.
    """
    settings = spec["settings"]
    subject = {"dataset": " ".join(filter(None, [spec["identity"]["dataset"], images])) or None}
    subject |= {key: settings.get(key) for key in ("predictions", "values", "weights", "split")}
    if "model" in settings:
        ball, model = settings["threat_model"], settings["model"]
        subject["model"] = model if isinstance(model, str) else model["settings"]["name"]
        subject["threat model"] = f"{NORM_NAMES[ball['norm']]} ball of radius {ball['epsilon']:g}"
    return {key: value for key, value in subject.items() if value is not None}


def draw_figures(figures: dict[str, Any], name: str, tables: dict[str, str], folder: Path) -> list[Drawing]:
    """Draw those figures whose table has rows, as SVG, PDF and PNG.

    Args:
        figures: settings of the figures by name, as `chosen` gives them.
        name: of the audit.
        tables: their files by name.
        folder: where the figures go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawings = []
    for figure, settings in figures.items():
        kind = instantiate(settings)
        if read_table(tables[kind.table]).empty:
            continue
        files = {form: folder / f"{figure}.{form}" for form in ("svg", "pdf", "png")}
        with style(kind):
            save(kind.draw(FigureData([name], tables[kind.table])), list(files.values()))
        link = f"{folder.name}/{figure}.pdf"
        title, caption = CAPTIONS[figure]
        drawings.append(read_drawing(figure, title, files["svg"], link, f"<p>{caption}</p>"))
    return drawings


def audit_page(audit: Audit, drawings: list[Drawing]) -> str:
    """The page."""
    counts, telling = audit.membership.iloc[0], most_telling(audit.membership)
    shown = surest_records(audit, f"score_{telling.signal}_{telling.strategy}")
    section = Section(
        anchor="audit",
        name=audit.name,
        title=f"Audit of {audit.name}",
        paragraphs=[*strongest_in_words(audit.strongest), single_records_in_words(audit.membership)],
        warnings=audit.signals.warnings,
        leaderboard_title="Every attack",
        leaderboard=attacks(audit.membership),
        drawings=drawings,
        records_title=f"The {len(shown)} records that {_named(telling)} takes for members most surely: {sum(record.member for record in shown)} of them are",
        records=shown,
        files=[
            f"{name}.csv"
            for name in ("membership_inference", "robustness", "records", "roc", "loss_histogram", "margin_histogram")
        ]
        + [drawing.pdf for drawing in drawings],
    )
    made = audit.subject | {"members": str(counts.members), "non-members": str(counts.nonmembers)}
    return render_page(
        f"robustmia: audit of {audit.name}",
        QUESTION,
        [section],
        introduction="Membership inference against a trained model. Accuracies of attacks are balanced: guessing has 50 %.",
        leaderboard_note=TABLE_IN_WORDS,
        made_title="What was audited",
        made=made | accuracies_in_words(audit.robustness.iloc[0]) | audit.provenance,
        footer=[escape(note) for note in audit.signals.notes],
    )


def strongest_in_words(strongest: pd.Series) -> list[str]:
    """How much the strongest honest attack finds out, and how that was found."""
    attack, rule = strongest.strongest.rsplit("/", 1)
    interval = f"95 % confidence interval {100 * strongest.accuracy_low:.1f} to {100 * strongest.accuracy_high:.1f} %"
    accuracy = f"a balanced accuracy of {100 * strongest.accuracy:.1f} % ({interval}; guessing: 50 %)"
    if strongest.accuracy_low > 0.5:
        answer = f"Yes: the strongest attack tells members from non-members with {accuracy}."
    else:
        answer = f"Not that these attacks show: the strongest has {accuracy}. The interval does not rule out {100 * strongest.accuracy_high:.1f} %."
    how = (
        f"It is chosen on one half of the records and measured on the other half; most often it is {attack_in_words(attack)}{RULES[rule]}. "
        "Every interval here is for this one model and other records like these: a model that is trained again in the same way "
        "may reveal more or less."
    )
    return [answer, how]


def most_telling(membership: pd.DataFrame) -> pd.Series:
    """The attack with the highest true positive rate at 1 % false positives or, where none has one, with the highest AUC of those whose scores differ."""
    resolved = membership[membership.tpr_at_1pct_fpr.notna()]
    if len(resolved):
        return resolved.nlargest(1, "tpr_at_1pct_fpr").iloc[0]
    graded = membership[membership.strategy != "correctness"]
    return graded.nlargest(1, "auc").iloc[0]


def single_records_in_words(membership: pd.DataFrame) -> str:
    """How many members can be named while few others are accused."""
    best = most_telling(membership)
    if pd.isna(best.tpr_at_1pct_fpr):
        return f"Single records: {best.nonmembers} non-members are too few to say how many members are found at a false positive rate of 1 %."
    interval = f"{100 * best.tpr_at_1pct_fpr_low:.1f} to {100 * best.tpr_at_1pct_fpr_high:.1f} %"
    return (
        f"Single records: where 1 % of the non-members are taken for members, {_named(best)} finds {100 * best.tpr_at_1pct_fpr:.1f} % of the members "
        f"({interval}), and guessing 1 %. It is the best of all attacks on these very records, so that this is somewhat too high."
    )


def accuracies_in_words(robustness: pd.Series) -> dict[str, str]:
    """Accuracies of the model, by kind."""
    return {
        title: f"{100 * robustness[column.replace('test', 'train')]:.1f} % of members, {100 * robustness[column]:.1f} % of non-members"
        for column, title in TEST_ACCURACIES.items()
        if pd.notna(robustness[column])
    }


def attacks(membership: pd.DataFrame) -> list[Row]:
    """A row for each attack, that of the highest accuracy with a threshold from other records first."""
    rows = []
    for (strategy, signal), group in membership.groupby(["strategy", "signal"], sort=False):
        by_rule = {row["threshold_rule"]: row for row in rows_of(group)}
        first = rows_of(group)[0]
        rows.append(
            {
                "attack": Cell(None, attack_in_words(f"{signal}/{strategy}")),
                "accuracy": _percent(by_rule.get("split", by_rule.get("fixed", {})), "accuracy"),
                "by class": _percent(by_rule.get("split_by_class", {}), "accuracy"),
                "oracle": _oracle(by_rule.get("oracle", {})),
                "AUC": _percent(first, "auc"),
                "TPR at 1 % FPR": _percent(first, "tpr_at_1pct_fpr"),
                "TPR at 0.1 % FPR": _percent(first, "tpr_at_0.1pct_fpr"),
            }
        )
    rows.sort(key=lambda row: -(row["accuracy"].value or 0.0))
    shown = [name for name in rows[0] if any(row[name].text for row in rows)]
    return [{name: row[name] for name in shown} for row in rows]


def surest_records(audit: Audit, score: str) -> list[RecordShown]:
    """The records of the highest scores, members or not."""
    return [
        RecordShown(
            name=str(row["name"]),
            label=str(row["label"]) if audit.records is None else audit.records.class_names[row["label"]],
            score=f"{row[score]:.4g}",
            member=bool(row["member"]),
            image=None if audit.records is None else image_of(audit.records.images[row["record"]]),
        )
        for row in rows_of(audit.by_record.nlargest(SHOWN, score, keep="first"))
    ]


def image_of(pixels: np.ndarray) -> str:
    """An image, uint8 [C, H, W], as a data URI of a PNG that is not too large."""
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _named(attack: pd.Series) -> str:
    return attack_in_words(f"{attack.signal}/{attack.strategy}")


def _oracle(row: dict[str, Any]) -> Cell:
    cell = _percent(row, "accuracy")
    return Cell(cell.value, cell.text, detail=f"chance {100 * row['chance_accuracy']:.1f}") if cell.text else cell


def _percent(row: dict[str, Any], column: str) -> Cell:
    """A value with its interval; nothing where the row has none."""
    value = row.get(column, np.nan)
    if pd.isna(value):
        return Cell(None, "")
    low, high = (row.get(f"{column}_{end}", np.nan) for end in ("low", "high"))
    interval = "" if pd.isna(low) else f"{100 * low:.1f} to {100 * high:.1f}"
    return Cell(float(value), f"{100 * value:.1f}", interval)
