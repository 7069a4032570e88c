"""Audits of checkpoints: every signal of somebody else's network, nothing executed, and a line for everything that is wrong."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

from helpers import SMALL, checkpoint
from robustmia.audit.checkpoint import audited_network, checkpoint_signals
from robustmia.audit.split import audited_split
from robustmia.data.digits import Digits
from robustmia.errors import UserError
from robustmia.files.signals import VerifiedBounds
from robustmia.models.networks.base import build_network
from robustmia.models.networks.small_cnn import SmallCNN
from robustmia.signals.target_model import TargetModel

DIGITS = Digits(name="digits").load(Path("nowhere"))


def test_a_checkpoint_is_asked_for_every_signal(tmp_path):
    settings = checkpoint(tmp_path, max_records=60)
    audited = checkpoint_signals(settings, DIGITS, threads=1)
    signals, notes = audited.signals, audited.notes
    assert set(signals) == {"benign", "adversarial", "targeted", "verified"}
    assert signals["targeted"].members.shape == (60, 10, 10)
    assert isinstance(signals["verified"], VerifiedBounds)
    assert list(signals["verified"].verifiers) == ["interval", "crown_interval", "crown", "alpha_crown"]
    assert [row for row in audited.rows if row < 100] == audited.rows[:60]
    as_they_are, random_weights = audited.warnings
    assert "pixels in [0, 1]" in as_they_are
    right = (signals["benign"].members.argmax(1) == signals["benign"].member_labels).mean()
    assert f"{100 * right:.1f} % of the members" in as_they_are
    assert "hardly more than chance" in random_weights
    digest = hashlib.sha256((tmp_path / "weights.safetensors").read_bytes()).hexdigest()
    assert digest in notes[0]
    assert "for 1,000 records" in notes[-1]
    assert "None is tighter" in notes[-1]
    for note, name in zip(notes[1:], ("adversarial", "targeted", "verified"), strict=True):
        assert name in note
        assert "0.05" in note
    split = audited_split(settings, DIGITS)
    assert set(split.members) <= set(range(100))
    assert len(set(split.members)) == len(set(split.nonmembers)) == 60
    with torch.no_grad():
        pixels = torch.from_numpy(DIGITS.images[split.members]).float() / 255
        np.testing.assert_allclose(
            signals["benign"].members, audited_network(settings, DIGITS)[0](pixels), rtol=1e-4, atol=1e-5
        )


def test_signals_are_those_that_were_asked_for(tmp_path):
    settings = checkpoint(tmp_path, signals={"benign": {}, "adversarial": {"steps": 1}})
    audited = checkpoint_signals(settings, DIGITS, threads=1)
    signals, notes = audited.signals, audited.notes
    assert set(signals) == {"benign", "adversarial"}
    assert sum("signal" in note for note in notes) == 1


def test_an_attack_towards_each_of_very_many_classes_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("robustmia.audit.checkpoint.MAX_CLASSES", 9)
    audited = checkpoint_signals(checkpoint(tmp_path, max_records=10), DIGITS, threads=1)
    signals, notes = audited.signals, audited.notes
    assert set(signals) == {"benign", "adversarial", "verified"}
    assert any("targeted" in note and "10 classes" in note for note in notes)


def test_the_verified_ball_is_cut_or_not(tmp_path):
    cut, whole = (
        checkpoint_signals(checkpoint(tmp_path, signals=signals), DIGITS, threads=1).signals["verified"].members
        for signals in ({"benign": {}, "verified": {"clip_pixels": clip}} for clip in (True, False))
    )
    assert (cut <= whole + 1e-4).all()
    assert (cut < whole - 1e-3).any()


def test_a_network_that_bounds_do_not_know_has_the_other_signals(tmp_path, monkeypatch):
    (tmp_path / "their_code.py").write_text(
        "from torch import nn\n"
        "def network():\n"
        "    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU(), nn.Flatten(), nn.Linear(72, 10))\n"
        "def fails():\n    raise OSError('no disk')\n"
        "def three():\n    return 3\n"
    )
    monkeypatch.chdir(tmp_path)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU(), nn.Flatten(), nn.Linear(72, 10))
    torch.save(
        {
            "state_dict": {f"module.{k}": v for k, v in network.state_dict().items()},
        },
        tmp_path / "w.pth",
    )
    settings = checkpoint(tmp_path, model="their_code:network", weights=tmp_path / "w.pth")
    audited = checkpoint_signals(settings, DIGITS, threads=1)
    signals, notes = audited.signals, audited.notes
    assert set(signals) == {"benign", "adversarial", "targeted"}
    assert "verified" in notes[-1]
    assert "layer 1 (GELU)" in notes[-1]
    for function, named in (
        ("their_code:fails", "OSError: no disk"),
        ("their_code:three", "int"),
        ("their_code:nobody", "AttributeError"),
        ("nowhere_at_all:network", "ModuleNotFoundError"),
    ):
        with pytest.raises(UserError) as caught:
            audited_network(settings.model_copy(update={"model": function}), DIGITS)
        assert str(caught.value).startswith("model: ")
        assert function in str(caught.value)
        assert named in str(caught.value)


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_nothing_in_a_checkpoint_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError) as caught:
        audited_network(checkpoint(tmp_path, weights=tmp_path / "evil.pth"), DIGITS)
    assert str(caught.value).startswith(f"weights: {tmp_path / 'evil.pth'}")
    np.savez(tmp_path / "evil.npz", members=np.array([Evil()], object), nonmembers=np.arange(3))
    with pytest.raises(UserError) as caught:
        audited_split(checkpoint(tmp_path, split=tmp_path / "evil.npz"), DIGITS)
    assert str(caught.value).startswith(f"{tmp_path / 'evil.npz'}: members ")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_weights_that_cannot_be_read_are_named(tmp_path, content):
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            audited_network(checkpoint(tmp_path, weights=tmp_path / name), DIGITS)
        assert str(caught.value).startswith(f"weights: {tmp_path / name}: ")
        assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_named(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UserError) as caught:
        audited_network(checkpoint(tmp_path, weights=tmp_path / "list.pth"), DIGITS)
    assert str(caught.value).startswith(f"weights: {tmp_path / 'list.pth'}: ")
    with pytest.raises(UserError) as caught:
        audited_network(checkpoint(tmp_path, model=SMALL | {"width": 5}), DIGITS)
    assert str(caught.value).startswith(f"weights: {tmp_path / 'weights.safetensors'}: ")
    assert "\n" not in str(caught.value)


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
    with pytest.raises(UserError) as caught:
        checkpoint_signals(checkpoint(tmp_path, model="odd_code:Odd", weights=tmp_path / "w.pth"), DIGITS, threads=1)
    assert str(caught.value).startswith("model: ")
    assert "\n" not in str(caught.value)


def test_a_model_that_is_too_large_for_the_memory_is_not_taken_for_a_wrong_one(tmp_path, monkeypatch):
    def too_large(*given):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(TargetModel, "of_records", too_large)
    settings = checkpoint(tmp_path)
    network = build_network(SmallCNN(**SMALL), DIGITS.image_shape, 10, seed=0)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(torch.OutOfMemoryError):
        checkpoint_signals(settings, DIGITS, threads=1)


def test_images_that_the_model_does_not_take_are_named(tmp_path):
    network = build_network(SmallCNN(**SMALL), (1, 12, 12), 10, seed=0)
    save_file(network.state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(UserError) as caught:
        checkpoint_signals(checkpoint(tmp_path, weights=tmp_path / "other.safetensors"), DIGITS, threads=1)
    assert str(tmp_path / "other.safetensors") in str(caught.value)
    assert "\n" not in str(caught.value)


THEIR_CODE = """
import torch
from torch import nn

from robustmia.models.networks.base import build_network
from robustmia.models.networks.small_cnn import SmallCNN
from robustmia.signals.target_model import TargetModel


def plain():
    return build_network(SmallCNN(name="small_cnn", width=4), (1, 8, 8), 10, seed=5)


def with_softmax():
    return nn.Sequential(plain(), nn.Softmax(1))


def normalised():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 10))


def normalised_with_softmax():
    return nn.Sequential(normalised(), nn.Softmax(1))


def wide():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 150))


def trained():
    network = plain()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    return network
"""


@pytest.fixture
def their_code(tmp_path, monkeypatch):
    (tmp_path / "theirs.py").write_text(THEIR_CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return import_module("theirs")


@pytest.mark.parametrize(("body", "whole"), [("plain", "with_softmax"), ("normalised", "normalised_with_softmax")])
def test_a_network_that_returns_probabilities_is_noticed_and_answers_as_with_logits(tmp_path, their_code, body, whole):
    """The second has batch normalisation and dropout, which would show that it is not in evaluation mode."""
    torch.manual_seed(0)
    signals = {"benign": {}, "adversarial": {"steps": 3}, "targeted": {"steps": 3}}
    state, found = getattr(their_code, body)().state_dict(), []
    for name, prefix in ((body, ""), (whole, "0.")):
        weights = tmp_path / f"{name}.safetensors"
        save_file({f"{prefix}{key}": value for key, value in state.items()}, weights)
        settings = checkpoint(tmp_path, model=f"theirs:{name}", weights=weights, signals=signals)
        found.append(checkpoint_signals(settings, DIGITS, threads=1))
    logits, probabilities = found
    assert any("probabilities" in warning for warning in probabilities.warnings)
    assert not any("probabilities" in warning for warning in logits.warnings)
    for name in signals:
        centred = [
            audited.signals[name].members - audited.signals[name].members.mean(axis=-1, keepdims=True)
            for audited in (logits, probabilities)
        ]
        np.testing.assert_allclose(*centred, atol=2e-3)


def test_attacks_towards_each_of_many_outputs_are_left_out(tmp_path, their_code):
    save_file(their_code.wide().state_dict(), tmp_path / "wide.safetensors")
    signals = {"benign": {}, "targeted": {"steps": 1}}
    settings = checkpoint(tmp_path, model="theirs:wide", weights=tmp_path / "wide.safetensors", signals=signals)
    audited = checkpoint_signals(settings, DIGITS, threads=1)
    assert "targeted" not in audited.signals
    assert any("each of 150 classes" in note for note in audited.notes)


def test_images_are_normalised_as_the_audit_says(tmp_path):
    settings = checkpoint(tmp_path, mean=[0.25], std=[0.5], signals={"benign": {}})
    audited = checkpoint_signals(settings, DIGITS, threads=1)
    pixels = torch.from_numpy(DIGITS.images[audited.rows[:100]]).float() / 255
    plain = audited_network(checkpoint(tmp_path), DIGITS)[0]
    with torch.no_grad():
        np.testing.assert_allclose(
            audited.signals["benign"].members, plain((pixels - 0.25) / 0.5), rtol=1e-4, atol=1e-5
        )
    assert any("mean 0.25, standard deviation 0.5" in note for note in audited.notes)
    assert not any("pixels in [0, 1]" in warning for warning in audited.warnings)
    with pytest.raises(UserError) as caught:
        audited_network(checkpoint(tmp_path, mean=[0.1] * 3, std=[1.0] * 3), DIGITS)
    assert str(caught.value).startswith("mean: ")


@pytest.mark.parametrize(("mean", "std"), [([125.3], [0.5]), ([0.5], [63.0]), ([-0.1], [0.5])])
def test_a_normalisation_of_pixels_up_to_255_is_refused(tmp_path, mean, std):
    with pytest.raises(ValidationError, match="divide those of pixels from 0 to 255 by 255"):
        checkpoint(tmp_path, mean=mean, std=std)


def test_a_network_that_normalises_by_itself_is_not_warned_of(tmp_path):
    model = SMALL | {"input_mean": [0.25], "input_std": [0.5]}
    weights = {f"body.{name}": value for name, value in load_file(checkpoint(tmp_path).weights).items()}
    save_file(weights, tmp_path / "whole.safetensors")
    settings = checkpoint(tmp_path, model=model, weights=tmp_path / "whole.safetensors", signals={"benign": {}})
    warnings = checkpoint_signals(settings, DIGITS, threads=1).warnings
    assert not any("pixels in [0, 1]" in warning for warning in warnings)


def test_a_function_may_return_a_trained_network(tmp_path, their_code):
    network, notes = audited_network(checkpoint(tmp_path, model="theirs:trained", weights=None), DIGITS)
    plain = audited_network(checkpoint(tmp_path), DIGITS)[0]
    for mine, theirs in zip(plain.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(2 * mine, theirs)
    assert not any("adapted" in note for note in notes)


def test_adapted_weights_are_noted(tmp_path):
    state = {f"module.{name}": value for name, value in load_file(checkpoint(tmp_path).weights).items()}
    torch.save({"model": state, "epoch": 7}, tmp_path / "w.pth")
    _, notes = audited_network(checkpoint(tmp_path, weights=tmp_path / "w.pth"), DIGITS)
    assert "'model'" in notes[1]
    assert "'module.'" in notes[1]


def test_images_on_both_sides_are_warned_of(tmp_path):
    images = DIGITS.images.copy()
    images[150:160] = images[7]
    audited = checkpoint_signals(
        checkpoint(tmp_path, signals={"benign": {}}), replace(DIGITS, images=images), threads=1
    )
    assert any(warning.startswith("10 of 80 non-members") for warning in audited.warnings)


@pytest.mark.parametrize("epsilon", [0.0001, 0.3])
def test_bounds_that_verify_nothing_are_warned_of(tmp_path, epsilon):
    settings = checkpoint(
        tmp_path, signals={"benign": {}, "verified": {}}, threat_model={"norm": "linf", "epsilon": epsilon}
    )
    warnings = checkpoint_signals(settings, DIGITS, threads=1).warnings
    assert any("verify no record" in warning for warning in warnings) == (epsilon == 0.3)


def test_every_record_has_its_name(tmp_path):
    names = np.array([f"scan{row}.png" for row in range(len(DIGITS.labels))])
    audited = checkpoint_signals(checkpoint(tmp_path, signals={"benign": {}}), replace(DIGITS, names=names), threads=1)
    assert audited.names == [f"scan{row}.png" for row in audited.rows]
