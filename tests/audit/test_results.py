"""What an audit says: its tables and its report, from the files of signals between its two jobs."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from helpers import AUDITED, checkpoint
from robustmia.audit.page import Audit, attacks, audit_page, image_of, most_certain
from robustmia.audit.results import audit_report, audit_subject, audit_tables
from robustmia.audit.signal_files import CONTENTS, AuditedSignals
from robustmia.config.registry import COLUMNS, STRATEGIES
from robustmia.errors import DamagedError
from robustmia.files.signals import SignalLogits, VerifiedBounds
from robustmia.inference.attacks.base import load_attacks
from robustmia.inference.evaluate import load_columns
from robustmia.inference.settings import AttackSettings
from robustmia.inference.soundness import SoundnessError

NOTES = ["The rows are what they are."]


def signals(members: int = 60, classes: int = 10) -> dict[str, SignalLogits]:
    """Signals of every kind, of a model that is always right, whose bounds hold for its answers."""
    random = np.random.default_rng(0)
    labels = random.integers(classes, size=members)
    logits = np.float32(random.normal(size=(members, classes)))
    np.put_along_axis(logits, labels[:, None], np.float32(9), axis=1)
    bounds = logits - np.float32(9) + 1
    np.put_along_axis(bounds, labels[:, None], np.float32(0), axis=1)
    one = SignalLogits(logits, logits, labels, labels)
    targeted = np.repeat(logits[:, None], classes, axis=1)
    verified = VerifiedBounds(
        *(bounds, bounds, labels, labels, np.array(["interval"]), bounds[:, None], bounds[:, None]),
        *(np.ones(1), np.array(["crown"]), np.array(2.0)),
    )
    return {
        "benign": one,
        "adversarial": one,
        "targeted": SignalLogits(targeted, targeted, labels, labels),
        "verified": verified,
    }


def audited(given: dict[str, SignalLogits]) -> AuditedSignals:
    first = next(iter(given.values()))
    count = len(first.members) + len(first.nonmembers)
    return AuditedSignals(
        given, list(range(100, 100 + count)), [f"{row}.png" for row in range(100, 100 + count)], NOTES
    )


def tables(given: dict[str, SignalLogits], in_verified_ball=("benign", "adversarial", "targeted")):
    attacks = load_attacks(list(STRATEGIES.values()), AttackSettings())
    return audit_tables(AUDITED, audited(given), attacks, load_columns(list(COLUMNS.values())), in_verified_ball)


def test_every_attack_that_needs_no_shadow_models_is_in_the_tables_and_in_the_report():
    found = tables(signals())
    membership, robustness, strongest = found.membership_inference, found.robustness, found.strongest
    assert set(membership.strategy) == {"I_B", "I_A", "I_V", "I_T", "mean_log_odds", "modified_entropy", "correctness"}
    assert robustness.verified_test_accuracy.notna().all()
    report = audit_report(["weights: w"], NOTES, found)
    assert report.startswith("# Audit of theirs\n")
    assert "- weights: w\n" in report
    assert "60 members, 60 non-members" in report
    assert "| verified " in report
    assert f"{100 * strongest.accuracy:.1f} %" in report
    assert report.endswith(f"- {NOTES[0]}\n")
    assert found.records.record.tolist() == list(range(100, 220))
    assert found.records.name.iloc[3] == "103.png"
    assert found.records.member.sum() == 60
    assert "score_benign_I_B" in found.records


def test_a_report_without_notes_has_no_heading_for_them():
    assert "## Notes" not in audit_report([], [], tables(signals()))


def test_attacks_are_checked_against_the_bounds_that_rule_them_out():
    given = signals()
    wrong = np.roll(given["adversarial"].members, 1, axis=1)
    labels = given["benign"].member_labels
    given["adversarial"] = SignalLogits(wrong, wrong, labels, labels)
    with pytest.raises(SoundnessError):
        tables(given)
    tables(given, in_verified_ball=["benign", "nothing"])  # of a larger ball, say


def test_the_subject_of_an_audit_is_named(tmp_path):
    identity = AUDITED | {"dataset": "digits"}
    lines = audit_subject({"settings": checkpoint(tmp_path).as_spec(), "identity": identity})
    assert lines[0] == "dataset: digits"
    assert "model: small_cnn" in lines
    assert f"weights: {tmp_path / 'weights.safetensors'}" in lines
    assert any(line.startswith("threat model: l-inf") and "0.05" in line for line in lines)
    assert audit_subject({"settings": {"predictions": "p.npz", "values": None}, "identity": AUDITED}) == [
        "predictions: p.npz"
    ]


def test_signals_come_back_as_they_were(tmp_path):
    audited(signals()).save(tmp_path / "signals")
    again = AuditedSignals.load(tmp_path / "signals")
    loaded, notes = again.signals, again.notes
    assert (again.rows[0], again.names[0], len(again.names)) == (100, "100.png", 120)
    assert notes == NOTES
    assert list(loaded) == list(signals())
    for name, signal in signals().items():
        assert type(loaded[name]) is type(signal)
        assert all(np.array_equal(getattr(loaded[name], key), array) for key, array in vars(signal).items())


def test_a_folder_without_contents_is_damaged(tmp_path, monkeypatch):
    """They come last, so that a folder whose job was killed has none."""
    monkeypatch.setattr("robustmia.audit.signal_files.save_signals", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        audited(signals()).save(tmp_path)
    assert not (tmp_path / CONTENTS).exists()
    with pytest.raises(DamagedError) as caught:
        AuditedSignals.load(tmp_path)
    assert caught.value.path == str(tmp_path / CONTENTS)


def test_damaged_contents_are_named(tmp_path):
    audited(signals()).save(tmp_path)
    whole = (tmp_path / CONTENTS).read_text()
    assert json.loads(whole)["notes"] == NOTES
    (tmp_path / CONTENTS).write_text(whole[:-5])
    with pytest.raises(DamagedError) as caught:
        AuditedSignals.load(tmp_path)
    assert caught.value.path == str(tmp_path / CONTENTS)


def test_the_members_that_the_strongest_attack_finds_most_surely_are_shown():
    found = tables(signals())
    about = {"name": "theirs", "subject": ["weights: w"], "notes": NOTES, "records": None}
    named = {"membership": found.membership_inference, "robustness": found.robustness, "by_record": found.records}
    audit = Audit(**about, **named, strongest=found.strongest)
    shown = most_certain(audit)
    signal, strategy, _ = found.strongest.strongest.split("/")
    members = found.records[found.records.member].set_index("name")[f"score_{signal}_{strategy}"]
    assert len(shown) == 12
    assert members[[record.name for record in shown]].min() >= members.drop([record.name for record in shown]).max()
    page = audit_page(audit, [])
    assert f"{100 * found.strongest.accuracy:.1f} % (95 %" in page
    assert NOTES[0] in page


def test_attacks_are_listed_from_the_strongest_honest_one_and_oracles_last():
    rows = attacks(tables(signals()).membership_inference)
    rules = [row["threshold"].text for row in rows]
    assert "oracle" not in rules[: rules.index("oracle")]
    assert set(rules[rules.index("oracle") :]) == {"oracle"}
    honest = [row["accuracy"].value for row in rows[: rules.index("oracle")]]
    assert honest == sorted(honest, reverse=True)


def test_an_image_of_a_page_is_a_png_that_is_not_too_large():
    uri = image_of(np.full((3, 200, 100), 7, np.uint8))
    picture = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    assert picture.size == (48, 96)
    assert picture.getpixel((0, 0)) == (7, 7, 7)
