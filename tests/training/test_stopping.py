"""Trainings that end early, of which the best epoch is kept, or that leave out units: all repeat to the byte."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from robustmia.data.split import Split
from robustmia.errors import UserError
from robustmia.models.networks.base import build_network
from robustmia.models.networks.small_cnn import SmallCNN
from robustmia.models.networks.wide_resnet import WideResNet
from robustmia.training.loop import Trainer
from robustmia.training.settings import TrainingSettings
from training_helpers import CPU, Watched, assert_same, tiny_records, tiny_spec, trainer

DROPOUT = {"name": "small_cnn", "width": 3, "dropout": 0.5}
STOPPING = {"every": 1, "records": 12, "epsilon": 0.05, "steps": 2}


def held_out_trainer(spec, checkpoint) -> Trainer:
    """A training whose split leaves records for early stopping."""
    records, split = tiny_records()
    some = Split(split.members, split.nonmembers[:8], split.nonmembers[8:])
    return Trainer.of_spec(spec, records, some, checkpoint, CPU, "tiny")


# ---------------------------------------------------------------- an early end


def test_a_training_that_ends_early_is_the_beginning_of_the_whole_one(tmp_path):
    whole = trainer(tiny_spec(monitor=None), tmp_path / "whole.pt")
    weights = {}
    save = whole.checkpoint.save

    def keep(position, model, optimizer):
        weights[position.epoch] = {name: value.clone() for name, value in model.state_dict().items()}
        save(position, model, optimizer)

    whole.checkpoint.save = keep
    history = whole.run()[1]
    model, short = trainer(tiny_spec(monitor=None, stop_after=2), tmp_path / "short-after2.pt").run()
    assert short.equals(history.head(2))
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[2][name])


def test_a_longer_training_goes_on_from_one_that_ended_early(tmp_path, caplog):
    """From the longest of those that are shorter; the whole one ends as without them."""
    caplog.set_level(logging.INFO)
    for epochs in (1, 3):
        short = trainer(tiny_spec(stop_after=epochs), tmp_path / f"t-after{epochs}.pt")
        short.run()
        short.checkpoint.discard()
    middle = trainer(tiny_spec(stop_after=2), tmp_path / "t-after2.pt")
    assert middle.checkpoint.restore(middle.model, middle.optimizer, CPU).epoch == 1
    found = trainer(tiny_spec(), tmp_path / "t.pt").run()
    assert "resuming after epoch 3 of 4" in caplog.text
    assert_same(found, trainer(tiny_spec(), tmp_path / "other.pt").run())


def test_an_end_after_the_end_is_refused():
    with pytest.raises(ValidationError, match="stop_after 5 is above epochs 4"):
        TrainingSettings(epochs=4, stop_after=5, optimizer={"name": "sgd", "learning_rate": 0.1})


# ---------------------------------------------------------------- early stopping


def test_the_epoch_that_is_most_robust_on_held_out_records_is_kept(tmp_path, monkeypatch):
    """Robustness rises and falls again, as the training is told."""
    from robustmia.training import monitor

    told = iter([0.2, 0.6, 0.6, 0.4])
    monkeypatch.setattr(monitor, "_accuracies", lambda *_: {"adversarial": next(told)})
    training = held_out_trainer(tiny_spec("natural", monitor=None, early_stopping=STOPPING), tmp_path / "c.pt")
    model, history = training.run()
    second, _ = trainer(tiny_spec("natural", monitor=None, stop_after=2), tmp_path / "d.pt").run()
    assert len(history) == 4
    for one, other in zip(model.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_held_out_records_are_of_the_classes_that_are_trained_on(tmp_path):
    records, split = tiny_records()
    of_two = records.labels != 2
    some = Split(*(rows[of_two[rows]] for rows in (split.members[:20], split.nonmembers[:8])), np.arange(20, 62))
    spec = tiny_spec("natural", early_stopping=STOPPING) | {"split": {"classes": ("a", "b")}}
    training = Trainer.of_spec(spec, records, some, tmp_path / "c.pt", CPU, "tiny")
    assert set(training.early_stopping.labels.tolist()) == {0, 1}
    with pytest.raises(UserError, match="12 records"):
        Trainer.of_spec(
            spec | {"split": {"classes": ("b",)}},
            records,
            Split(some.members, some.nonmembers, np.arange(40, 50)),
            tmp_path / "d.pt",
            CPU,
            "tiny",
        )


def test_early_stopping_is_resumed(tmp_path):
    """From its second epoch on, the best one and its weights included."""
    spec = tiny_spec("pgd", monitor=None, early_stopping=STOPPING)
    whole = held_out_trainer(spec, tmp_path / "whole.pt").run()
    killed = held_out_trainer(spec, tmp_path / "killed.pt")

    def at_step(step, *_):
        if step == 7:
            raise KeyboardInterrupt

    Watched(killed, at_step)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    assert_same(held_out_trainer(spec, tmp_path / "killed.pt").run(), whole)


def test_early_stopping_without_held_out_records_is_refused(tmp_path):
    spec = tiny_spec("natural", early_stopping=STOPPING)
    with pytest.raises(UserError, match=r"12 records .* there are 0; set split.max_nonmembers"):
        trainer(spec, tmp_path / "c.pt")


def test_a_training_that_early_stopping_would_not_look_at_in_the_end_is_refused():
    settings = {
        "epochs": 9,
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "early_stopping": STOPPING | {"every": 3},
    }
    TrainingSettings(**settings, stop_after=6)
    with pytest.raises(ValidationError, match=r"stop_after 5 is no multiple of early_stopping.every, 3"):
        TrainingSettings(**settings, stop_after=5)


def test_a_name_like_that_of_an_early_end_is_no_early_end(tmp_path):
    """A run may be called so."""
    other = trainer(tiny_spec(stop_after=1), tmp_path / "t-after-all-after1.pt")
    other.run()
    other.checkpoint.discard()
    assert (tmp_path / "t-after-all-after1.pt").exists()
    training = trainer(tiny_spec(), tmp_path / "t.pt")
    training.run()
    training.checkpoint.discard()
    assert not (tmp_path / "t.pt").exists()


# ---------------------------------------------------------------- dropout


@pytest.mark.parametrize(
    "network",
    [SmallCNN(name="small_cnn", width=3, dropout=0.5), WideResNet(name="wide_resnet", depth=10, width=1, dropout=0.5)],
)
def test_dropout_leaves_out_inputs_of_the_last_layer_while_training(network):
    model = build_network(network, (1, 8, 8), 3, seed=0)
    plain = build_network(network.model_copy(update={"dropout": 0.0}), (1, 8, 8), 3, seed=0)
    images = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(model.eval()(images), plain.eval()(images))
    dropped = model.train()(images)
    assert not torch.equal(dropped, model(images))
    with torch.no_grad():
        seen = [name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Dropout)]
    assert len(seen) == 1


def test_dropout_repeats_and_is_resumed(tmp_path):
    """Whatever torch's own generator has drawn in between; which is left as it was."""
    spec = tiny_spec("pgd", DROPOUT)
    torch.manual_seed(5)
    first = trainer(spec, tmp_path / "a.pt").run()
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    assert_same(trainer(spec, tmp_path / "b.pt").run(), first)
    short = trainer(tiny_spec("pgd", DROPOUT, stop_after=2), tmp_path / "c-after2.pt")
    short.run()
    assert_same(trainer(spec, tmp_path / "c.pt").run(), first)


@pytest.mark.parametrize(
    ("architecture", "settings", "joins"),
    [
        (None, {}, True),
        (DROPOUT, {}, False),
        (None, {"early_stopping": STOPPING}, False),
        ({"name": "small_cnn", "width": 3}, {"privacy": {"noise_multiplier": 1.0}}, False),
    ],
)
def test_trainings_that_need_more_than_a_loss_are_no_part_of_an_ensemble(tmp_path, architecture, settings, joins):
    training = held_out_trainer(tiny_spec("natural", architecture, **settings), tmp_path / "c.pt")
    assert training.can_join == joins
