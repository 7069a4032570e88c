"""PGD and the distributional perturbation: where they may go, what theory says, and a public implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from helpers import small_batch, small_network
from robustmia.models.perturbations import (
    Ball,
    cross_entropy_loss,
    distributional_perturbation,
    kl_divergence_from,
    margin_loss,
    pgd,
    predict,
)
from robustmia.signals.adversarial import Adversarial

NORMS = ("linf", "l2")


def length(delta: torch.Tensor, norm: str) -> torch.Tensor:
    return delta.flatten(1).norm(dim=1, p=float("inf") if norm == "linf" else 2)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("start", ["clean", "uniform", "gaussian"])
@pytest.mark.parametrize("epsilon", [0.0, 0.05, 0.7])
def test_pgd_stays_in_the_ball_and_among_valid_pixels(norm, start, epsilon):
    model, (images, labels) = small_network(), small_batch(count=32)
    adversarial = pgd(
        model,
        images,
        cross_entropy_loss(labels),
        Ball(norm, epsilon),
        steps=5,
        step_size=0.6 * epsilon,
        start=start,
        generator=torch.Generator().manual_seed(0),
    )
    assert length(adversarial - images, norm).max() <= epsilon + 1e-6
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    if epsilon == 0:
        assert torch.equal(adversarial, images)


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_reaches_the_worst_point_of_a_linear_model(norm):
    """Two classes and a linear network: the worst point moves along the weights' difference by the whole radius."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    images, labels = torch.full((4, 1, 3, 3), 0.5), torch.tensor([0, 1, 0, 1])
    epsilon = 0.1
    adversarial = pgd(
        model, images, cross_entropy_loss(labels), Ball(norm, epsilon), steps=10, step_size=0.03, start="clean"
    )
    weight = model[1].weight.detach()
    away = weight[1 - labels] - weight[labels]
    rise = (away * (adversarial - images).flatten(1)).sum(1)
    dual_norm = away.abs().sum(1) if norm == "linf" else away.norm(dim=1)
    torch.testing.assert_close(rise, epsilon * dual_norm)


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_raises_the_loss(norm):
    model, (images, labels) = small_network(), small_batch(count=64)
    loss = cross_entropy_loss(labels)
    adversarial = pgd(model, images, loss, Ball(norm, 0.1), steps=10, step_size=0.025, start="clean")
    with torch.no_grad():
        assert (loss(model(adversarial)) >= loss(model(images)) - 1e-5).all()
        assert loss(model(adversarial)).mean() > 1.1 * loss(model(images)).mean()


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_equals_the_adversarial_robustness_toolbox(norm):
    from art.attacks.evasion import ProjectedGradientDescent
    from art.estimators.classification import PyTorchClassifier

    model, (images, labels) = small_network().eval(), small_batch(count=32, seed=3)
    epsilon, steps, step_size = (0.08, 12, 0.02) if norm == "linf" else (0.3, 12, 0.06)
    classifier = PyTorchClassifier(
        model, nn.CrossEntropyLoss(), input_shape=(1, 6, 6), nb_classes=4, clip_values=(0.0, 1.0), device_type="cpu"
    )
    theirs = ProjectedGradientDescent(
        classifier,
        norm=np.inf if norm == "linf" else 2,
        eps=epsilon,
        eps_step=step_size,
        max_iter=steps,
        num_random_init=0,
        batch_size=32,
        verbose=False,
    ).generate(images.numpy(), labels.numpy())
    ours = pgd(
        model, images, cross_entropy_loss(labels), Ball(norm, epsilon), steps=steps, step_size=step_size, start="clean"
    )
    assert length(ours - images, norm).max() > 0.9 * epsilon
    torch.testing.assert_close(ours, torch.from_numpy(theirs), atol=2e-5, rtol=0)


def test_an_attack_leaves_mode_statistics_and_gradients_alone():
    model = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(108, 4))
    images, labels = small_batch()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    pgd(model, images, cross_entropy_loss(labels), Ball("linf", 0.1), steps=3, step_size=0.05, start="clean")
    distributional_perturbation(model, images, labels, steps=3, inverse_gamma=0.1)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_predictions_are_those_of_evaluation_mode():
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(36, 4))
    model[0].running_mean.fill_(0.3)
    images, _ = small_batch()
    expected = model.eval()(images)
    model.train()
    torch.testing.assert_close(predict(model, images), expected)
    assert not predict(model, images).requires_grad
    assert model.training
    assert model[0].running_mean == 0.3


def test_results_do_not_depend_on_the_batch():
    model, (images, labels) = small_network(), small_batch(count=6)
    settings = {"ball": Ball("l2", 0.5), "steps": 5, "step_size": 0.2, "start": "clean"}
    together = pgd(model, images, cross_entropy_loss(labels), **settings)
    alone = [pgd(model, images[i : i + 1], cross_entropy_loss(labels[i : i + 1]), **settings) for i in range(6)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_uniform_starts_fill_the_ball(norm):
    centre = torch.full((4000, 1, 2, 2), 0.5)
    points = Ball(norm, 0.3).sample(centre, torch.Generator().manual_seed(0))
    distance = length(points - centre, norm) / 0.3
    assert distance.max() <= 1 + 1e-5
    # In four dimensions the distance r of a uniform point has distribution r^4: its mean is 4/5, its median 2^(-1/4).
    assert distance.mean() == pytest.approx(0.8, abs=0.01)
    assert distance.median() == pytest.approx(2**-0.25, abs=0.01)
    assert (points - centre).mean(dim=0).abs().max() < 0.01


def test_a_gaussian_start_is_a_thousandth_away():
    """The radius of TRADES, seen in the images that the first step asks the network about."""
    model, (images, labels) = small_network(), small_batch(count=64)
    asked = []
    model.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[0].detach()))
    settings = {"steps": 1, "step_size": 0.01, "start": "gaussian", "generator": torch.Generator().manual_seed(0)}
    pgd(model, images, cross_entropy_loss(labels), Ball("linf", 0.1), **settings)
    noise = asked[0] - images
    assert noise.std().item() == pytest.approx(0.001, rel=0.1)
    assert noise.mean().item() == pytest.approx(0, abs=1e-4)


def test_margin_loss_is_the_highest_wrong_logit_minus_the_true_one():
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]])
    assert margin_loss(torch.tensor([0, 2]))(logits).tolist() == [-1.0, 4.0]


def test_kl_divergence_is_that_of_scipy():
    from scipy.special import softmax
    from scipy.stats import entropy

    generator = torch.Generator().manual_seed(0)
    reference, logits = (3 * torch.randn((5, 4), generator=generator, dtype=torch.float64) for _ in range(2))
    expected = entropy(softmax(reference.numpy(), axis=1), softmax(logits.numpy(), axis=1), axis=1)
    np.testing.assert_allclose(kl_divergence_from(reference)(logits), expected, rtol=1e-12)


def test_the_evaluation_attack_is_the_papers_by_default():
    settings = Adversarial(name="adversarial", epsilon=0.1)
    assert (settings.steps, settings.resolved_step_size, settings.random_start) == (20, pytest.approx(0.0125), False)
    model, (images, labels) = small_network(), small_batch()
    ours = settings.attack(model, images, labels, torch.Generator())
    adversarial = images.clone()
    for _ in range(20):  # written out once more, the slow way
        adversarial.requires_grad_()
        nn.functional.cross_entropy(model(adversarial), labels).backward()
        stepped = adversarial.detach() + 0.0125 * adversarial.grad.sign()
        adversarial = torch.clamp(torch.max(torch.min(stepped, images + 0.1), images - 0.1), 0, 1)
    torch.testing.assert_close(ours, adversarial)


def test_restarts_keep_the_worst_attempt_of_each_image():
    model, (images, labels) = small_network(), small_batch(count=64)
    losses = []
    for restarts in (1, 2, 6):
        settings = Adversarial(
            name="adversarial", epsilon=0.2, steps=2, random_start=True, restarts=restarts, loss="margin"
        )
        attacked = settings.attack(model, images, labels, torch.Generator().manual_seed(0))
        losses.append(margin_loss(labels)(predict(model, attacked)))
    assert (losses[1] >= losses[0]).all()
    assert (losses[2] >= losses[1]).all()
    assert (losses[2] > losses[0]).any()


def test_distributional_perturbation_by_hand():
    """One pixel, two classes, one step: x + g - mean |g| sign(g), and the mean runs over the whole batch."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    model[1].weight.data = torch.tensor([[1.0], [-1.0]])
    images, labels = torch.tensor([[[[0.5]]], [[[0.2]]]]), torch.tensor([0, 1])
    moved = distributional_perturbation(model, images, labels, steps=1, inverse_gamma=0.1)
    # d(-log softmax_y)/dx = -2 (1 - p_y) for y = 0 and +2 (1 - p_y) for y = 1, with p_y = sigmoid(+-2 x).
    gradients = [-2 * (1 - 1 / (1 + np.exp(-1.0))), 2 * (1 - 1 / (1 + np.exp(0.4)))]
    moves = 0.1 * np.array(gradients)
    expected = np.array([0.5, 0.2]) + moves - np.abs(moves).mean() * np.sign(moves)
    np.testing.assert_allclose(moved.flatten(), expected, rtol=1e-6)


@pytest.mark.parametrize(("steps", "inverse_gamma"), [(3, 0.3), (6, 0.05)])
def test_distributional_perturbation_over_several_steps(steps, inverse_gamma):
    """A linear network in numpy: dL/dx is (softmax(W x) - e_y) W, and the penalty pulls towards the first image."""
    random = np.random.default_rng(0)
    weight = random.normal(0, 3, (3, 4))
    start, labels = random.random((6, 4)), random.integers(3, size=6)
    expected = start
    for _ in range(steps):
        odds = np.exp(expected @ weight.T)
        gradient = inverse_gamma * (odds / odds.sum(1, keepdims=True) - np.eye(3)[labels]) @ weight
        ascended = expected + gradient
        expected = np.clip(ascended - np.abs(gradient).mean() * np.sign(ascended - start), 0, 1)
    assert (expected == 0).any()
    assert (expected == 1).any()
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)).double()
    model[1].weight.data = torch.from_numpy(weight)
    images = torch.from_numpy(start).view(6, 1, 2, 2)
    moved = distributional_perturbation(
        model, images, torch.from_numpy(labels), steps=steps, inverse_gamma=inverse_gamma
    )
    np.testing.assert_allclose(moved.flatten(1), expected, rtol=1e-12)


def test_distributional_perturbation_moves_further_with_the_inverse_of_gamma():
    model, (images, labels) = small_network(), small_batch(count=32)
    distances = [
        (distributional_perturbation(model, images, labels, steps=10, inverse_gamma=c) - images).abs().max()
        for c in (0.001, 0.01, 0.1)
    ]
    assert distances == sorted(distances)
    assert distances[0] > 0


def test_a_step_has_the_length_asked_for_however_small_the_gradient():
    """Squares of a saturated network's gradients underflow in float32."""
    gradient = torch.full((2, 1, 3, 3), 1e-24)
    gradient[1] = 0.0
    direction = Ball("l2", 1.0).steepest(gradient)
    assert length(direction, "l2").tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("norm", NORMS)
def test_the_evaluation_attack_uses_its_norm(norm):
    model, (images, labels) = small_network(), small_batch(count=16)
    settings = Adversarial(name="adversarial", norm=norm, epsilon=0.2)
    moved = settings.attack(model, images, labels, torch.Generator()) - images
    assert length(moved, norm).max() == pytest.approx(0.2, abs=1e-5)
