"""Bounds against theory, sampled and attacked points, and an independent implementation. Everything in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bound_networks import CLASSES, NETWORKS, ROUNDING, batch, bounds_of, network
from robustmia.bounds.crown import COPIES, dual_bounds
from robustmia.bounds.interval import Interval, logit_bounds, margins_of
from robustmia.bounds.projections import projected_dual_bounds
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.models.perturbations import Ball, margin_loss, pgd

NOT_OPTIMISED = [name for name in VERIFIERS if name != "alpha_crown"]
RELATIONAL = [name for name in VERIFIERS if name != "interval"]

POINTS, EXAMPLES = 2500, 60

# ---------------------------------------------------------------- soundness


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(list(NETWORKS)),
    seed=st.integers(0, 2**20),
    epsilon=st.sampled_from([0.003, 0.02, 0.1, 0.4]),
    clip=st.booleans(),
)
def test_no_point_of_the_ball_is_outside_any_bound(kind, seed, epsilon, clip):
    """60 networks x 3 images x 2,500 random points and corners, 450,000 in all, and those that PGD finds for each class."""
    model, (images, labels) = network(kind, seed), batch(seed)
    ball = Interval.around(images, epsilon, clip)
    points = torch.cat([sampled(ball, seed), attacked(model, images, labels, epsilon)])
    with torch.no_grad():
        logits = model(points.flatten(0, 1)).unflatten(0, points.shape[:2])
    highest = margins_of(logits, labels).amax(0)
    for name, bounds in bounds_of(model, ball, labels).items():
        excess = highest - bounds
        assert excess.max() <= ROUNDING * (1 + bounds.abs().max()), f"{name}: {excess.max():.3g} above its bound"
        assert (bounds[torch.arange(len(labels)), labels].abs() <= ROUNDING).all(), name


def sampled(ball: Interval, seed: int) -> Tensor:
    """Uniform points and corners of the ball, [P, B, C, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    unit = 2 * torch.rand((POINTS, *ball.centre.shape), generator=generator).double() - 1
    unit[::2] = unit[::2].sign()
    return ball.centre + unit * ball.radius


def attacked(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """What PGD finds for each margin, and for the largest."""
    objectives = [lambda z, k=k: z[:, k] - z.gather(1, labels[:, None])[:, 0] for k in range(CLASSES)]
    options = {"ball": Ball("linf", epsilon), "steps": 10, "step_size": epsilon / 4, "start": "clean"}
    return torch.stack([pgd(model, images, objective, **options) for objective in [*objectives, margin_loss(labels)]])


# ---------------------------------------------------------------- known answers


def two_layers() -> nn.Module:
    """z = (x1 + x2 - 1, x1 - x2 + 1/4), logits (0, 2 relu(z1) - relu(z2))."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    model[1].weight.data, model[1].bias.data = (
        torch.tensor([[1.0, 1], [1, -1]]).double(),
        torch.tensor([-1, 0.25]).double(),
    )
    model[3].weight.data, model[3].bias.data = torch.tensor([[0.0, 0], [2, -1]]).double(), torch.zeros(2).double()
    return model


def test_a_network_worked_out_by_hand():
    """x within 1/4 of (1/2, 1/2): z1 in [-1/2, 1/2], z2 in [-1/4, 3/4].

    Interval: 2 (1/2) - 0 = 1. Band: relu(z1) = z1 / 2 + 1/8 +- 1/8 and relu(z2) = 3 z2 / 4 + 3/32 +- 3/32, so the margin
    is x1 / 4 + 7 x2 / 4 + ..., at most -1/32 + (1/4 + 7/4) / 4 + 2 (1/8) + 3/32 = 0.8125. CROWN: relu(z1) <= z1 / 2 + 1/4 and
    relu(z2) >= z2, so the margin is at most 2 x2 - 3/4 <= 3/4; a lower slope a < 1 of z2 gives 1 - a / 4.
    """
    images, labels = torch.full((1, 1, 1, 2), 0.5).double(), torch.tensor([0])
    ball = Interval.around(images, 0.25, clip_pixels=True)
    expected = {"interval": 1.0, "dual": 0.8125, "crown_interval": 0.75, "crown": 0.75, "alpha_crown": 0.75}
    for name, bounds in bounds_of(two_layers(), ball, labels).items():
        assert bounds[0].tolist() == pytest.approx([0.0, expected[name]], abs=1e-15), name
    box = logit_bounds(two_layers(), ball)
    assert (box.low[0].tolist(), box.high[0].tolist()) == ([0.0, -0.75], [0.0, 1.0])


@pytest.mark.parametrize("clip", [False, True])
def test_bounds_of_a_linear_network_are_its_maxima(clip):
    images, labels = batch(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(60, CLASSES)).double()
    ball = Interval.around(images, 0.3, clip)
    rows = model[1].weight - model[1].weight[labels].unsqueeze(1)
    low, high = ball.low.flatten(1).unsqueeze(1), ball.high.flatten(1).unsqueeze(1)
    expected = torch.maximum(rows * low, rows * high).sum(2) + model[1].bias - model[1].bias[labels].unsqueeze(1)
    for name, bounds in bounds_of(model, ball, labels).items():
        torch.testing.assert_close(bounds, expected.detach(), rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("name", RELATIONAL)
def test_relational_bounds_are_exact_through_several_linear_layers(name):
    """Where an interval forgets what two layers share."""
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, 2), nn.Flatten(), nn.Linear(24, CLASSES)).double()
    images, labels = batch(4)
    ball = Interval.around(images, 0.1, clip_pixels=True)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda image: model(image.unsqueeze(0))[0]))(images).flatten(2)
    rows = jacobian - jacobian[torch.arange(3), labels].unsqueeze(1)
    expected = margins_of(model(ball.centre), labels) + (rows.abs() * ball.radius.flatten(1).unsqueeze(1)).sum(2)
    bounds = bounds_of(model, ball, labels)
    torch.testing.assert_close(bounds[name], expected.detach(), rtol=0, atol=1e-12)
    assert (bounds["interval"] > expected + 1e-3).any()


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_ball_of_radius_0_is_the_image(kind):
    model, (images, labels) = network(kind, 5), batch(5)
    with torch.no_grad():
        expected = margins_of(model(images), labels)
    for name, bounds in bounds_of(model, Interval.around(images, 0.0, clip_pixels=False), labels).items():
        torch.testing.assert_close(bounds, expected, rtol=1e-12, atol=1e-12, msg=name)


@pytest.mark.parametrize("kind", [kind for kind in NETWORKS if kind not in ("spelled", "smooth")])
def test_without_an_unstable_relu_relational_bounds_are_exact_and_agree(kind):
    """The network is linear in so small a ball; an interval may still be looser."""
    model, (images, labels) = network(kind, 6), batch(6)
    epsilon = 1e-9
    bounds = bounds_of(model, Interval.around(images, epsilon, clip_pixels=False), labels)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda image: model(image.unsqueeze(0))[0]))(images).flatten(2)
    rows = jacobian - jacobian[torch.arange(3), labels].unsqueeze(1)
    expected = (margins_of(model(images), labels) + epsilon * rows.abs().sum(2)).detach()
    for name in set(RELATIONAL) & set(bounds):
        torch.testing.assert_close(bounds[name], expected, rtol=1e-12, atol=1e-12, msg=name)
    assert (bounds["interval"] >= expected - 1e-12).all()


# ---------------------------------------------------------------- numbers and memory


def projected(model: nn.Module, ball: Interval, labels: Tensor, memory: None) -> Tensor:
    return projected_dual_bounds(model, ball, labels, 6, torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", [*NOT_OPTIMISED, "projected"])
@pytest.mark.parametrize("kind", ["dense", "convolutional", "pooled", "residual"])
def test_gradients_agree_with_finite_differences(name, kind):
    model, (images, labels) = network(kind, 9), batch(9, count=2)
    ball = Interval.around(images, 0.05, clip_pixels=True)
    names = [name for name, parameter in model.named_parameters() if parameter.numel() <= 60]

    class Bounds(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self):
            return (VERIFIERS | {"projected": projected})[name](self.model, ball, labels, None)

    module = Bounds()

    def bounds(*parameters: Tensor) -> Tensor:
        given_names = (f"model.{parameter}" for parameter in names)
        return torch.func.functional_call(module, dict(zip(given_names, parameters, strict=True)), ())

    parameters = [model.get_parameter(parameter).detach().requires_grad_() for parameter in names]
    assert torch.autograd.gradcheck(bounds, parameters, eps=1e-7, atol=1e-5, rtol=1e-4, nondet_tol=1e-12)


@pytest.mark.parametrize("name", NOT_OPTIMISED)
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_bound_does_not_depend_on_the_batch_or_the_memory(name, kind):
    model, (images, labels) = network(kind, 10), batch(10, count=3)
    ball = Interval.around(images, 0.05, clip_pixels=True)
    with torch.no_grad():
        whole = VERIFIERS[name](model, ball, labels, None)
        alone = [
            VERIFIERS[name](model, part, label, None)
            for part, label in zip(ball.split(1), labels.split(1), strict=True)
        ]
        torch.testing.assert_close(torch.cat(alone), whole, rtol=1e-12, atol=1e-12)
        for memory in (1, 20_000, 200_000):
            torch.testing.assert_close(VERIFIERS[name](model, ball, labels, memory), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NOT_OPTIMISED)
@pytest.mark.parametrize("kind", NETWORKS)
def test_float32_bounds_are_those_of_float64_rounded(name, kind):
    model, (images, labels) = network(kind, 11), batch(11)
    ball = Interval.around(images, 0.05, clip_pixels=True)
    with torch.no_grad():
        exact = VERIFIERS[name](model, ball, labels, None)
        rounded = VERIFIERS[name](model.float(), Interval(ball.centre.float(), ball.radius.float()), labels, None)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().max() <= 1e-5 * exact.abs().max()


class Largest(TorchDispatchMode):
    """Watches the size of every tensor that is made, in bytes."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        made = function(*arguments, **(options or {}))
        if isinstance(made, Tensor) and made._base is None:
            self.size = max(self.size, made.numel() * made.element_size())
        return made


@pytest.mark.parametrize("name", ["dual", "crown"])
def test_the_memory_setting_bounds_every_tensor_that_is_made(name):
    """With room for 6 functions of one image at once, of 60 pixels, 120 units and 20 classes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
    model.extend([nn.Flatten(), nn.Linear(120, 20)]).double()
    images, labels = batch(12, count=4)
    ball = Interval.around(images, 0.5, clip_pixels=True)
    limit, sizes = COPIES * 120 * 8 * 6, {}
    for memory in (limit, None):
        with torch.no_grad(), Largest() as largest:
            VERIFIERS[name](model, ball, labels, memory)
        sizes[memory] = largest.size
    matrix, last_weights = 120 * 120 * 8, 4 * 20 * 120 * 8  # of the second convolution, and of the margins
    assert sizes[limit] <= max(matrix, last_weights) < sizes[None]


def test_bounds_leave_the_network_as_it_was():
    model, (images, labels) = network("pooled", 13).train(), batch(13)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bounds_of(model, Interval.around(images, 0.1, clip_pixels=True), labels)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


# ---------------------------------------------------------------- an independent implementation


@pytest.mark.filterwarnings("ignore:\\s*This estimator does not support networks which have dense layers:UserWarning")
def test_dual_and_interval_bounds_agree_with_an_independent_implementation():
    """The Adversarial Robustness Toolbox has DeepZ, whose zonotopes are the dual bounds in another form, and interval bounds."""
    from art.estimators.certification.deep_z import PytorchDeepZ
    from art.estimators.certification.interval import PyTorchIBPClassifier

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.relu1 = nn.Conv2d(1, 4, 3, stride=1), nn.ReLU()
            self.conv2, self.relu2 = nn.Conv2d(4, 6, 3, stride=2), nn.ReLU()
            self.linear1, self.relu3, self.linear2 = nn.Linear(24, 12), nn.ReLU(), nn.Linear(12, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
            return self.linear2(self.relu3(self.linear1(torch.flatten(x, 1))))

    torch.manual_seed(0)
    model = Plain().eval()
    images = 0.05 + 0.9 * torch.rand(4, 1, 8, 8)  # the toolbox fails where a ball has to be cut
    labels = torch.tensor([0, 3, 1, 4])
    ball = Interval.around(images, 0.03, clip_pixels=True)
    about = {"loss": nn.CrossEntropyLoss(), "input_shape": (1, 8, 8), "nb_classes": 5, "clip_values": (0, 1)}
    zonotopes = PytorchDeepZ(model, **about)
    with torch.no_grad():
        ours, boxes = dual_bounds(model, ball, labels), logit_bounds(model, ball)
    for image, label, bounds in zip(images.numpy(), labels.tolist(), ours.numpy(), strict=True):
        centre, errors = zonotopes.predict_zonotopes(image[None], 0.03, training_mode=False)
        centre, errors = centre[0][0], errors[0]
        theirs = centre - centre[label] + np.abs(errors - errors[:, [label]]).sum(0)
        np.testing.assert_allclose(bounds, theirs, rtol=1e-4, atol=1e-5)
    intervals = PyTorchIBPClassifier(model, **about)
    theirs = intervals.predict_intervals(images.numpy(), bounds=0.03)
    np.testing.assert_allclose(boxes.low.numpy(), theirs[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(boxes.high.numpy(), theirs[:, 1], rtol=1e-4, atol=1e-5)
