"""Audits: the authors' own files, a checkpoint through the pipeline, and a clear line for everything that is wrong with an input."""

from __future__ import annotations

import csv
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import nn

from conftest import shared
from robustmia.audit.checkpoint import audited_network, audited_split, checkpoint_signals
from robustmia.audit.predictions import read_predictions
from robustmia.audit.results import audit_report, audit_tables
from robustmia.audit.settings import CheckpointAudit, PredictionsAudit
from robustmia.audit.signal_files import load_signals, save_signals
from robustmia.config import read_config
from robustmia.data.digits import Digits
from robustmia.errors import UserError
from robustmia.inference.attempts import plain_attempts
from robustmia.inference.scores import (
    log_odds,
    log_odds_of_probabilities,
    negative_modified_entropy,
    negative_modified_entropy_of_probabilities,
)
from robustmia.inference.strategies import STRATEGIES, Strategy
from robustmia.logits import SignalLogits, SignalProbabilities, VerifiedBounds
from robustmia.models import build_network

RANDOM = np.random.default_rng(0)
IDENTITY = {"dataset": None, "run": "theirs", "method": "audited", "seed": None}
SMALL = {"name": "small_cnn", "width": 4}


def ours(**changes: object) -> dict:
    """A sound file of our arrays."""
    arrays = {
        "members": RANDOM.normal(size=(40, 5)).astype(np.float32),
        "nonmembers": RANDOM.normal(size=(30, 5)).astype(np.float32),
        "member_labels": np.arange(40) % 5,
        "nonmember_labels": np.arange(30) % 5,
    } | changes
    return {name: array for name, array in arrays.items() if array is not None}


def softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (p / p.sum(axis=1, keepdims=True)).astype(np.float32)


def theirs(**changes: object) -> dict:
    """A sound file in the paper's layout."""
    arrays = {
        f"output_{side}_{kind}": softmax(RANDOM.normal(size=(count, 5)))
        for side, count in (("train", 40), ("test", 30))
        for kind in ("benign", "adversarial")
    }
    arrays |= {"train_label": np.arange(40) % 5, "test_label": np.arange(30) % 5} | changes
    return {name: array for name, array in arrays.items() if array is not None}


def read(path: Path, arrays: dict, **settings: object) -> tuple[dict, list[str]]:
    np.savez(path / "p.npz", **arrays)
    return read_predictions(PredictionsAudit(predictions=path / "p.npz", **settings))


# ---------------------------------------------------------------- predictions


@pytest.mark.parametrize("method", ["natural", "pgd"])
def test_the_authors_files_give_the_published_accuracies(method):
    path = shared("reference", "song2019", f"yale_{method}.npz")
    signals, notes = read_predictions(PredictionsAudit(predictions=path))
    membership, robustness, _ = audit_tables(IDENTITY, signals)
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
    assert "The rows are probabilities" in notes[0]


def test_probabilities_are_seen_where_all_rows_are(tmp_path):
    signals, notes = read(tmp_path, ours())
    assert type(signals["benign"]) is SignalLogits
    assert notes == []
    rows = {side: softmax(3 * ours()[side]) for side in ("members", "nonmembers")}
    signals, notes = read(tmp_path, ours(**rows), signal="adversarial")
    assert isinstance(signals["adversarial"], SignalProbabilities)
    assert "probabilities" in notes[0]
    one_side = rows | {"nonmembers": ours()["nonmembers"]}
    with pytest.raises(
        UserError, match="the rows of members sum to 1, as probabilities do, those of nonmembers do not"
    ):
        read(tmp_path, ours(**one_side))
    assert type(read(tmp_path, ours(**one_side), values="logits")[0]["benign"]) is SignalLogits
    assert type(read(tmp_path, ours(**rows), values="logits")[0]["benign"]) is SignalLogits
    assert set(read(tmp_path, theirs())[0]) == {"benign", "adversarial"}
    assert set(read(tmp_path, theirs(output_train_adversarial=None, output_test_adversarial=None))[0]) == {"benign"}


def test_scores_of_probabilities_are_those_of_their_logits_and_tie_where_they_saturate():
    logits, labels = RANDOM.normal(0, 2, (50, 6)), RANDOM.integers(6, size=50)
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    np.testing.assert_allclose(log_odds_of_probabilities(p, labels), log_odds(logits, labels), rtol=1e-9)
    entropy = negative_modified_entropy(logits, labels)
    np.testing.assert_allclose(negative_modified_entropy_of_probabilities(p, labels), entropy, rtol=1e-9)
    ends = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    for score in (log_odds_of_probabilities, negative_modified_entropy_of_probabilities):
        assert np.isfinite(score(ends, np.array([0, 0]))).all()
        assert np.diff(score(ends, np.array([0, 0]))) < 0


def test_a_score_that_knows_no_probabilities_is_left_out_where_there_are_none_but_those(tmp_path):
    own = Strategy("mine", "benign", lambda logits, labels: logits.max(axis=1))
    names = [
        [attempt.strategy for attempt in plain_attempts([STRATEGIES[0], own], read(tmp_path, arrays)[0])]
        for arrays in (theirs(), ours())
    ]
    assert names == [["I_B"], ["I_B", "mine"]]


BAD = {
    "not there": (ours(members=None), {}, "no array members; it has member_labels, nonmember_labels, nonmembers"),
    "half of theirs": (theirs(output_test_benign=None), {}, "no array output_test_benign; it has"),
    "a row short": (ours(member_labels=np.arange(39) % 5), {}, r"member_labels is int64 of shape \[39\]; whole numbers of shape \[40\]"),
    "one number each": (ours(members=np.zeros(40)), {}, r"members is float64 of shape \[40\]; numbers of shape \[records, classes\]"),
    "classes differ": (ours(nonmembers=np.zeros((30, 4))), {}, "members has 5 classes, nonmembers 4"),
    "text": (ours(members=np.full((40, 5), "a")), {}, "members is <U1 of shape"),
    "not a number": (
        ours(members=np.where(np.arange(200).reshape(40, 5) == 63, np.nan, 0.0)), {},
        "members has a value that is not finite, in row 12",
    ),
    "a label too large": (
        ours(nonmember_labels=np.where(np.arange(30) == 7, 5, 0)), {},
        "nonmember_labels has the label 5 in row 7; with 5 classes it must be in 0 to 4",
    ),
    "a label below 0": (ours(member_labels=np.arange(40) % 5 - 1), {}, "member_labels has the label -1 in row 0"),
    "labels with fractions": (ours(member_labels=np.arange(40) / 8), {}, "member_labels is float64"),
    "pickled objects": (ours(members=np.array([[1, None]] * 40, object)), {}, "members holds Python objects, which are not unpickled"),
    "logits as probabilities": (
        theirs(output_test_adversarial=RANDOM.normal(size=(30, 5))), {},
        "output_test_adversarial is said to be probabilities, but its rows are not",
    ),
    "logits declared probabilities": (ours(), {"values": "probabilities"}, "members is said to be probabilities"),
    "nobody": (ours(members=np.zeros((0, 5)), member_labels=np.zeros(0, int)), {}, r"members is float64 of shape \[0, 5\]"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_of_predictions_is_named_in_one_line(tmp_path, case):
    arrays, settings, expected = BAD[case]
    with pytest.raises(UserError, match=expected) as caught:
        read(tmp_path, arrays, **settings)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "p.npz") in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", pickle.dumps({"members": 1}), b"text"])
def test_a_file_that_is_no_npz_is_named(tmp_path, content):
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"p\.npz: ") as caught:
        read_predictions(PredictionsAudit(predictions=tmp_path / "p.npz"))
    assert "\n" not in str(caught.value)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(UserError, match="one array alone"):
        read_predictions(PredictionsAudit(predictions=tmp_path / "one.npy"))


# ---------------------------------------------------------------- checkpoints

DIGITS = Digits(name="digits").load(Path("nowhere"))


def checkpoint(folder: Path, **changes: object) -> CheckpointAudit:
    """An audit of a small network on digits, with a split file."""
    network = build_network(SMALL, DIGITS.image_shape, 10, seed=5)
    save_file(network.state_dict(), folder / "weights.safetensors")
    np.savez(folder / "split.npz", members=np.arange(100), nonmembers=np.arange(100, 180))
    settings = {
        "model": SMALL,
        "weights": folder / "weights.safetensors",
        "split": folder / "split.npz",
        "epsilon": 0.05,
        "steps": 3,
    }
    return CheckpointAudit(**settings | changes)


def test_a_checkpoint_is_asked_for_every_signal(tmp_path):
    settings = checkpoint(tmp_path, max_records=60)
    signals, notes = checkpoint_signals(settings, DIGITS, threads=1)
    assert set(signals) == {"benign", "adversarial", "targeted", "verified"}
    assert signals["targeted"].members.shape == (60, 10, 10)
    assert isinstance(signals["verified"], VerifiedBounds)
    assert list(signals["verified"].verifiers) == ["interval", "interval_dual"]
    assert notes == ["Bounds by interval, interval_dual, over the ball cut to valid pixels."]
    split = audited_split(settings, DIGITS)
    assert set(split.members) <= set(range(100))
    assert len(set(split.members)) == len(set(split.nonmembers)) == 60
    with torch.no_grad():
        pixels = torch.from_numpy(DIGITS.images[split.members]).float() / 255
        np.testing.assert_allclose(
            signals["benign"].members, audited_network(settings, DIGITS)(pixels), rtol=1e-4, atol=1e-5
        )
    save_signals(tmp_path / "signals", signals, notes)
    loaded, notes_again = load_signals(tmp_path / "signals")
    membership, robustness, strongest = audit_tables(IDENTITY, loaded)
    assert set(membership.strategy) == {"I_B", "I_A", "I_V", "I_T", "mean_log_odds", "modified_entropy", "correctness"}
    assert robustness.verified_test_accuracy.notna().all()
    report = audit_report(["weights: w"], notes_again, membership, robustness, strongest)
    assert "60 members, 60 non-members" in report
    assert "| verified " in report
    assert report.startswith("# Audit of theirs")
    assert f"right about {100 * strongest.accuracy:.1f} %" in report


def test_the_verified_ball_is_cut_or_not(tmp_path):
    cut, whole = (
        checkpoint_signals(checkpoint(tmp_path, clip_pixels=clip), DIGITS, threads=1)[0]["verified"].members
        for clip in (True, False)
    )
    assert (cut <= whole + 1e-4).all()
    assert (cut < whole - 1e-3).any()


def test_a_network_that_bounds_do_not_know_has_the_other_signals(tmp_path, monkeypatch):
    (tmp_path / "their_code.py").write_text(
        "from torch import nn\n"
        "def network():\n"
        "    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(72, 10))\n"
        "def fails():\n    raise OSError('no disk')\n"
        "def three():\n    return 3\n"
    )
    monkeypatch.chdir(tmp_path)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(72, 10))
    torch.save(
        {
            "state_dict": {f"module.{k}": v for k, v in network.state_dict().items()},
        },
        tmp_path / "w.pth",
    )
    settings = checkpoint(tmp_path, model="their_code:network", weights=tmp_path / "w.pth")
    signals, notes = checkpoint_signals(settings, DIGITS, threads=1)
    assert set(signals) == {"benign", "adversarial", "targeted"}
    assert notes[0].startswith("No verified signal: the bounds do not know layer 1 (Tanh)")
    assert checkpoint_signals(settings.model_copy(update={"verifiers": ()}), DIGITS, threads=1)[1] == [
        "No bounds were asked for."
    ]
    for function, expected in (
        ("their_code:fails", r"their_code:fails fails \(OSError: no disk\)"),
        ("their_code:three", "returns int; it must return a torch.nn.Module"),
        ("their_code:nobody", "their_code:nobody fails"),
        ("nowhere_at_all:network", "nowhere_at_all:network fails"),
    ):
        with pytest.raises(UserError, match=expected):
            audited_network(settings.model_copy(update={"model": function}), DIGITS)


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_nothing_in_a_checkpoint_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="cannot be read as tensors alone"):
        audited_network(checkpoint(tmp_path, weights=tmp_path / "evil.pth"), DIGITS)
    np.savez(tmp_path / "evil.npz", members=np.array([Evil()], object), nonmembers=np.arange(3))
    with pytest.raises(UserError, match="members holds Python objects"):
        audited_split(checkpoint(tmp_path, split=tmp_path / "evil.npz"), DIGITS)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_weights_that_cannot_be_read_are_named(tmp_path, content):
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="cannot be read as tensors alone") as caught:
            audited_network(checkpoint(tmp_path, weights=tmp_path / name), DIGITS)
        assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_named(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UserError, match="not a state dict of tensors"):
        audited_network(checkpoint(tmp_path, weights=tmp_path / "list.pth"), DIGITS)
    with pytest.raises(UserError, match="does not fit") as caught:
        audited_network(checkpoint(tmp_path, model=SMALL | {"width": 5}), DIGITS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"members": np.arange(5)}, "needs an array nonmembers"),
        ({"members": np.arange(5), "nonmembers": np.arange(3, 9)}, "both a member and a non-member"),
        ({"members": np.array([0, 0]), "nonmembers": np.arange(3, 9)}, "must be different rows"),
        ({"members": np.arange(5), "nonmembers": np.array([5, 1797])}, "in 0 to 1796"),
        ({"members": np.arange(5) / 2, "nonmembers": np.arange(5, 9)}, "needs an array members"),
    ],
)
def test_a_bad_split_file_is_named(tmp_path, arrays, expected):
    settings = checkpoint(tmp_path)
    np.savez(tmp_path / "split.npz", **arrays)
    with pytest.raises(UserError, match=expected):
        audited_split(settings, DIGITS)


def test_a_data_set_without_a_training_set_needs_a_split_file(tmp_path):
    with pytest.raises(UserError, match=r"^split: this data set has no training set of its own"):
        audited_split(checkpoint(tmp_path, split=None), DIGITS)


@pytest.mark.parametrize("answer", ["(x.flatten(1), x)", "{'logits': x}", "x.flatten(1)[:, :3]", "x.flatten(1) / 0"])
def test_a_model_that_makes_no_logits_is_named(tmp_path, monkeypatch, answer):
    (tmp_path / "odd_code.py").write_text(
        "from torch import nn\n"
        "class Odd(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.layer = nn.Linear(2, 2)\n"
        f"    def forward(self, x):\n        return {answer}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_code", raising=False)
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "w.pth")
    state = {f"layer.{name}": value for name, value in torch.load(tmp_path / "w.pth").items()}
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"^model: ") as caught:
        checkpoint_signals(checkpoint(tmp_path, model="odd_code:Odd", weights=tmp_path / "w.pth"), DIGITS, threads=1)
    assert "\n" not in str(caught.value)


def test_images_that_the_model_does_not_take_are_named(tmp_path):
    network = build_network(SMALL, (1, 12, 12), 10, seed=0)
    save_file(network.state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"does not fit|does not take these images"):
        checkpoint_signals(checkpoint(tmp_path, weights=tmp_path / "other.safetensors"), DIGITS, threads=1)


# ---------------------------------------------------------------- settings and the workflow


@pytest.mark.parametrize(
    ("audit", "expected"),
    [
        ({"predictions": "p.npz", "epsilon": 0.1}, r"audits\.a\.epsilon"),
        (
            {"model": "nocolon", "weights": "w.pth", "dataset": "digits", "epsilon": 0.1},
            r"audits\.a\.model: 'nocolon' will not do; give .package\.module:function",
        ),
        (
            {"model": SMALL, "weights": "w.pth", "dataset": "nothing", "epsilon": 0.1},
            r"audits\.a\.dataset.*unknown name 'nothing'",
        ),
        ({"model": SMALL, "weights": "w.pth", "dataset": "digits"}, r"audits\.a\.epsilon: missing"),
    ],
)
def test_a_bad_audit_is_named(tmp_path, audit, expected):
    raw = yaml.safe_load((Path(__file__).parent.parent / "config.yaml").read_text())
    with pytest.raises(UserError, match=expected):
        read_config(raw | {"results_dir": str(tmp_path), "audits": {"a": audit}})
