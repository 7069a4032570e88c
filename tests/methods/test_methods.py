"""Each method's loss against its formula, written out another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import conv2d, cross_entropy, one_hot, softmax

from helpers import refused, small_batch, small_network
from robustmia.bounds.crown import dual_bounds
from robustmia.bounds.interval import Interval, interval_bounds
from robustmia.bounds.projections import projected_dual_bounds
from robustmia.config.registry import METHODS, classes
from robustmia.methods.abstract_interpretation import AbstractInterpretation
from robustmia.methods.base import EpsilonSchedule, Progress
from robustmia.methods.distributional import Distributional
from robustmia.methods.duality import Duality
from robustmia.methods.ibp import IBP
from robustmia.methods.natural import Natural
from robustmia.methods.pgd import PGD
from robustmia.methods.trades import TRADES
from robustmia.models.perturbations import Ball, cross_entropy_loss, kl_divergence_from, pgd

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
    method = PGD(name="pgd", epsilon=0.3, epsilon_schedule=EpsilonSchedule(rise_epochs=4.0))
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
    step = Distributional(name="distributional", inverse_gamma=0.05).loss(model, images, labels, LATE, generator())
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
    method = PGD(
        name="pgd", epsilon=0.4, steps=4, random_start=False, epsilon_schedule=EpsilonSchedule(rise_epochs=8.0)
    )
    step = method.loss(model, images, labels, Progress(2.0, 10), generator())
    expected = expected_pgd("linf", 0.1, start="clean", objective="cross_entropy")
    torch.testing.assert_close(step.adversarial[0], model(expected))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_trades_attacks_the_divergence_from_a_gaussian_start(norm):
    model, (images, labels) = small_network(), small_batch()
    step = TRADES(name="trades", norm=norm, epsilon=0.3, steps=4).loss(model, images, labels, LATE, generator())
    torch.testing.assert_close(step.adversarial[0], model(expected_pgd(norm, 0.3, start="gaussian", objective="kl")))


# ---------------------------------------------------------------- verifiable defenses


def lower_and_upper_logits(low: torch.Tensor, high: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Interval bounds of the small network's logits, from lower and upper ends and the two signs of the weights."""
    convolution, _, _, linear = small_network()
    positive, negative = convolution.weight.clamp(min=0), convolution.weight.clamp(max=0)
    upper = conv2d(high, positive, convolution.bias, padding=1) + conv2d(low, negative, padding=1)
    lower = conv2d(low, positive, convolution.bias, padding=1) + conv2d(high, negative, padding=1)
    low, high = lower.clamp(min=0).flatten(1), upper.clamp(min=0).flatten(1)
    positive, negative = linear.weight.clamp(min=0), linear.weight.clamp(max=0)
    return low @ positive.T + high @ negative.T + linear.bias, high @ positive.T + low @ negative.T + linear.bias


def elided_bounds(low: torch.Tensor, high: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Interval bounds of z_k - z_y of the small network: its last layer replaced by differences of rows, for each image."""
    convolution, _, _, linear = small_network()
    positive, negative = convolution.weight.clamp(min=0), convolution.weight.clamp(max=0)
    upper = (conv2d(high, positive, convolution.bias, padding=1) + conv2d(low, negative, padding=1)).clamp(min=0)
    lower = (conv2d(low, positive, convolution.bias, padding=1) + conv2d(high, negative, padding=1)).clamp(min=0)
    rows = []
    for least, most, y in zip(lower.flatten(1), upper.flatten(1), labels, strict=True):
        weight, bias = linear.weight - linear.weight[y], linear.bias - linear.bias[y]
        rows.append(weight.clamp(min=0) @ most + weight.clamp(max=0) @ least + bias)
    return torch.stack(rows)


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize(("epoch", "risen"), [(3.0, 0.25), (6.0, 1.0)])
def test_ibp_weighs_clean_and_worst_logits(clip, epoch, risen):
    model, (images, labels) = small_network(), small_batch()
    schedule = EpsilonSchedule(start_epoch=2.0, rise_epochs=4.0)
    method = IBP(name="ibp", epsilon=0.2, clip_pixels=clip, epsilon_schedule=schedule, nominal_weight=0.4)
    step = method.loss(model, images, labels, Progress(epoch, 10), generator())
    ends = (0.0, 1.0) if clip else (-torch.inf, torch.inf)
    bounds = elided_bounds((images - 0.2 * risen).clamp(*ends), (images + 0.2 * risen).clamp(*ends), labels)
    torch.testing.assert_close(step.verified[0], bounds, rtol=1e-4, atol=1e-4)
    weight = 0.6 * risen
    expected = (1 - weight) * cross_entropy(model(images), labels) + weight * cross_entropy(bounds, labels)
    torch.testing.assert_close(step.loss, expected, rtol=1e-4, atol=1e-4)


def test_ibp_begins_as_natural_training():
    model, (images, labels) = small_network(), small_batch()
    method = IBP(name="ibp", epsilon=0.2, epsilon_schedule=EpsilonSchedule(start_epoch=2.0, rise_epochs=4.0))
    step = method.loss(model, images, labels, Progress(1.9, 10), generator())
    torch.testing.assert_close(step.loss, cross_entropy(model(images), labels))
    assert step.verified is None


@pytest.mark.parametrize("rises", [False, True])
@pytest.mark.parametrize("clip", [False, True])
def test_abstract_interpretation_adds_the_worst_margin_of_separate_logits(clip, rises):
    model, (images, labels) = small_network(), small_batch()
    method = AbstractInterpretation(
        name="abstract_interpretation",
        epsilon=0.04,
        clip_pixels=clip,
        epsilon_schedule=EpsilonSchedule(rise_epochs=8.0),
        clean_epochs=3.0,
        verified_weight=0.7,
        weight_rises=rises,
    )
    step = method.loss(model, images, labels, Progress(4.0, 10), generator())
    ends = (0.0, 1.0) if clip else (-torch.inf, torch.inf)
    low, high = lower_and_upper_logits((images - 0.02).clamp(*ends), (images + 0.02).clamp(*ends))
    worst = torch.stack(
        [max(u[k] - low_y[y] for k in range(4) if k != y) for low_y, u, y in zip(low, high, labels, strict=True)]
    )
    robust = torch.log1p(worst.clamp(min=-1.0).exp()).mean()
    weight = 0.35 if rises else 0.7  # half of the rise is done
    expected = (cross_entropy(model(images), labels) + weight * robust) / (1 + weight)
    torch.testing.assert_close(step.loss, expected, rtol=1e-4, atol=1e-4)
    assert (worst < -1).any() or (worst > -1).all()
    early = method.loss(model, images, labels, Progress(2.9, 10), generator())
    torch.testing.assert_close(early.loss, cross_entropy(model(images), labels))
    assert early.verified is None


def test_abstract_interpretation_ignores_margins_that_are_wide_enough():
    """max(-1, ...): where every margin is verified by more than 1, only the clean loss has a gradient."""
    model, (images, labels) = small_network(), small_batch()
    labels = model(images).argmax(1)
    model[3].weight.data *= 50
    model[3].bias.data *= 50
    ahead = model(images).topk(2).values.diff(dim=1)[:, 0].abs() > 5
    images, labels = images[ahead], labels[ahead]
    method = AbstractInterpretation(name="abstract_interpretation", epsilon=1e-5, verified_weight=1.0)
    step = method.loss(model, images, labels, LATE, generator())
    softplus = torch.log1p(torch.tensor(-1.0).exp())
    torch.testing.assert_close(step.loss, (cross_entropy(model(images), labels) + softplus) / 2)


@pytest.mark.parametrize("projections", [None, 5])
def test_duality_is_cross_entropy_of_the_dual_bounds(projections):
    model, (images, labels) = small_network(), small_batch()
    method = Duality(name="duality", epsilon=0.1, projections=projections)
    step = method.loss(model, images, labels, LATE, generator())
    ball = Interval.around(images, 0.1, clip_pixels=True)
    if projections is None:
        expected = dual_bounds(model, ball, labels)
    else:
        expected = projected_dual_bounds(model, ball, labels, projections, generator())
    torch.testing.assert_close(step.loss, cross_entropy(expected, labels))
    assert step.clean is None


def test_each_verifiable_method_names_its_own_verifier():
    methods = [
        IBP(name="ibp", epsilon=0.1),
        AbstractInterpretation(name="abstract_interpretation", epsilon=0.1),
        Duality(name="duality", epsilon=0.1),
        PGD(name="pgd", epsilon=0.1),
    ]
    assert [method.verifier for method in methods] == ["interval", "interval", "dual", None]


def test_bounds_in_training_are_of_evaluation_mode():
    """Batch normalisation's statistics are those of the forward pass, whatever the mode of the network."""
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten(), torch.nn.Linear(32, 4)
    )
    images, labels = small_batch()
    model.train()(images)
    ball = Interval.around(images, 0.1, clip_pixels=True)
    in_training = interval_bounds(model.train(), ball, labels)
    torch.testing.assert_close(in_training, interval_bounds(model.eval(), ball, labels))


@pytest.mark.parametrize(
    ("method", "name"), [(IBP, "ibp"), (AbstractInterpretation, "abstract_interpretation"), (Duality, "duality")]
)
def test_methods_that_train_with_bounds_take_no_l2_ball(method, name):
    assert method(name=name, epsilon=0.1, norm="linf").norm == "linf"
    with refused("norm", "linf", error=ValidationError):
        method(name=name, epsilon=0.1, norm="l2")


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_trades_warms_epsilon_up_too(norm):
    """Before the rise its images are the clean ones: a Gaussian start is pulled back into a ball of radius 0."""
    model, (images, labels) = small_network(), small_batch()
    method = TRADES(name="trades", norm=norm, epsilon=0.4, steps=4, epsilon_schedule=EpsilonSchedule(rise_epochs=8.0))
    step = method.loss(model, images, labels, Progress(2.0, 10), generator())
    torch.testing.assert_close(step.adversarial[0], model(expected_pgd(norm, 0.1, start="gaussian", objective="kl")))
    first = method.loss(model, images, labels, Progress(0.0, 10), generator())
    torch.testing.assert_close(first.adversarial[0], model(images))


# ---------------------------------------------------------------- countermeasures against leakage and robust overfitting


@pytest.mark.parametrize(
    "method", [Natural(name="natural", label_smoothing=0.2), PGD(name="pgd", epsilon=0.0, label_smoothing=0.2)]
)
def test_label_smoothing_spreads_a_part_of_each_label(method):
    model, (images, labels) = small_network(), small_batch()
    logits = model(images)
    spread = 0.8 * one_hot(labels, 4) + 0.2 / 4
    expected = -(spread * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(method.loss(model, images, labels, LATE, generator()).loss, expected)


@pytest.mark.parametrize(("name", "extra"), [("pgd", {}), ("trades", {"beta": 3.0})])
def test_the_variance_of_losses_is_added(name, extra):
    """DeMem: by the formula of numpy, for the adversarial images."""
    model, (images, labels) = small_network(), small_batch()
    plain, penalised = (
        {"pgd": PGD, "trades": TRADES}[name](name=name, epsilon=0.1, loss_variance=weight, **extra).loss(
            model, images, labels, LATE, generator()
        )
        for weight in (0.0, 0.4)
    )
    logits = penalised.adversarial[0].detach().double().numpy()
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]
    assert (penalised.loss - plain.loss).item() == pytest.approx(0.4 * losses.var(ddof=1), rel=1e-4)


@pytest.mark.parametrize(("fraction", "count"), [(0.5, 4), (0.0, 0)])
def test_the_variance_is_that_of_adversarial_images_alone(fraction, count):
    model, (images, labels) = small_network(), small_batch()
    plain, penalised = (
        PGD(name="pgd", epsilon=0.1, loss_variance=weight, adversarial_fraction=fraction).loss(
            model, images, labels, LATE, generator()
        )
        for weight in (0.0, 0.4)
    )
    expected = 0.0
    if count:
        logits = penalised.adversarial[0].detach().double().numpy()
        expected = (np.log(np.exp(logits).sum(1)) - logits[np.arange(count), labels[:count]]).var(ddof=1)
    assert (penalised.loss - plain.loss).item() == pytest.approx(0.4 * expected, rel=1e-4, abs=1e-7)


def test_the_losses_of_a_batch_of_one_have_no_variance():
    model, (images, labels) = small_network(), small_batch()
    method = PGD(name="pgd", epsilon=0.1, loss_variance=0.4)
    assert torch.isfinite(method.loss(model, images[:1], labels[:1], LATE, generator()).loss)


@pytest.mark.parametrize("method", [PGD, TRADES])
def test_weights_are_perturbed_as_by_adding_and_subtracting(method):
    """The gradient is that of the model whose weights were moved in place, as in the authors' description; the model's stay."""
    size, (images, labels) = 0.02, small_batch()
    model = small_network()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    settings = {"name": method.model_fields["name"].annotation.__args__[0], "epsilon": 0.1}
    method(**settings, weight_perturbation=size).loss(model, images, labels, LATE, generator()).loss.backward()
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name])

    moved = small_network()
    adversarial = adversarial_images(method(**settings), model, images, labels)

    def loss() -> torch.Tensor:
        if method is PGD:
            return cross_entropy(moved(adversarial), labels)
        clean, perturbed = moved(images), moved(adversarial)
        divergence = (softmax(clean, 1) * (clean.log_softmax(1) - perturbed.log_softmax(1))).sum(1).mean()
        return cross_entropy(clean, labels) + divergence

    loss().backward()
    with torch.no_grad():
        for weight in moved.parameters():
            if weight.dim() > 1:
                weight += size * weight.norm() * weight.grad / weight.grad.norm()
            weight.grad = None
    loss().backward()
    for (name, weight), other in zip(model.named_parameters(), moved.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, other.grad, rtol=1e-3, atol=1e-5, msg=name)


def adversarial_images(method, model, images, labels) -> torch.Tensor:
    """What a method trains on, seen by a network that keeps its last input but one, or last."""
    seen = []
    handle = model.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    method.loss(model, images, labels, LATE, generator())
    handle.remove()
    return seen[-1]
