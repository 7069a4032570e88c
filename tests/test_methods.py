"""Each method's loss against its formula, written out another way."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy, softmax

from conftest import small_batch, small_network
from robustmia.attacks import Ball, cross_entropy_loss, kl_divergence_from, pgd
from robustmia.methods.base import Progress
from robustmia.methods.distributional import Distributional
from robustmia.methods.natural import Natural
from robustmia.methods.pgd import PGD
from robustmia.methods.trades import TRADES
from robustmia.registry import METHODS, classes

LATE = Progress(epoch=5.0, epochs=10)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_natural_is_clean_cross_entropy():
    model, (images, labels) = small_network(), small_batch()
    step = Natural(name="natural").loss(model, images, labels, LATE, generator())
    torch.testing.assert_close(step.loss, cross_entropy(model(images), labels))
    assert step.adversarial is None


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_is_cross_entropy_on_worse_images(norm):
    model, (images, labels) = small_network(), small_batch()
    step = PGD(name="pgd", norm=norm, epsilon=0.1).loss(model, images, labels, LATE, generator())
    assert step.loss > cross_entropy(model(images), labels)
    torch.testing.assert_close(step.loss, cross_entropy(*step.adversarial))


@pytest.mark.parametrize(("fraction", "count"), [(0.0, 0), (0.25, 2), (0.5, 4), (1.0, 8)])
def test_pgd_attacks_a_fraction_of_the_batch(fraction, count):
    model, (images, labels) = small_network(), small_batch(count=8)
    method = PGD(name="pgd", epsilon=0.2, adversarial_fraction=fraction)
    step = method.loss(model, images, labels, LATE, generator())
    assert (len(step.adversarial[0]) if step.adversarial else 0) == count
    assert (len(step.clean[0]) if step.clean else 0) == 8 - count
    if step.clean:
        torch.testing.assert_close(step.clean[0], model(images[count:]))
    if step.adversarial:
        assert not torch.allclose(step.adversarial[0], model(images[:count]))


def test_pgd_warms_epsilon_up():
    model, (images, labels) = small_network(), small_batch()
    method = PGD(name="pgd", epsilon=0.3, epsilon_warmup_epochs=4.0)
    losses = [
        method.loss(model, images, labels, Progress(epoch, 10), generator()).loss.item() for epoch in (0, 2, 4, 8)
    ]
    assert losses[0] == pytest.approx(cross_entropy(model(images), labels).item())
    assert losses[0] < losses[1] < losses[2] == losses[3]


@pytest.mark.parametrize("detach", [False, True])
def test_trades_is_clean_loss_plus_beta_times_divergence(detach):
    model, (images, labels) = small_network().double(), small_batch()
    images = images.double()
    step = TRADES(name="trades", epsilon=0.1, beta=3.0, detach_clean=detach).loss(
        model, images, labels, LATE, generator()
    )
    gradient = torch.autograd.grad(step.loss, model[0].weight, retain_graph=True)[0]
    p, q = softmax(step.clean[0], 1), softmax(step.adversarial[0], 1)
    if detach:
        p = p.detach()
    divergence = (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(step.loss, cross_entropy(model(images), labels) + 3.0 * divergence)
    expected = torch.autograd.grad(cross_entropy(model(images), labels) + 3.0 * divergence, model[0].weight)[0]
    torch.testing.assert_close(gradient, expected)


def test_trades_finds_a_divergence_larger_than_noise_does():
    model, (images, labels) = small_network(), small_batch(count=64)
    loss = {
        steps: TRADES(name="trades", epsilon=0.1, beta=1.0, steps=steps, step_size=size)
        .loss(model, images, labels, LATE, generator())
        .loss.item()
        for steps, size in ((1, 1e-9), (10, 0.025))
    }
    assert loss[10] > loss[1] + 0.01


def test_distributional_is_cross_entropy_on_moved_images():
    model, (images, labels) = small_network(), small_batch()
    step = Distributional(name="distributional", coefficient=0.05).loss(model, images, labels, LATE, generator())
    assert step.loss > cross_entropy(model(images), labels)
    torch.testing.assert_close(step.loss, cross_entropy(*step.adversarial))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_listed_under_its_own_name_and_trains_parameters(name):
    method_class = dict(zip(METHODS, classes(METHODS), strict=True))[name]
    required = {key: 0.05 for key, field in method_class.model_fields.items() if field.is_required() and key != "name"}
    method = method_class(name=name, **required)
    model, (images, labels) = small_network(), small_batch()
    method.loss(model, images, labels, LATE, generator()).loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


# ---------------------------------------------------------------- settings that must reach the attack


def expected_pgd(norm: str, epsilon: float, *, start: str, objective: str, steps: int = 4) -> torch.Tensor:
    """The adversarial images of the small batch, asked of the attack directly with the same random numbers."""
    model, (images, labels) = small_network(), small_batch()
    objectives = {"cross_entropy": cross_entropy_loss(labels), "kl": kl_divergence_from(model(images).detach())}
    step_size = 2.5 * epsilon / steps
    ball = Ball(norm, epsilon)
    return pgd(
        model, images, objectives[objective], ball, steps=steps, step_size=step_size, start=start, generator=generator()
    )


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("random_start", [False, True])
def test_pgd_attacks_with_its_own_settings(norm, random_start):
    model, (images, labels) = small_network(), small_batch()
    method = PGD(name="pgd", norm=norm, epsilon=0.3, steps=4, random_start=random_start)
    step = method.loss(model, images, labels, LATE, generator())
    start = "uniform" if random_start else "clean"
    torch.testing.assert_close(
        step.adversarial[0], model(expected_pgd(norm, 0.3, start=start, objective="cross_entropy"))
    )


def test_a_warm_up_shrinks_the_steps_with_the_ball():
    model, (images, labels) = small_network(), small_batch()
    method = PGD(name="pgd", epsilon=0.4, steps=4, random_start=False, epsilon_warmup_epochs=8.0)
    step = method.loss(model, images, labels, Progress(2.0, 10), generator())
    expected = expected_pgd("linf", 0.1, start="clean", objective="cross_entropy")
    torch.testing.assert_close(step.adversarial[0], model(expected))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_trades_attacks_the_divergence_from_a_gaussian_start(norm):
    model, (images, labels) = small_network(), small_batch()
    step = TRADES(name="trades", norm=norm, epsilon=0.3, steps=4).loss(model, images, labels, LATE, generator())
    torch.testing.assert_close(step.adversarial[0], model(expected_pgd(norm, 0.3, start="gaussian", objective="kl")))
