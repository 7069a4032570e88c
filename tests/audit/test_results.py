"""What an audit finds: its tables, and the files of signals between its jobs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from helpers import AUDITED
from robustmia.audit.results import audit_tables
from robustmia.audit.signal_files import CONTENTS, AuditedSignals
from robustmia.config.registry import COLUMNS, STRATEGIES
from robustmia.errors import DamagedError
from robustmia.files.signals import SignalLogits, VerifiedBounds
from robustmia.inference.attacks.base import load_attacks
from robustmia.inference.evaluate import load_columns
from robustmia.inference.settings import AttackSettings
from robustmia.inference.soundness import SoundnessError

WARNINGS, NOTES = ["The rows are what they are."], ["They came by post."]


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
        given, list(range(100, 100 + count)), [f"{row}.png" for row in range(100, 100 + count)], WARNINGS, NOTES
    )


def tables(given: dict[str, SignalLogits], in_verified_ball=("benign", "adversarial", "targeted")):
    attacks = load_attacks(list(STRATEGIES.values()), AttackSettings())
    return audit_tables(AUDITED, audited(given), attacks, load_columns(list(COLUMNS.values())), in_verified_ball)


def test_every_attack_that_needs_no_shadow_models_is_in_the_tables():
    found = tables(signals())
    membership, robustness = found.membership_inference, found.robustness
    assert set(membership.strategy) == {"I_B", "I_A", "I_V", "I_T", "mean_log_odds", "modified_entropy", "correctness"}
    assert robustness.verified_test_accuracy.notna().all()
    assert found.records.record.tolist() == list(range(100, 220))
    assert found.records.name.iloc[3] == "103.png"
    assert found.records.member.sum() == 60
    assert "score_benign_I_B" in found.records


def test_attacks_are_checked_against_the_bounds_that_rule_them_out():
    given = signals()
    wrong = np.roll(given["adversarial"].members, 1, axis=1)
    labels = given["benign"].member_labels
    given["adversarial"] = SignalLogits(wrong, wrong, labels, labels)
    with pytest.raises(SoundnessError):
        tables(given)
    tables(given, in_verified_ball=["benign", "nothing"])  # of a larger ball, say


def test_signals_come_back_as_they_were(tmp_path):
    audited(signals()).save(tmp_path / "signals")
    again = AuditedSignals.load(tmp_path / "signals")
    loaded = again.signals
    assert (again.rows[0], again.names[0], len(again.names)) == (100, "100.png", 120)
    assert (again.warnings, again.notes) == (WARNINGS, NOTES)
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
