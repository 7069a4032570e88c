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

from robustmia.audit.attacks_table import NOTE, attacks
from robustmia.audit.signal_files import AuditedSignals
from robustmia.audit.words import (
    accuracies_in_words,
    most_telling,
    name_of,
    single_records_in_words,
    strongest_in_words,
)
from robustmia.data.records import Records
from robustmia.files.tables import read_table
from robustmia.reporting.figures.data import FigureData
from robustmia.reporting.figures.style import save, style
from robustmia.reporting.page.page import Drawing, RecordShown, Section, read_drawing, render_page
from robustmia.reporting.tables import rows_of
from robustmia.settings import instantiate

QUESTION = "Does this model reveal who was in its training set?"
SHOWN = 12  # records
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
    subject: dict[str, str]
    """What was audited, from `words.audit_subject`."""
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
        records_title=f"The {len(shown)} records that {name_of(telling)} takes for members most surely: {sum(record.member for record in shown)} of them are",
        records=shown,
        files=[
            f"{name}.csv"
            for name in ("membership_inference", "robustness", "records", "roc", "loss_histogram", "margin_histogram")
        ]
        + [drawing.pdf for drawing in drawings],
    )
    images = {} if audit.records is None else {"images": audit.records.size_in_words()}
    made = audit.subject | images | {"members": str(counts.members), "non-members": str(counts.nonmembers)}
    return render_page(
        f"robustmia: audit of {audit.name}",
        QUESTION,
        [section],
        introduction="Membership inference against a trained model. Accuracies of attacks are balanced: guessing has 50 %.",
        leaderboard_note=NOTE,
        made_title="What was audited",
        made=made | accuracies_in_words(audit.robustness.iloc[0]) | audit.provenance,
        footer=[escape(note) for note in audit.signals.notes],
    )


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
