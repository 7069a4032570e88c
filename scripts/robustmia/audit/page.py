"""The report of an audit as a page: the answer, every attack, figures, and the members that are found most surely."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from robustmia.audit.results import RULES_IN_WORDS, strongest_in_words
from robustmia.data.records import Records
from robustmia.files.tables import read_table
from robustmia.reporting.figures.data import FigureData
from robustmia.reporting.figures.style import save, style
from robustmia.reporting.labels import spaced
from robustmia.reporting.page.leaderboard import TEST_ACCURACIES, Cell, Row
from robustmia.reporting.page.page import Drawing, RecordShown, Section, read_drawing, render_page
from robustmia.reporting.tables import rows_of
from robustmia.settings import instantiate

QUESTION = "Does this model reveal who was in its training set?"
SHOWN = 12  # members
LARGEST_SIDE = 96  # pixels of an image on the page
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
    subject: list[str]
    """What was audited, a line each."""
    notes: list[str]
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
    answer, how = strongest_in_words(audit.strongest)
    first = audit.membership.iloc[0]
    section = Section(
        anchor="audit",
        name=audit.name,
        title=f"Audit of {audit.name}",
        paragraphs=[answer, how, *audit.notes],
        leaderboard_title="Every attack",
        leaderboard=attacks(audit.membership),
        drawings=drawings,
        records_title=f"Members that {_attack(audit.strongest)} finds most surely",
        records=most_certain(audit),
        files=[
            f"{name}.csv"
            for name in ("membership_inference", "robustness", "records", "roc", "loss_histogram", "margin_histogram")
        ]
        + ["report.md", *(drawing.pdf for drawing in drawings)],
    )
    made = dict(line.partition(": ")[::2] for line in audit.subject)
    made |= {"members": str(first.members), "non-members": str(first.nonmembers)}
    made |= {
        title: f"{100 * audit.robustness[column].iloc[0]:.1f} %"
        for column, title in TEST_ACCURACIES.items()
        if audit.robustness[column].notna().any()
    }
    return render_page(
        f"robustmia: audit of {audit.name}",
        QUESTION,
        [section],
        introduction="Membership inference against a model that somebody else trained. Accuracies of attacks are balanced: 50 % is chance.",
        leaderboard_note=f"{RULES_IN_WORDS} In small print 95 % confidence intervals over records. Press a heading to sort.",
        made_title="What was audited",
        made=made,
        footer=[],
    )


def attacks(membership: pd.DataFrame) -> list[Row]:
    """A row for each attack under each threshold rule, that of the highest accuracy under an honest rule first."""
    ordered = membership.assign(saw=membership.threshold_rule == "oracle").sort_values(
        ["saw", "accuracy"], ascending=[True, False], kind="stable"
    )
    rows = [
        {
            "attack": Cell(None, f"{spaced(row['strategy'])} on {spaced(row['signal'])}"),
            "accuracy": _percent(row, "accuracy"),
            "threshold": Cell(None, spaced(row["threshold_rule"])),
            "chance": _percent(row, "chance_accuracy"),
            "AUC": _percent(row, "auc"),
            "TPR at 1 % FPR": _percent(row, "tpr_at_1pct_fpr"),
            "TPR at 0.1 % FPR": _percent(row, "tpr_at_0.1pct_fpr"),
        }
        for row in rows_of(ordered)
    ]
    shown = [name for name in rows[0] if any(row[name].text for row in rows)]
    return [{name: row[name] for name in shown} for row in rows]


def most_certain(audit: Audit) -> list[RecordShown]:
    """The members that the strongest attack gives the highest scores."""
    signal, strategy, _ = audit.strongest.strongest.split("/")
    score = f"score_{signal}_{strategy}"
    members = audit.by_record[audit.by_record.member.astype(bool)].nlargest(SHOWN, score, keep="first")
    return [
        RecordShown(
            name=str(row["name"]),
            label=str(row["label"]) if audit.records is None else audit.records.class_names[row["label"]],
            score=f"{row[score]:.4g}",
            image=None if audit.records is None else image_of(audit.records.images[row["record"]]),
        )
        for row in rows_of(members)
    ]


def image_of(pixels: np.ndarray) -> str:
    """An image, uint8 [C, H, W], as a data URI of a PNG that is not too large."""
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _attack(strongest: pd.Series) -> str:
    signal, strategy, _ = strongest.strongest.split("/")
    return f"{spaced(strategy)} on {spaced(signal)}"


def _percent(row: dict[str, Any], column: str) -> Cell:
    value = row.get(column, np.nan)
    if pd.isna(value):
        return Cell(None, "")
    low, high = (row.get(f"{column}_{end}", np.nan) for end in ("low", "high"))
    interval = "" if pd.isna(low) else f"{100 * low:.1f} to {100 * high:.1f}"
    return Cell(float(value), f"{100 * value:.1f}", interval)
