"""The state of a training on the disk: what was whole counts, what is damaged or of something else does not."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
from pathlib import Path

import pytest
import torch

from robustmia.data.records import Records
from robustmia.training.checkpoint import Position
from robustmia.training.loop import Trainer
from training_helpers import CPU, assert_same, stopped, tiny_records, tiny_spec, trainer


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty])
@pytest.mark.parametrize("files", [("c.pt",), ("c.pt", "c.before.pt"), ("c.before.pt",)])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_counts(tmp_path, caplog, damage, files):
    spec, checkpoint = tiny_spec(optimizer={"name": "sgd", "learning_rate": 0.01}), tmp_path / "c.pt"
    stopped(checkpoint, "pgd", "sgd", 10, "SIGKILL")  # with states after one and after two epochs
    for name in files:
        damage(tmp_path / name)
    resumed = trainer(spec, checkpoint)
    at = resumed.checkpoint.restore(resumed.model, resumed.optimizer, CPU)
    assert at.epoch == {1: 1, 2: 0}[len(files)] if "c.pt" in files else 2
    named = [str(tmp_path / name) in caplog.text for name in ("c.pt", "c.before.pt")]
    assert named == ["c.pt" in files, len(files) == 2]  # the one before is read only if the other does not count
    whole = trainer(spec, tmp_path / "whole.pt").run()
    assert_same(trainer(spec, checkpoint).run(), whole)


def test_a_state_in_the_middle_of_an_epoch_is_not_gone_on_with_on_another_kind_of_device(tmp_path, monkeypatch, caplog):
    """Whose random numbers are others: the state of the last whole epoch counts."""
    checkpoint = tmp_path / "c.pt"
    stopped(checkpoint, "pgd", "sgd", 6, "SIGTERM")
    training = trainer(tiny_spec(optimizer={"name": "sgd", "learning_rate": 0.01}), checkpoint)
    monkeypatch.setattr(
        torch, "load", lambda *given, load=torch.load, **named: load(*given, **named) | {"device": "cuda"}
    )
    at = training.checkpoint.restore(training.model, training.optimizer, CPU)
    assert (at.epoch, at.steps) == (1, 0)
    assert str(checkpoint) in caplog.text
    assert "device" in caplog.text


@pytest.mark.parametrize("renames", [0, 1])
def test_a_kill_between_two_files_leaves_the_one_before(tmp_path, monkeypatch, renames):
    """Before the old state gets its other name, and before the new one takes its place."""
    training = trainer(tiny_spec(), tmp_path / "c.pt")
    training.checkpoint.save(Position(1), training.model, training.optimizer)
    replace, done = os.replace, []

    def killed(*paths: object) -> None:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(paths)
        replace(*paths)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        training.checkpoint.save(Position(2), training.model, training.optimizer)
    assert len(done) == renames
    assert training.checkpoint.restore(training.model, training.optimizer, CPU).epoch == 1


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    training = trainer(tiny_spec(), tmp_path / "c.pt")
    training.checkpoint.save(Position(1), training.model, training.optimizer)
    before = (tmp_path / "c.pt").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as caught:
        training.checkpoint.save(Position(2), training.model, training.optimizer)
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "c.pt").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


def test_what_a_killed_process_left_of_a_checkpoint_is_removed(tmp_path):
    left = tmp_path / ".c.pt-abc123"
    left.write_bytes(b"half")
    trainer(tiny_spec(), tmp_path / "c.pt").run()
    assert not left.exists()


def test_a_state_of_other_images_is_not_gone_on_with(tmp_path):
    spec = tiny_spec("natural")
    trainer(spec, tmp_path / "c.pt").run()
    records, split = tiny_records()
    other = Records(255 - records.images, records.labels, records.class_names)
    started_over, _ = Trainer.of_spec(spec, other, split, tmp_path / "c.pt", CPU, "tiny").run()
    from_nothing, _ = Trainer.of_spec(spec, other, split, tmp_path / "d.pt", CPU, "tiny").run()
    assert torch.equal(next(started_over.parameters()), next(from_nothing.parameters()))


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_unpickles_nothing_but_tensors(tmp_path):
    """With a digest that is right: whoever can write the file can write that too."""
    content = pickle.dumps(
        {"data": "", "position": {}, "model": Planted(tmp_path / "planted"), "optimizer": {}}, protocol=2
    )
    checkpoint = tmp_path / "c.pt"
    checkpoint.write_bytes(hashlib.sha256(content).digest() + content)
    with pytest.raises(pickle.UnpicklingError):
        trainer(tiny_spec(), checkpoint).run()
    assert not (tmp_path / "planted").exists()
