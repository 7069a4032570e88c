"""The training loop: resumed as if never killed, its parts, and what it says when it fails."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import ROOT
from robustmia.bounds.interval import Interval
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.data.digits import Digits
from robustmia.data.records import Records
from robustmia.data.split import Split, draw_split
from robustmia.device import derive_seed, to_device, to_pixels
from robustmia.errors import UserError
from robustmia.methods.base import Step
from robustmia.methods.natural import Natural
from robustmia.registry import METHODS
from robustmia.settings import (
    AugmentationSettings,
    ConstantScheduleSettings,
    CosineScheduleSettings,
    OneCycleScheduleSettings,
    PiecewiseScheduleSettings,
    SplitSettings,
)
from robustmia.training import Position, Trainer, augment, schedule_factor, stop_requests


def tiny_records() -> tuple[Records, Split]:
    random = np.random.default_rng(0)
    labels = random.integers(3, size=70)
    images = (random.integers(128, size=(70, 1, 8, 8)) + 40 * labels[:, None, None, None]).astype(np.uint8)
    rows = np.arange(70)
    return Records(images, labels, ("a", "b", "c")), Split(rows[:50], rows[50:], rows[:0])


def tiny_spec(method: str = "pgd", **training) -> dict:
    settings = {
        "pgd": {"epsilon": 0.05, "steps": 2},
        "trades": {"epsilon": 0.05, "steps": 2},
        "natural": {},
        "distributional": {"coefficient": 0.1, "steps": 2},
    }[method]
    return {
        "architecture": {"name": "wide_resnet", "depth": 10, "width": 1},
        "method": {"class": METHODS[method], "settings": {"name": method, **settings}},
        "training": {
            "epochs": 4,
            "batch_size": 16,
            "optimizer": {"name": "sgd", "learning_rate": 0.05, "weight_decay": 1e-4},
            "schedule": {"name": "one_cycle"},
            "augmentation": {"crop_padding": 1, "horizontal_flip": True},
            "monitor": {"every": 2, "records": 16, "epsilon": 0.05, "steps": 2},
            **training,
        },
        "seed": 3,
    }


def trainer(spec: dict, checkpoint: Path) -> Trainer:
    torch.set_num_threads(1)
    return Trainer(spec, *tiny_records(), checkpoint, torch.device("cpu"), "tiny")


KILLED = """
import os, signal, sys
from pathlib import Path
from test_training import tiny_spec, trainer
training = trainer(tiny_spec(sys.argv[2], optimizer={"name": sys.argv[3], "learning_rate": 0.01}), Path(sys.argv[1]))
loss, steps = training._descend, 0
def descend(*arguments):
    global steps
    steps += 1
    if steps == int(sys.argv[4]):
        os.kill(os.getpid(), getattr(signal, sys.argv[5]))
    return loss(*arguments)
training._descend = descend
training.run()
"""


def stopped(checkpoint: Path, method: str, optimizer: str, step: int, by: str) -> subprocess.CompletedProcess[str]:
    """A training of another process that is sent a signal in one of its steps."""
    command = [sys.executable, "-c", KILLED, str(checkpoint), method, optimizer, str(step), by]
    path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT / "tests")])
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)


def assert_same(one: tuple[torch.nn.Module, pd.DataFrame], other: tuple[torch.nn.Module, pd.DataFrame]) -> None:
    weights = zip(one[0].state_dict().values(), other[0].state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert one[1].to_csv() == other[1].to_csv()


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
    said = f"stopped by {by} after epoch {epoch} of 4 and step {steps + 1} of 4; the same command goes on from there"
    assert said in done.stderr
    resumed = trainer(spec, checkpoint)
    at = resumed.checkpoint.restore(resumed.model, resumed.optimizer, torch.device("cpu"))
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
    again._epoch = None  # would fail if it were called
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
    spec = tiny_spec("natural", epochs=epochs, batch_size=32, augmentation={}, monitor=None)
    spec["training"]["optimizer"] = {"name": "adam", "learning_rate": 0.01}
    spec["architecture"] = {"name": "small_cnn", "width": 8 if verifier == "dual" else 4}
    spec["method"] = {"class": METHODS[method], "settings": {"name": method, **settings}}
    model, _ = Trainer(spec, digits, split, folder / f"{method}.pt", torch.device("cpu"), method).run()
    images, labels = to_device(digits, split.nonmembers, torch.device("cpu"))
    ball = Interval.around(to_pixels(images), radius, clip_pixels=True)
    with torch.no_grad():
        bounds = VERIFIERS[verifier](model.eval(), ball, labels, 2**25)
    return float((bounds.argmax(1) == labels).float().mean())


@pytest.mark.parametrize(
    ("method", "verifier", "epsilon", "epochs", "settings"),
    [
        ("ibp", "interval", 0.05, 30, {"ramp": {"length": 8}}),
        (
            "abstract_interpretation",
            "interval",
            0.05,
            30,
            {"ramp": {"length": 20}, "warmup_epochs": 2, "verified_weight": 1},
        ),
        ("duality", "dual", 0.1, 25, {"projections": 5, "rise_epochs": 8, "starting_epsilon": 0.005}),
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
    descend, count = training._descend, 0

    def poisoned(step, progress):
        nonlocal count
        count += 1
        if count == 6:
            training.model[0].weight.data.fill_(float("nan"))
        return descend(step, progress)

    training._descend = poisoned
    with pytest.raises(
        UserError, match=r"tiny: the loss became nan in epoch 2, batch 3 of 4; lower training\.optimizer"
    ):
        training.run()
    at = training.checkpoint.restore(training.model, training.optimizer, torch.device("cpu"))
    assert at.epoch == 1  # what was good is kept


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
    at = resumed.checkpoint.restore(resumed.model, resumed.optimizer, torch.device("cpu"))
    assert at.epoch == {1: 1, 2: 0}[len(files)] if "c.pt" in files else 2
    assert ("damaged checkpoint (its digest is wrong), removed" in caplog.text) == ("c.pt" in files)
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
    at = training.checkpoint.restore(training.model, training.optimizer, torch.device("cpu"))
    assert (at.epoch, at.steps) == (1, 0)
    assert "on another kind of device, passed over" in caplog.text


def test_a_kill_between_two_files_leaves_the_one_before(tmp_path, monkeypatch):
    training = trainer(tiny_spec(), tmp_path / "c.pt")
    training.checkpoint.save(Position(1), training.model, training.optimizer)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        training.checkpoint.save(Position(2), training.model, training.optimizer)
    assert training.checkpoint.restore(training.model, training.optimizer, torch.device("cpu")).epoch == 1


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    training = trainer(tiny_spec(), tmp_path / "c.pt")
    training.checkpoint.save(Position(1), training.model, training.optimizer)
    before = (tmp_path / "c.pt").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        training.checkpoint.save(Position(2), training.model, training.optimizer)
    assert (tmp_path / "c.pt").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


def test_what_a_killed_process_left_of_a_checkpoint_is_removed(tmp_path):
    left = tmp_path / ".c.pt-abc123"
    left.write_bytes(b"half")
    trainer(tiny_spec(), tmp_path / "c.pt").run()
    assert not left.exists()


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


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


# ---------------------------------------------------------------- what a step sees and does


def scattered_members() -> tuple[Records, Split]:
    """The tiny records, every image another, with members that are not the first rows."""
    records, _ = tiny_records()
    rows = np.random.default_rng(1).permutation(70)
    return records, Split(rows[:50], rows[50:], rows[:0])


class Watched:
    """A method that remembers the images and labels it was shown, and then trains naturally."""

    def __init__(self):
        self.images, self.labels = [], []

    def loss(self, model, images, labels, progress, generator) -> Step:
        self.images.append(images)
        self.labels.append(labels)
        return Natural(name="natural").loss(model, images, labels, progress, generator)


def shown(checkpoint: Path, **training) -> tuple[np.ndarray, np.ndarray]:
    """Pixels from 0 to 255 and labels that two epochs show the method, [2, 50, ...]."""
    settings = {"epochs": 2, "batch_size": 16, "augmentation": {}, "monitor": None, **training}
    watched = Watched()
    training = Trainer(tiny_spec("natural", **settings), *scattered_members(), checkpoint, torch.device("cpu"))
    training.method = watched
    training.run()
    pixels = (255 * torch.cat(watched.images)).round().to(torch.uint8).numpy()
    return pixels.reshape(2, 50, 1, 8, 8), torch.cat(watched.labels).numpy().reshape(2, 50)


def test_an_epoch_shows_each_member_once_with_its_label_and_in_an_order_of_its_own(tmp_path):
    records, split = scattered_members()
    row_of = {image.tobytes(): row for row, image in enumerate(records.images)}
    images, labels = shown(tmp_path / "c.pt")
    orders = [[row_of[image.tobytes()] for image in epoch] for epoch in images]
    assert [sorted(order) for order in orders] == [sorted(split.members)] * 2
    assert all(np.array_equal(seen, records.labels[order]) for seen, order in zip(labels, orders, strict=True))
    assert orders[0] != orders[1]
    assert split.members.tolist() not in orders


def test_an_epoch_draws_its_augmentation_anew(tmp_path):
    """By place in the epoch, since the order is another one each time anyway."""
    records, split = scattered_members()
    images, _ = shown(tmp_path / "c.pt", augmentation={"horizontal_flip": True})
    plain = {image.tobytes() for image in records.images[split.members]}
    mirrored = {image[..., ::-1].tobytes() for image in records.images[split.members]}
    assert {image.tobytes() for epoch in images for image in epoch} <= plain | mirrored
    flips = [[image.tobytes() in mirrored for image in epoch] for epoch in images]
    assert all(10 < sum(flipped) < 40 for flipped in flips)
    assert flips[0] != flips[1]


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
        epochs=3,
        batch_size=50,
        optimizer={"name": "sgd", "learning_rate": 0.2, "momentum": 0.0},
        schedule={"name": "piecewise", "epochs": [1, 2], "factors": [0.5, 0.2]},
        augmentation={},
        monitor=None,
    )
    spec["architecture"] = {"name": "small_cnn", "width": 2}
    records, split = scattered_members()
    training = Trainer(spec, records, split, tmp_path / "c.pt", torch.device("cpu"))
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


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (ConstantScheduleSettings(name="constant"), [1, 1, 1, 1]),
        (PiecewiseScheduleSettings(name="piecewise", epochs=[2.5, 7.5], factors=[0.1, 0.01]), [1, 0.1, 0.1, 0.01]),
        (CosineScheduleSettings(name="cosine"), [1, 0.853553, 0.5, 0.146447]),
        (OneCycleScheduleSettings(name="one_cycle", start=0.2, peak=0.5), [0.2, 0.6, 1.0, 0.5]),
    ],
)
def test_schedules(schedule, expected):
    factors = [schedule_factor(schedule, epoch, epochs=10) for epoch in (0, 2.5, 5, 7.5)]
    assert factors == pytest.approx(expected, abs=1e-6)


def test_the_learning_rate_of_the_schedule_is_the_optimizers(tmp_path):
    settings = {"schedule": {"name": "piecewise", "epochs": [2], "factors": [0.1]}}
    _, history = trainer(tiny_spec("natural", **settings), tmp_path / "c.pt").run()
    assert history.learning_rate.tolist() == pytest.approx([0.05, 0.05, 0.005, 0.005])


def test_a_schedule_moves_with_every_step(tmp_path):
    """The last of an epoch's four steps stands three quarters into it."""
    _, history = trainer(tiny_spec("natural", schedule={"name": "cosine"}), tmp_path / "c.pt").run()
    expected = [0.05 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in (0.75, 1.75, 2.75, 3.75)]
    assert history.learning_rate.tolist() == pytest.approx(expected)


def test_crops_are_windows_of_the_padded_image():
    images = torch.arange(1.0, 3 * 2 * 5 * 4 + 1).view(3, 2, 5, 4)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    seen = set()
    for seed in range(60):
        cropped = augment(images, AugmentationSettings(crop_padding=2), torch.Generator().manual_seed(seed))
        for image, whole in zip(cropped, padded, strict=True):
            matches = [(r, c) for r in range(5) for c in range(5) if torch.equal(image, whole[:, r : r + 5, c : c + 4])]
            assert len(matches) == 1
            seen |= set(matches)
    assert len(seen) == 25


def test_flips_mirror_about_half_of_the_images():
    images = torch.rand(400, 1, 3, 3)
    flipped = augment(images, AugmentationSettings(horizontal_flip=True), torch.Generator().manual_seed(0))
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    assert ((flipped == images).flatten(1).all(1) | mirrored).all()
    assert 160 < mirrored.sum() < 240


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


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (
            {"name": "sgd", "learning_rate": 0.1, "momentum": 0.7, "weight_decay": 0.02},
            {"momentum": 0.7, "weight_decay": 0.02},
        ),
        ({"name": "adam", "learning_rate": 0.1, "weight_decay": 0.03}, {"betas": (0.9, 0.999), "weight_decay": 0.03}),
    ],
)
def test_the_optimizer_has_the_settings_given(tmp_path, optimizer, expected):
    training = trainer(tiny_spec("natural", optimizer=optimizer), tmp_path / "c.pt")
    group = training.optimizer.param_groups[0]
    assert {key: group[key] for key in expected} == expected
    assert type(training.optimizer).__name__.lower() == optimizer["name"]


def test_the_monitor_looks_at_each_side_under_its_own_attack(tmp_path):
    """Non-members with labels of another class: only members can be right; and a wide ball leaves nobody right."""
    records, split = tiny_records()
    labels = records.labels.copy()
    labels[split.nonmembers] = (labels[split.nonmembers] + 1) % 3
    optimizer = {"name": "adam", "learning_rate": 0.01}
    monitor = {"every": 60, "records": 30, "epsilon": 0.4, "steps": 5}
    spec = tiny_spec("natural", epochs=60, augmentation={}, optimizer=optimizer, monitor=monitor)
    wrong = Records(records.images, labels, records.class_names)
    training = Trainer(spec, wrong, split, tmp_path / "c.pt", torch.device("cpu"))
    last = training.run()[1].iloc[-1]
    assert last.member_clean == 1.0
    assert last.nonmember_clean < 0.3
    assert last.member_adversarial < 0.5


def test_a_state_of_other_images_is_not_gone_on_with(tmp_path):
    spec = tiny_spec("natural")
    trainer(spec, tmp_path / "c.pt").run()
    records, split = tiny_records()
    other = Records(255 - records.images, records.labels, records.class_names)
    started_over, _ = Trainer(spec, other, split, tmp_path / "c.pt", torch.device("cpu")).run()
    from_nothing, _ = Trainer(spec, other, split, tmp_path / "d.pt", torch.device("cpu")).run()
    assert torch.equal(next(started_over.parameters()), next(from_nothing.parameters()))


def test_weights_that_blow_up_in_the_last_step_are_no_model(tmp_path):
    optimizer = {"name": "sgd", "learning_rate": 1e38}
    spec = tiny_spec(
        "natural", epochs=1, batch_size=50, optimizer=optimizer, schedule={"name": "constant"}, monitor=None
    )
    spec["architecture"] = {"name": "small_cnn", "width": 2}
    training = trainer(spec, tmp_path / "c.pt")
    descend = training._descend

    def poisoned(step, progress):
        rate = descend(step, progress)
        training.model[0].weight.data.fill_(float("inf"))
        return rate

    training._descend = poisoned
    with pytest.raises(UserError, match="the loss became infinite in epoch 1, batch 1 of 1"):
        training.run()
    assert not (tmp_path / "c.pt").exists()


def test_each_purpose_has_a_seed_of_its_own():
    purposes = [(0, "order", 1), (0, "order", 2), (0, "epoch", 1), (1, "order", 1)]
    assert len({derive_seed(*purpose) for purpose in purposes}) == len(purposes)
