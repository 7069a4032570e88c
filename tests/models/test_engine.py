"""How networks are run: what bfloat16 may change, and what it may not."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from helpers import small_batch, small_network
from robustmia.bounds.interval import Interval
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.errors import UserError
from robustmia.models import engine
from robustmia.models.engine import Engine, fast_arithmetic, operations
from robustmia.models.networks.base import build_network
from robustmia.models.networks.wide_resnet import WideResNet
from robustmia.models.perturbations import Ball, cross_entropy_loss, pgd, predict
from robustmia.signals.adversarial import Adversarial
from robustmia.signals.benign import Benign
from robustmia.signals.target_model import TargetModel
from robustmia.signals.verified import Verified
from training_helpers import CPU, tiny_records, tiny_spec, trainer

LOW = Engine(precision="bfloat16")
SHAPE = (1, 8, 8)


def gradients(method: str, precision: str, folder: Path) -> torch.Tensor:
    """Of the first step's loss, in all weights of a tiny network."""
    spec = tiny_spec(method, {"name": "small_cnn", "width": 8}, batch_size=64) | {"engine": {"precision": precision}}
    training = trainer(spec, folder / f"{precision}.pt")
    found = []
    training.optimizer.step = lambda: found.append([weight.grad.clone() for weight in training.model.parameters()])
    training.settings = training.settings.model_copy(update={"epochs": 1})
    training.run()
    assert all(gradient.dtype == torch.float32 for gradient in found[0])
    return torch.cat([gradient.flatten() for gradient in found[0]])


@pytest.mark.parametrize("method", ["natural", "pgd", "trades", "distributional"])
def test_steps_in_bfloat16_have_nearly_the_gradient_of_float32(method, tmp_path):
    """TRADES predicts without gradients before it predicts with them: casts of weights that torch keeps from the first must not serve the second."""
    whole, low = (gradients(method, precision, tmp_path) for precision in ("float32", "bfloat16"))
    assert not torch.equal(whole, low)
    assert torch.cosine_similarity(whole, low, dim=0) > 0.995
    assert low.norm().item() == pytest.approx(whole.norm().item(), rel=0.03)


@pytest.mark.parametrize("name", VERIFIERS)
def test_bounds_are_in_float32_whatever_is_around(name):
    model, (images, labels) = small_network(), small_batch(count=4)
    ball = Interval.around(images, 0.05, clip_pixels=True)
    expected = VERIFIERS[name](copy.deepcopy(model), ball, labels, None)
    placed = LOW.place(copy.deepcopy(model), CPU, SHAPE)
    with fast_arithmetic(placed):
        assert torch.equal(VERIFIERS[name](placed, ball, labels, None), expected)
        assert model[0](images).dtype == torch.bfloat16


def test_reported_logits_are_those_of_float32():
    """Adversarial images are found in bfloat16, and are nearly as bad for the model; what it says of them is not."""
    records, split = tiny_records()
    networks = [build_network(WideResNet(name="wide_resnet", depth=10, width=1), SHAPE, 3, seed=0) for _ in range(2)]
    whole, low = (
        TargetModel(network, records, split, CPU, 0, None, engine)
        for network, engine in zip(networks, (Engine(), LOW), strict=True)
    )
    benign = Benign(name="benign")
    assert np.array_equal(whole.logits(benign).members, low.logits(benign).members)
    verified = Verified(name="verified", epsilon=0.01, verifiers="interval")
    assert np.array_equal(whole.logits(verified).members, low.logits(verified).members)
    attack = Adversarial(name="adversarial", epsilon=0.05)
    images, labels = next(whole._batches(split.members))
    generator = torch.Generator()
    found = [attack.attack(target.model, images, labels, generator) for target in (whole, low)]
    assert not torch.equal(*found)
    with torch.no_grad():
        answered = low.logits(attack).members
        np.testing.assert_allclose(answered, whole.model(found[1]), atol=1e-5)
        clean, worst, nearly = (
            nn.functional.cross_entropy(whole.model(some), labels).item() for some in (images, *found)
        )
    assert nearly - clean > 0.9 * (worst - clean)


@pytest.mark.parametrize(
    ("precision", "has", "low"), [("auto", True, True), ("auto", False, False), ("float32", True, False)]
)
def test_auto_asks_the_hardware(precision, has, low, monkeypatch):
    monkeypatch.setattr(engine, "has_bfloat16", lambda device: has)
    settings = Engine(precision=precision)
    network = build_network(WideResNet(name="wide_resnet", depth=10, width=1), (3, 32, 32), 10, seed=0)
    assert isinstance(fast_arithmetic(settings.place(network, CPU, (3, 32, 32))), nullcontext) != low
    assert isinstance(fast_arithmetic(settings.place(small_network(), CPU, SHAPE)), nullcontext)


def test_only_large_images_are_laid_out_with_channels_last():
    """The logits are equal up to rounding."""
    images = torch.rand(4, 3, 32, 32)
    network = build_network(WideResNet(name="wide_resnet", depth=10, width=1), (3, 32, 32), 10, seed=0).eval()
    placed = Engine().place(copy.deepcopy(network), CPU, (3, 32, 32))
    layers = [layer for layer in placed.modules() if isinstance(layer, nn.Conv2d)]
    assert all(layer.weight.is_contiguous(memory_format=torch.channels_last) for layer in layers)
    torch.testing.assert_close(predict(placed, images), predict(network, images), rtol=1e-4, atol=1e-5)
    small = Engine().place(small_network(), CPU, SHAPE)
    assert all(weight.is_contiguous() for weight in small.parameters())


def test_an_attack_leaves_weights_as_they_were(monkeypatch):
    """They need no gradient while it lasts, and need one again if they did, whatever happens."""
    model, (images, labels) = small_network(), small_batch(count=4)
    frozen = next(model.parameters()).requires_grad_(False)
    needed = []

    def project(self: Ball, images: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
        needed.append([weight.requires_grad for weight in model.parameters()])
        if len(needed) == 2:
            raise RuntimeError("in the middle")
        return images

    monkeypatch.setattr(Ball, "project", project)
    with pytest.raises(RuntimeError):
        pgd(model, images, cross_entropy_loss(labels), Ball("linf", 0.1), steps=3, step_size=0.1, start="clean")
    assert not any(map(any, needed))
    assert [weight.requires_grad for weight in model.parameters()] == [
        weight is not frozen for weight in model.parameters()
    ]


def test_a_compiled_network_is_attacked_and_trained_alike(monkeypatch):
    """Compiled by torch's own tracer without the compiler behind it, which takes a minute."""
    monkeypatch.setattr(
        nn.Module,
        "compile",
        lambda self: setattr(self, "_compiled_call_impl", torch.compile(self._call_impl, backend="eager")),
    )
    plain, (images, labels) = small_network(), small_batch(count=8)
    compiled = Engine(compile=True).place(copy.deepcopy(plain), CPU, SHAPE)
    attacked = [
        pgd(model, images, cross_entropy_loss(labels), Ball("linf", 0.1), steps=3, step_size=0.05, start="clean")
        for model in (plain, compiled)
    ]
    torch.testing.assert_close(*attacked)
    for model in (plain, compiled):
        nn.functional.cross_entropy(model(images), labels).backward()
    for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    assert list(plain.state_dict()) == list(compiled.state_dict())


def test_operations_of_a_network():
    """Two for each product of a convolution's or a matrix's weight."""
    network = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(5 * 64, 10))
    before = copy.deepcopy(network.state_dict())
    assert operations(network, (3, 8, 8)) == 2 * (64 * 5 * 3 * 9 + 5 * 64 * 10)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("device", "images", "compiled"), [("cuda", 5_000_000, True), ("cuda", 5_000, False), ("cpu", 5_000_000, False)]
)
def test_auto_compiles_long_trainings_on_gpus(device, images, compiled):
    """The paper's network for CIFAR-10 on its 25,000 members for 200 epochs, or for a fifth of one."""
    with torch.device("meta"):
        network = WideResNet(name="wide_resnet", depth=28, width=10).layers((3, 32, 32), 10)
    assert Engine(compile="auto")._compiles(network, torch.device(device), (3, 32, 32), images) == compiled
    assert not Engine()._compiles(network, torch.device(device), (3, 32, 32), images)


def test_compiling_without_a_compiler_is_refused(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError) as caught:
        Engine(compile=True).place(small_network(), CPU, SHAPE)
    assert "engine.compile" in str(caught.value)
    assert "g++" in str(caught.value)
