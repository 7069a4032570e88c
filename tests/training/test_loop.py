"""The training loop: resumed as if never killed, gradient descent on the members, and what it says when it fails."""

from __future__ import annotations

import copy
import logging
import os
import signal
from pathlib import Path

import pytest
import torch

from robustmia.bounds.interval import Interval
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.data.digits import Digits
from robustmia.data.split import draw_split
from robustmia.errors import UserError
from robustmia.methods.natural import Natural
from robustmia.methods.trades import TRADES
from robustmia.models.device import to_device, to_pixels
from robustmia.settings import SplitSettings, chosen
from robustmia.training.loop import Trainer, stop_requests
from training_helpers import CPU, Watched, assert_same, scattered_members, stopped, tiny_spec, trainer


@pytest.mark.parametrize(
    ("method", "optimizer", "step"), [("pgd", "sgd", 6), ("trades", "adam", 14), ("distributional", "adam", 2)]
)
def test_a_killed_training_ends_as_one_that_was_not(tmp_path, method, optimizer, step):
    """Four steps an epoch: the kill falls into the second, the fourth and the first epoch."""
    spec = tiny_spec(method, optimizer={"name": optimizer, "learning_rate": 0.01})
    checkpoint = tmp_path / "killed.pt"
    assert stopped(checkpoint, method, optimizer, step, "SIGKILL").returncode == -signal.SIGKILL
    assert checkpoint.exists() == (step > 4)
    assert_same(trainer(spec, checkpoint).run(), trainer(spec, tmp_path / "whole.pt").run())


@pytest.mark.parametrize("by", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("step", [1, 6, 8])
def test_a_training_that_is_asked_to_stop_keeps_its_state_at_once(tmp_path, by, step):
    """In the middle of the first and of the second epoch, and after the last step of the second."""
    spec = tiny_spec("trades", optimizer={"name": "adam", "learning_rate": 0.01})
    checkpoint = tmp_path / "stopped.pt"
    done = stopped(checkpoint, "trades", "adam", step, by)
    epoch, steps = divmod(step - 1, 4)
    last_line = done.stderr.splitlines()[-1]
    assert all(said in last_line for said in ("UserError", by, f"epoch {epoch} of 4", f"step {steps + 1} of 4"))
    resumed = trainer(spec, checkpoint)
    at = resumed.checkpoint.restore(resumed.model, resumed.optimizer, CPU)
    assert (at.epoch, at.steps, len(at.history)) == (epoch, steps + 1, epoch)
    assert_same(trainer(spec, checkpoint).run(), trainer(spec, tmp_path / "whole.pt").run())


def test_handlers_of_signals_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with stop_requests() as requests:
        os.kill(os.getpid(), signal.SIGTERM)
    assert requests == ["SIGTERM"]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_finished_training_trains_no_more(tmp_path):
    first = trainer(tiny_spec(), tmp_path / "done.pt")
    first.run()
    again = trainer(tiny_spec(), tmp_path / "done.pt")
    again.method = None  # would fail if it were asked for a loss
    model, history = again.run()
    assert len(history) == 4
    assert torch.equal(next(model.parameters()), next(first.model.parameters()))


def test_seeds_differ_and_repeat(tmp_path):
    weights = [
        next(trainer(tiny_spec() | {"seed": seed}, tmp_path / name).run()[0].parameters())
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_history_has_a_row_per_epoch_and_empty_cells_where_nothing_was_seen(tmp_path):
    _, history = trainer(tiny_spec("natural", epochs=5), tmp_path / "c.pt").run()
    assert history.epoch.tolist() == [1, 2, 3, 4, 5]
    assert history.adversarial_accuracy.isna().all()
    assert history.clean_accuracy.between(0, 1).all()
    assert history.member_clean.notna().tolist() == [False, True, False, True, True]


def test_training_learns(tmp_path):
    """Of 12 seeds none kept more than 0.2 % of its loss; batches of one size leave the last one no weight of its own."""
    optimizer = {"name": "adam", "learning_rate": 0.01}
    spec = tiny_spec("natural", epochs=30, batch_size=25, augmentation={}, optimizer=optimizer)
    _, history = trainer(spec, tmp_path / "c.pt").run()
    assert history.loss.iloc[-1] < 0.1 * history.loss.iloc[0]
    assert history.member_clean.iloc[-1] == 1.0


def verified_on_digits(method: str, verifier: str, radius: float, folder: Path, epochs: int, **settings) -> float:
    """The part of 200 non-members that a model trained on 256 members is verified on."""
    digits = Digits(name="digits").load(Path("nowhere"))
    split = draw_split(digits, SplitSettings(member_fraction=0.5, max_members=256, max_nonmembers=200), seed=0)
    architecture = {"name": "small_cnn", "width": 8 if verifier == "dual" else 4}
    training = {"batch_size": 32, "augmentation": {}, "monitor": None}
    optimizer = {"name": "adam", "learning_rate": 0.01}
    spec = tiny_spec(method, architecture, settings, epochs=epochs, optimizer=optimizer, **training)
    model, _ = Trainer.of_spec(spec, digits, split, folder / f"{method}.pt", CPU, method).run()
    images, labels = to_device(digits, split.nonmembers, CPU)
    ball = Interval.around(to_pixels(images), radius, clip_pixels=True)
    with torch.no_grad():
        bounds = VERIFIERS[verifier](model.eval(), ball, labels, 2**25)
    return float((bounds.argmax(1) == labels).float().mean())


@pytest.mark.parametrize(
    ("method", "verifier", "epsilon", "epochs", "settings"),
    [
        ("ibp", "interval", 0.05, 30, {"epsilon_schedule": {"rise_epochs": 8}}),
        (
            "abstract_interpretation",
            "interval",
            0.05,
            30,
            {"epsilon_schedule": {"rise_epochs": 20}, "clean_epochs": 2, "verified_weight": 1},
        ),
        (
            "duality",
            "dual",
            0.1,
            25,
            {
                "projections": 5,
                "epsilon_schedule": {"rise_epochs": 7, "initial_epsilon": 0.005, "update": "epoch"},
            },
        ),
    ],
)
def test_a_verifiable_defense_verifies_images_it_never_saw(tmp_path, method, verifier, epsilon, epochs, settings):
    """Over several seeds 42 to 68 % of them, and 15 % of a natural model's at most."""
    natural = verified_on_digits("natural", verifier, epsilon, tmp_path, epochs=20)
    defended = verified_on_digits(method, verifier, epsilon, tmp_path, epochs, epsilon=epsilon, **settings)
    assert natural < 0.2
    assert defended > 0.3


def test_a_loss_that_is_not_a_number_names_epoch_batch_and_setting(tmp_path):
    training = trainer(tiny_spec("natural"), tmp_path / "c.pt")

    def poison(step: int, *_: torch.Tensor) -> None:
        if step == 7:
            training.model[0].weight.data.fill_(float("nan"))

    Watched(training, poison)
    with pytest.raises(UserError) as caught:
        training.run()
    keys = ("training.optimizer.learning_rate", "training.gradient_clip")
    assert all(said in str(caught.value) for said in ("tiny", "nan", "epoch 2", "batch 3 of 4", *keys))
    at = training.checkpoint.restore(training.model, training.optimizer, CPU)
    assert at.epoch == 1  # what was good is kept


def test_a_method_that_returns_no_step_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Natural, "loss", lambda self, model, images, *_: model(images).sum())
    with pytest.raises(UserError, match="method natural: loss returned Tensor, and has to return a Step"):
        trainer(tiny_spec("natural"), tmp_path / "c.pt").run()


def test_a_loss_that_is_no_number_before_any_step_is_not_blamed_on_the_learning_rate(tmp_path):
    """A method whose weight of a term is beyond what single precision holds."""
    spec = tiny_spec("natural")
    spec["method"] = chosen(TRADES(name="trades", epsilon=0.1, beta=1e30))
    training = trainer(spec, tmp_path / "c.pt")
    training.model[0].weight.data.mul_(1e38)
    with pytest.raises(UserError) as caught:
        training.run()
    assert "epoch 1, batch 1 of" in str(caught.value)
    assert "method.beta (1e+30)" in str(caught.value)
    assert "input_std" in str(caught.value)
    assert "lower training.optimizer.learning_rate" not in str(caught.value)


def test_weights_that_blow_up_in_the_last_step_are_no_model(tmp_path):
    optimizer = {"name": "sgd", "learning_rate": 1e30}
    settings = {"epochs": 1, "batch_size": 50, "schedule": {"name": "constant"}, "monitor": None}
    spec = tiny_spec("natural", {"name": "small_cnn", "width": 2}, optimizer=optimizer, **settings)
    training = trainer(spec, tmp_path / "c.pt")
    descend = training.optimizer.step

    def poisoned() -> None:
        descend()
        training.model[0].weight.data.fill_(float("inf"))

    training.optimizer.step = poisoned
    with pytest.raises(UserError) as caught:
        training.run()
    assert all(said in str(caught.value) for said in ("tiny", "infinite", "epoch 1", "batch 1 of 1"))
    assert not (tmp_path / "c.pt").exists()


@pytest.mark.parametrize("method", ["natural", "pgd"])
def test_batch_normalisation_counts_the_training_steps_and_nothing_else(tmp_path, method):
    """Neither the attack nor the monitor is a step; and what comes back is ready to be asked."""
    model, _ = trainer(tiny_spec(method, epochs=2), tmp_path / "c.pt").run()
    counts = {value.item() for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    assert counts == {2 * 4}
    assert not model.training


def test_training_is_gradient_descent_on_the_members(tmp_path):
    """Three steps on all members at once, written out; the learning rate falls to a half and then to a fifth."""
    spec = tiny_spec(
        "natural",
        {"name": "small_cnn", "width": 2},
        epochs=3,
        batch_size=50,
        optimizer={"name": "sgd", "learning_rate": 0.2, "momentum": 0.0},
        schedule={"name": "piecewise", "epochs": [1, 2], "factors": [0.5, 0.2]},
        augmentation={},
        monitor=None,
    )
    records, split = scattered_members()
    training = Trainer.of_spec(spec, records, split, tmp_path / "c.pt", CPU, "tiny")
    expected = copy.deepcopy(training.model)
    images = torch.from_numpy(records.images[split.members]) / 255
    labels = torch.from_numpy(records.labels[split.members])
    losses = []
    for rate in (0.2, 0.1, 0.04):
        loss = torch.nn.functional.cross_entropy(expected(images), labels)
        gradients = torch.autograd.grad(loss, list(expected.parameters()))
        losses.append(loss.item())
        with torch.no_grad():
            for parameter, gradient in zip(expected.parameters(), gradients, strict=True):
                parameter -= rate * gradient
    trained, history = training.run()
    assert history.loss.tolist() == pytest.approx(losses, rel=1e-5)
    for ours, theirs in zip(trained.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_gradient_clipping_bounds_the_step(tmp_path):
    plain = {"name": "sgd", "learning_rate": 1.0, "momentum": 0.0}
    options = {
        "optimizer": plain,
        "schedule": {"name": "constant"},
        "gradient_clip": 1e-3,
        "batch_size": 50,
        "epochs": 1,
    }
    training = trainer(tiny_spec("natural", **options), tmp_path / "c.pt")
    before = torch.cat([p.detach().flatten().clone() for p in training.model.parameters()])
    training.run()
    after = torch.cat([p.detach().flatten() for p in training.model.parameters()])
    assert (after - before).norm() == pytest.approx(1e-3, rel=1e-2)


def test_every_step_is_reported_with_loss_and_accuracies(tmp_path, caplog):
    """Also once a training is resumed: done and total count the steps of all epochs."""
    spec, checkpoint = tiny_spec(optimizer={"name": "sgd", "learning_rate": 0.01}), tmp_path / "c.pt"
    stopped(checkpoint, "pgd", "sgd", 6, "SIGTERM")
    caplog.set_level(logging.INFO)
    said = []

    def ask(record):
        if hasattr(record, "progress"):
            said.append(record.progress[-1]())
        return True

    with caplog.filtering(ask):
        trainer(spec, checkpoint).run()
    reports = [record.progress[:-1] for record in caplog.records if hasattr(record, "progress")]
    assert reports == [("training tiny", done, 16, "steps") for done in range(7, 17)]
    assert any("epoch 1 of 4" in text and "step 2 of 4" in text for text in caplog.messages)  # where it resumed
    assert all("loss" in words and "adversarial accuracy" in words for words in said)
    assert "clean accuracy" not in said[0]  # which this method does not see, and no monitor has looked
    assert "clean accuracy" in said[-1]
