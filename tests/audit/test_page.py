"""The page of an audit: what it answers, of which records, and what it warns of."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import AUDITED, checkpoint
from robustmia.audit.attacks_table import attacks
from robustmia.audit.page import Audit, audit_page, image_of
from robustmia.audit.results import audit_tables
from robustmia.audit.signal_files import AuditedSignals
from robustmia.audit.words import audit_subject, most_telling, single_records_in_words, strongest_in_words
from robustmia.config.registry import COLUMNS, STRATEGIES
from robustmia.data.records import Records
from robustmia.files.signals import SignalLogits
from robustmia.inference.attacks.base import load_attacks
from robustmia.inference.evaluate import load_columns
from robustmia.inference.settings import AttackSettings

WARNING, NOTE = "The rows are <b>odd</b>.", "They came by post & rail."
SIDES = (150, 200)


def found(gap: float, sides: tuple[int, int] = SIDES) -> Audit:
    """Of a model whose members have a confidence that is higher by `gap` standard deviations, and are always classified correctly."""
    random = np.random.default_rng(0)
    sets = []
    for count, mean in zip(sides, (4 + gap, 4), strict=True):
        labels = random.integers(5, size=count)
        logits = np.float32(random.normal(size=(count, 5)) * 0.1)
        logits[np.arange(count), labels] += np.float32(random.normal(mean, 1, count))
        sets.append((logits, labels))
    (members, member_labels), (nonmembers, nonmember_labels) = sets
    one = SignalLogits(members, nonmembers, member_labels, nonmember_labels)
    names = [f"{row}.png" for row in range(sum(sides))]
    signals = AuditedSignals({"benign": one, "adversarial": one}, list(range(sum(sides))), names, [WARNING], [NOTE])
    attacks = load_attacks(list(STRATEGIES.values()), AttackSettings())
    tables = audit_tables(AUDITED, signals, attacks, load_columns(list(COLUMNS.values())))
    membership, robustness = tables.membership_inference, tables.robustness
    subject = {"weights": "w.pth"}
    return Audit(
        *("theirs", subject, signals, membership, robustness, tables.records, tables.strongest, None),
        {"git revision": "abc"},
    )


def test_a_leak_is_answered_with_yes():
    audit = found(gap=2.0)
    answer, how = strongest_in_words(audit.strongest)
    assert answer.startswith("Yes: ")
    assert f"{100 * audit.strongest.accuracy:.1f} % (95 %" in answer
    assert "chosen on one half of the records" in how
    assert "_by_class" not in how


def test_no_leak_is_answered_with_what_is_not_ruled_out():
    audit = found(gap=0.0)
    answer, _ = strongest_in_words(audit.strongest)
    assert answer.startswith("No leak is shown: ")
    assert f"up to {100 * audit.strongest.accuracy_high:.1f} % are not ruled out" in answer


def test_it_says_how_many_members_can_be_named():
    audit = found(gap=2.0)
    best = audit.membership.tpr_at_1pct_fpr.max()
    assert most_telling(audit.membership).tpr_at_1pct_fpr == best
    assert f"{100 * best:.1f} % of the members" in single_records_in_words(audit.membership)
    assert "somewhat too high" in single_records_in_words(audit.membership)
    nothing = audit.membership.assign(tpr_at_1pct_fpr=0.0)
    assert "too high" not in single_records_in_words(nothing)


def test_too_few_records_are_not_said_to_be_named():
    audit = found(gap=2.0, sides=(40, 40))
    assert audit.membership.tpr_at_1pct_fpr.isna().all()
    assert most_telling(audit.membership).strategy != "correctness"  # whose scores are all equal
    assert "40 non-members are too few" in single_records_in_words(audit.membership)


def test_the_records_of_the_highest_scores_are_shown_members_or_not():
    audit = found(gap=0.0)
    page = audit_page(audit, [])
    telling = most_telling(audit.membership)
    scores = audit.by_record.set_index("name")[f"score_{telling.signal}_{telling.strategy}"].sort_values()
    shown = list(scores.index[-12:])
    named = [name for name in scores.index if f"<span>{name}</span>" in page]
    assert sorted(named) == sorted(shown)
    members = audit.by_record.set_index("name").member[shown].sum()
    assert 0 < members < 12
    assert page.count("<strong>a member</strong>") == members
    assert page.count("<strong>not a member</strong>") == 12 - members
    assert f"most surely: {members} of them are" in page


def test_warnings_come_first_and_notes_last():
    page = audit_page(found(gap=1.0), [])
    places = [
        page.index(words)
        for words in ("odd", "the strongest attack", "Every attack", "What was audited", "post &amp; rail", "</main>")
    ]
    assert places == sorted(places)
    assert "&lt;b&gt;odd" in page
    for words in ("<dd>w.pth</dd>", "<dd>150</dd>", "<dd>abc</dd>", "100.0 % of members, "):
        assert words in page


def test_the_size_of_the_images_is_said():
    audit = found(gap=1.0)
    assert "pixels" not in audit_page(audit, [])
    images = np.zeros((sum(SIDES), 1, 6, 4), np.uint8)
    records = Records(images, np.zeros(sum(SIDES), np.int64), tuple(map(str, range(5))))
    labels = audit.by_record.assign(label=0)
    page = audit_page(replace(audit, records=records, by_record=labels), [])
    assert "<dd>6 x 4 pixels and 1 channel</dd>" in page


def test_every_attack_has_one_row_with_the_accuracy_of_each_rule():
    audit = found(gap=1.0)
    rows = {row["attack"].text: row for row in attacks(audit.membership)}
    assert len(rows) == len(audit.membership.groupby(["signal", "strategy"]))
    honest = [row["accuracy"].value for row in rows.values()]
    assert honest == sorted(honest, reverse=True)
    table = audit.membership.set_index(["signal", "strategy", "threshold_rule"]).accuracy
    row = rows["I_A on adversarial inputs"]
    assert row["accuracy"].value == table["adversarial", "I_A", "split"]
    assert row["by class"].value == table["adversarial", "I_A", "split_by_class"]
    assert row["oracle"].value == table["adversarial", "I_A", "oracle"]
    assert row["oracle"].detail.startswith("chance 5")
    assert rows["correctness on clean inputs"]["accuracy"].value == table["benign", "correctness", "fixed"]
    assert rows["correctness on clean inputs"]["oracle"].text == ""


def test_the_subject_of_an_audit_is_named(tmp_path):
    spec = {"settings": checkpoint(tmp_path).as_spec(), "identity": AUDITED | {"dataset": "image_folder"}}
    subject = audit_subject(spec, "faces.zip")
    assert subject["dataset"] == "image_folder faces.zip"
    assert subject["model"] == "small_cnn"
    assert subject["weights"] == str(tmp_path / "weights.safetensors")
    assert subject["threat model"].startswith("l-inf")
    assert subject["threat model"].endswith("0.05")
    spec = {"settings": {"predictions": "p.npz", "values": None}, "identity": AUDITED | {"dataset": None}}
    assert audit_subject(spec, None) == {"predictions": "p.npz"}


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_of_a_page_is_a_png_that_is_not_too_large(channels):
    uri = image_of(np.full((channels, 200, 100), 7, np.uint8))
    picture = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    assert picture.size == (48, 96)
    assert np.unique(np.array(picture)).tolist() == [7]


def test_an_empty_cell_is_no_number():
    table = found(gap=1.0).membership.assign(auc=pd.NA)
    assert "AUC" not in attacks(table)[0]
