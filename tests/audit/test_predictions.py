"""Audits of predictions: the authors' own files, and a clear line for everything that is wrong with one."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest

from helpers import AUDITED, refused, shared, softmax, theirs
from robustmia.audit.predictions import read_predictions
from robustmia.audit.predictions_settings import PredictionsAudit
from robustmia.audit.results import audit_tables
from robustmia.audit.signal_files import AuditedSignals
from robustmia.config.registry import COLUMNS, STRATEGIES
from robustmia.errors import UserError
from robustmia.files.signals import SignalLogits, SignalProbabilities
from robustmia.inference.attack_scores import EvaluationSet
from robustmia.inference.attacks.base import Observation, load_attacks, run_attacks
from robustmia.inference.attacks.paper_attacks import IB
from robustmia.inference.attacks.score_attacks import ScoreAttack
from robustmia.inference.evaluate import load_columns
from robustmia.inference.scores import (
    log_odds,
    log_odds_of_probabilities,
    negative_modified_entropy,
    negative_modified_entropy_of_probabilities,
)
from robustmia.inference.settings import AttackSettings


def ours(**changes: object) -> dict:
    """A sound file of our arrays; one that is changed to None is left out."""
    random = np.random.default_rng(0)
    arrays = {
        "members": random.normal(size=(40, 5)).astype(np.float32),
        "nonmembers": random.normal(size=(30, 5)).astype(np.float32),
        "member_labels": np.arange(40) % 5,
        "nonmember_labels": np.arange(30) % 5,
    } | changes
    return {name: array for name, array in arrays.items() if array is not None}


def read(path: Path, arrays: dict, **settings: object) -> AuditedSignals:
    np.savez(path / "p.npz", **arrays)
    return read_predictions(PredictionsAudit(predictions=path / "p.npz", **settings))


@pytest.mark.parametrize("method", ["natural", "pgd"])
def test_the_authors_files_give_the_published_accuracies(method):
    path = shared("reference", "song2019", f"yale_{method}.npz")
    audited = read_predictions(PredictionsAudit(predictions=path))
    warnings = audited.warnings
    attacks = load_attacks(list(STRATEGIES.values()), AttackSettings())
    tables = audit_tables(AUDITED, audited, attacks, load_columns(list(COLUMNS.values())))
    membership, robustness = tables.membership_inference, tables.robustness
    with shared("reference", "published_results.csv").open() as file:
        published = [row for row in csv.DictReader(file) if (row["dataset"], row["method"]) == ("yale", method)]
    assert len(published) == 2
    for row in published:
        strategy, prefix = {"benign": ("I_B", ""), "adversarial": ("I_A", "adv_")}[row["inputs"]]
        ours = membership[(membership.strategy == strategy) & (membership.threshold_rule == "oracle")].iloc[0]
        assert ours.accuracy == pytest.approx(float(row["inference_accuracy"]), abs=1e-12)
        for side in ("train", "test"):
            accuracy = robustness[f"{prefix}{side}_accuracy"].item()
            assert accuracy == pytest.approx(float(row[f"{side}_accuracy"]), abs=1e-12)
    assert len(warnings) == 1  # that the rows are probabilities


def test_probabilities_are_seen_where_all_rows_are(tmp_path):
    audited = read(tmp_path, ours())
    signals, warnings = audited.signals, audited.warnings
    assert type(signals["benign"]) is SignalLogits
    assert warnings == []
    rows = {side: softmax(3 * ours()[side]) for side in ("members", "nonmembers")}
    audited = read(tmp_path, ours(**rows), signal="adversarial")
    signals, warnings = audited.signals, audited.warnings
    assert isinstance(signals["adversarial"], SignalProbabilities)
    assert "probabilities" in warnings[0]
    one_side = rows | {"nonmembers": ours()["nonmembers"]}
    with pytest.raises(UserError) as caught:
        read(tmp_path, ours(**one_side))
    assert {"members", "nonmembers"} <= set(str(caught.value).replace(",", " ").split())
    assert type(read(tmp_path, ours(**one_side), values="logits").signals["benign"]) is SignalLogits
    assert type(read(tmp_path, ours(**rows), values="logits").signals["benign"]) is SignalLogits
    assert set(read(tmp_path, theirs()).signals) == {"benign", "adversarial"}
    assert set(read(tmp_path, theirs(output_train_adversarial=None, output_test_adversarial=None)).signals) == {
        "benign"
    }


def test_scores_of_probabilities_are_those_of_their_logits_and_tie_where_they_saturate():
    random = np.random.default_rng(0)
    logits, labels = random.normal(0, 2, (50, 6)), random.integers(6, size=50)
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    np.testing.assert_allclose(log_odds_of_probabilities(p, labels), log_odds(logits, labels), rtol=1e-9)
    entropy = negative_modified_entropy(logits, labels)
    np.testing.assert_allclose(negative_modified_entropy_of_probabilities(p, labels), entropy, rtol=1e-9)
    ends = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    for score in (log_odds_of_probabilities, negative_modified_entropy_of_probabilities):
        assert np.isfinite(score(ends, np.array([0, 0]))).all()
        assert np.diff(score(ends, np.array([0, 0]))) < 0


class LargestLogit(ScoreAttack):
    """A score of somebody's own that says nothing of probabilities."""

    name, signal = "mine", "benign"

    @staticmethod
    def score(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return logits.max(axis=1)


def test_a_score_that_knows_no_probabilities_is_left_out_where_there_are_none_but_those(tmp_path):
    names = []
    for arrays in (theirs(), ours()):
        signal = read(tmp_path, arrays).signals["benign"]
        seen = Observation.of("benign", signal, EvaluationSet.of(signal, None))
        names.append(
            [result.strategy for result in run_attacks([IB(AttackSettings()), LargestLogit(AttackSettings())], [seen])]
        )
    assert names == [["I_B"], ["I_B", "mine"]]


LOGITS = np.random.default_rng(1).normal(size=(30, 5))
BAD = {
    "not there": (ours(members=None), {}, ["members", "member_labels", "nonmember_labels", "nonmembers"]),
    "half of theirs": (theirs(output_test_benign=None), {}, ["output_test_benign"]),
    "a row short": (ours(member_labels=np.arange(39) % 5), {}, ["member_labels", "[39]", "[40]"]),
    "one number each": (ours(members=np.zeros(40)), {}, ["members", "float64", "[40]"]),
    "classes differ": (ours(nonmembers=np.zeros((30, 4))), {}, ["members", "5", "nonmembers", "4"]),
    "text": (ours(members=np.full((40, 5), "a")), {}, ["members", "<U1"]),
    "not a number": (ours(members=np.where(np.arange(200).reshape(40, 5) == 63, np.nan, 0.0)), {}, ["members", "12"]),
    "a label too large": (
        ours(nonmember_labels=np.where(np.arange(30) == 7, 5, 0)),
        {},
        ["nonmember_labels", "label 5", "row 7", "0 to 4"],
    ),
    "a label below 0": (ours(member_labels=np.arange(40) % 5 - 1), {}, ["member_labels", "label -1", "row 0"]),
    "labels with fractions": (ours(member_labels=np.arange(40) / 8), {}, ["member_labels", "float64"]),
    "pickled objects": (ours(members=np.array([[1, None]] * 40, object)), {}, ["members"]),
    "logits as probabilities": (theirs(output_test_adversarial=LOGITS), {}, ["output_test_adversarial"]),
    "logits declared probabilities": (ours(), {"values": "probabilities"}, ["members"]),
    "nobody": (ours(members=np.zeros((0, 5)), member_labels=np.zeros(0, int)), {}, ["members", "float64", "[0, 5]"]),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_of_predictions_is_named_in_one_line(tmp_path, case):
    arrays, settings, named = BAD[case]
    with pytest.raises(UserError) as caught:
        read(tmp_path, arrays, **settings)
    file, _, message = str(caught.value).partition(": ")
    assert file == str(tmp_path / "p.npz")
    assert "\n" not in message
    assert all(word in message for word in named)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", pickle.dumps({"members": 1}), b"text"])
def test_a_file_that_is_no_npz_is_named(tmp_path, content):
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_predictions(PredictionsAudit(predictions=tmp_path / "p.npz"))
    assert str(caught.value).startswith(f"{tmp_path / 'p.npz'}: ")
    assert "\n" not in str(caught.value)


def test_one_array_alone_is_named(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(UserError) as caught:
        read_predictions(PredictionsAudit(predictions=tmp_path / "one.npy"))
    assert str(tmp_path / "one.npy") in str(caught.value)


ODD_ROWS = {
    "percent": lambda p: 100 * p,
    "counts of 20 votes": lambda p: (
        np.rint(20 * p) + np.eye(p.shape[1])[0] * (20 - np.rint(20 * p).sum(1, keepdims=True))
    ),
    "one sigmoid for each class": lambda p: 1 / (1 + np.exp(-5 * p)),
    "probabilities cut short": lambda p: np.floor(50 * p) / 50,
    "one minus": lambda p: 1 - p,
}


@pytest.mark.parametrize("kind", ODD_ROWS)
def test_rows_that_are_neither_logits_nor_probabilities_are_refused(tmp_path, kind):
    random = np.random.default_rng(3)
    rows = {side: ODD_ROWS[kind](softmax(random.normal(size=(40, 5)))) for side in ("members", "nonmembers")}
    labels = {f"{side[:-1]}_labels": np.arange(40) % 5 for side in rows}
    rows = {side: np.abs(values) for side, values in rows.items()}
    with refused("p.npz", "members", "values: logits"):
        read(tmp_path, rows | labels)
    assert read(tmp_path, rows | labels, values="logits").warnings == []


def test_every_record_of_a_file_has_the_array_and_the_row_that_it_is_in(tmp_path):
    audited = read(tmp_path, theirs())
    assert audited.names[:2] == ["output_train_benign/0", "output_train_benign/1"]
    assert audited.names[-1] == "output_test_benign/29"
    assert audited.rows == [*range(40), *range(30)]
