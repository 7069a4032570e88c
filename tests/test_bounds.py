"""Bounds against theory, sampled and attacked points, and an independent implementation. Everything in float64."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.utils._python_dispatch import TorchDispatchMode

from robustmia.attacks import Ball, margin_loss, pgd
from robustmia.bounds.dual import cauchy, dual_bounds, median, projected_dual_bounds
from robustmia.bounds.graph import COPIES, Graph
from robustmia.bounds.interval import Interval, interval_bounds, logit_bounds, margins_of
from robustmia.bounds.relaxation import parallel_band
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.errors import UserError
from robustmia.models import build_network

IMAGE, CLASSES = (2, 6, 5), 4
ROUNDING = 1e-11  # of float64, relative to logits of about 1 to 100
POINTS, EXAMPLES = 2500, 60

# ---------------------------------------------------------------- networks


class Residual(nn.Module):
    """Somebody else's network: functions and operators in place of modules, and an identity and a convolved shortcut."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.third = nn.Conv2d(3, 4, 3, stride=2, padding=1, groups=1)
        self.shortcut = nn.Conv2d(3, 4, 1, stride=2)
        self.pool = nn.AdaptiveAvgPool2d((2, 1))
        self.last = nn.Linear(8, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = relu(self.first(images))
        y = self.second(x)
        y += x
        y = torch.relu(y)
        return self.last(self.pool(self.third(y) + self.shortcut(y)).relu().flatten(1))


class Twice(nn.Module):
    """A value that is added to itself, layers that are passed twice, and a sum of three."""

    def __init__(self):
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(60, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.convolution(images).relu()
        y = self.convolution(x + x).relu()
        return self.linear(torch.flatten(y + x + images, start_dim=1))


def dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(60, 14), nn.ReLU(), nn.Linear(14, 9), nn.ReLU(), nn.Linear(9, CLASSES))


def convolutional() -> nn.Module:
    layers = [nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 4, stride=2, padding=1, dilation=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(5 * 3 * 2, 8), nn.ReLU(), nn.Linear(8, CLASSES, bias=False))


def pooled() -> nn.Module:
    layers = [nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2, padding=1), nn.Dropout(0.5)]
    return nn.Sequential(
        *layers, nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, CLASSES)
    )


def headless() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, CLASSES, (4, 3)), nn.Flatten())


def wide_resnet() -> nn.Module:
    architecture = {"name": "wide_resnet", "depth": 10, "width": 1, "input_mean": [0.4, 0.5], "input_std": [0.3, 0.2]}
    return build_network(architecture, IMAGE, CLASSES, seed=0)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "dense": dense,
    "convolutional": convolutional,
    "pooled": pooled,
    "residual": Residual,
    "twice": Twice,
    "headless": headless,
    "wide_resnet": wide_resnet,
}


def network(kind: str, seed: int) -> nn.Module:
    """Random weights, biases and statistics of batch normalisation, large enough for ReLUs of either sign."""
    generator = torch.Generator().manual_seed(seed)
    model = NETWORKS[kind]().double().eval()
    for parameter in model.parameters():
        fan_in = max(1, parameter[0].numel()) if parameter.dim() > 1 else 4
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * (2 / fan_in) ** 0.5
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = 0.5 * torch.randn(module.running_mean.shape, generator=generator).double()
            module.running_var = 0.5 + torch.rand(module.running_var.shape, generator=generator).double()
    return model


def batch(seed: int, count: int = 3) -> tuple[Tensor, Tensor]:
    """Images with pixels at both ends too, and labels."""
    generator = torch.Generator().manual_seed(seed)
    images = (1.4 * torch.rand((count, *IMAGE), generator=generator).double() - 0.2).clamp(0, 1)
    return images, torch.randint(CLASSES, (count,), generator=generator)


def bounds_of(model: nn.Module, ball: Interval, labels: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        return {name: verifier(model, ball, labels, None) for name, verifier in VERIFIERS.items()}


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


@given(low=st.floats(-5, 5), width=st.floats(0, 5), where=st.floats(0, 1))
@settings(derandomize=True, deadline=None)
def test_the_band_holds_relu(low, width, where):
    low, high = torch.tensor(low).double(), torch.tensor(low).double() + width
    slope, half = parallel_band(low, high)
    z = low + where * (high - low)
    assert slope * z - 1e-12 <= z.relu() <= slope * z + 2 * half + 1e-12
    if low >= 0 or high <= 0:
        assert half == 0


@pytest.mark.parametrize(("low", "high"), [(float("nan"), 1.0), (-1.0, float("nan")), (float("nan"), float("nan"))])
def test_a_band_of_what_is_not_a_number_is_not_a_number(low, high):
    """And never a ReLU that is taken to be off."""
    slope, _ = parallel_band(torch.tensor(low), torch.tensor(high))
    assert slope.isnan()


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
    is x1 / 4 + 7 x2 / 4 + ..., at most -1/32 + (1/4 + 7/4) / 4 + 2 (1/8) + 3/32 = 0.8125.
    """
    images, labels = torch.full((1, 1, 1, 2), 0.5).double(), torch.tensor([0])
    ball = Interval.around(images, 0.25, clip_pixels=True)
    expected = {"interval": 1.0, "zonotope": 0.8125, "interval_dual": 0.8125, "dual": 0.8125}
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


@pytest.mark.parametrize("name", ["zonotope", "interval_dual", "dual"])
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


# ---------------------------------------------------------------- relations


@settings(max_examples=30, deadline=None, derandomize=True)
@given(kind=st.sampled_from(list(NETWORKS)), seed=st.integers(0, 2**20), epsilon=st.floats(0.001, 0.5))
def test_a_zonotope_is_never_looser_than_an_interval(kind, seed, epsilon):
    model, (images, labels) = network(kind, seed), batch(seed)
    bounds = bounds_of(model, Interval.around(images, epsilon, clip_pixels=True), labels)
    assert (bounds["zonotope"] <= bounds["interval"] + ROUNDING * (1 + bounds["interval"].abs())).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_without_an_unstable_relu_relational_bounds_are_exact_and_agree(kind):
    """The network is linear in so small a ball; an interval may still be looser."""
    model, (images, labels) = network(kind, 6), batch(6)
    epsilon = 1e-9
    bounds = bounds_of(model, Interval.around(images, epsilon, clip_pixels=False), labels)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda image: model(image.unsqueeze(0))[0]))(images).flatten(2)
    rows = jacobian - jacobian[torch.arange(3), labels].unsqueeze(1)
    expected = (margins_of(model(images), labels) + epsilon * rows.abs().sum(2)).detach()
    for name in ("zonotope", "interval_dual", "dual"):
        torch.testing.assert_close(bounds[name], expected, rtol=1e-12, atol=1e-12, msg=name)
    assert (bounds["interval"] >= expected - 1e-12).all()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(kind=st.sampled_from(list(NETWORKS)), seed=st.integers(0, 2**20), clip=st.booleans())
def test_interval_bounds_rise_with_epsilon(kind, seed, clip):
    model, (images, labels) = network(kind, seed), batch(seed)
    rising = [interval_bounds(model, Interval.around(images, e, clip), labels) for e in (0, 0.01, 0.03, 0.1, 0.3, 1.0)]
    for smaller, larger in pairwise(rising):
        assert (smaller <= larger + ROUNDING * (1 + larger.abs())).all()


def test_bounds_of_one_slope_do_not_always_rise_with_epsilon():
    """relu(z) - 0.15 z at z = -4: the band's slope grows from 0.1 to 0.14 as the ball does, and with it the lower side at its
    upper end. So a verified accuracy need not fall with epsilon, except under intervals.
    """
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    model[1].weight.data, model[1].bias.data = torch.ones(2, 1).double(), torch.tensor([0.0, 100]).double()
    model[3].weight.data, model[3].bias.data = torch.tensor([[0, 0], [-1, 0.15]]).double(), torch.zeros(2).double()
    image, label = torch.full((1, 1, 1, 1), -4.0).double(), torch.tensor([0])
    for name in ("interval_dual", "dual"):
        smaller, larger = (
            VERIFIERS[name](model, Interval.around(image, e, clip_pixels=False), label, None)[0, 1] for e in (5.0, 5.5)
        )
        assert smaller > larger, name


@pytest.mark.parametrize("kind", ["dense", "convolutional", "residual"])
def test_cutting_the_ball_to_valid_pixels_never_loosens_an_interval(kind):
    model, (images, labels) = network(kind, 7), batch(7)
    cut, whole = (interval_bounds(model, Interval.around(images, 0.2, clip), labels) for clip in (True, False))
    assert (cut <= whole + ROUNDING).all()
    assert (cut < whole - 1e-3).any()


def test_a_ball_is_cut_where_pixels_end():
    ball = Interval.around(torch.tensor([0.0, 0.05, 0.5, 1.0]), 0.1, clip_pixels=True)
    torch.testing.assert_close(ball.low, torch.tensor([0.0, 0.0, 0.4, 0.9]))
    torch.testing.assert_close(ball.high, torch.tensor([0.1, 0.15, 0.6, 1.0]))


# ---------------------------------------------------------------- Cauchy projections


def test_cauchy_numbers_have_the_scale_asked_for():
    numbers = cauchy(torch.tensor([[0.5, 2.0]]).double(), 40_000, torch.Generator().manual_seed(0))
    assert numbers.abs().median(0).values[0].tolist() == pytest.approx([0.5, 2.0], rel=0.03)
    assert numbers.median(0).values[0].tolist() == pytest.approx([0.0, 0.0], abs=0.05)


@pytest.mark.parametrize("count", [9, 10, 50])
def test_the_median_estimates_the_norm_whether_the_count_is_even_or_odd(count):
    numbers = cauchy(torch.full((40_000,), 3.0).double(), count, torch.Generator().manual_seed(0)).abs()
    assert median(numbers).tolist() == np.median(numbers.numpy(), axis=0).tolist()
    assert median(numbers).median().item() == pytest.approx(3.0, rel=0.04)


@pytest.mark.parametrize("kind", ["dense", "convolutional", "residual", "pooled"])
def test_projections_converge_to_the_exact_norms(kind):
    model, (images, labels) = network(kind, 8), batch(8)
    ball = Interval.around(images, 0.05, clip_pixels=True)
    with torch.no_grad():
        exact = dual_bounds(model, ball, labels)
        spread = (exact - margins_of(model(images), labels)).abs().mean()
        errors = [
            ((projected_dual_bounds(model, ball, labels, count, torch.Generator().manual_seed(1)) - exact) / spread)
            .abs()
            .mean()
            for count in (11, 20_001)
        ]
    assert errors[1] < 0.03
    assert errors[1] < errors[0]


# ---------------------------------------------------------------- numbers and memory


def projected(model: nn.Module, ball: Interval, labels: Tensor, memory: None) -> Tensor:
    return projected_dual_bounds(model, ball, labels, 6, torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", [*VERIFIERS, "projected"])
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


@pytest.mark.parametrize("name", VERIFIERS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_bound_does_not_depend_on_the_batch_or_the_memory(name, kind):
    model, (images, labels) = network(kind, 10), batch(10, count=7)
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


@pytest.mark.parametrize("name", VERIFIERS)
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


@pytest.mark.parametrize("name", ["zonotope", "interval_dual", "dual"])
def test_the_memory_setting_bounds_every_tensor_that_is_made(name):
    """With room for 6 errors or rows of one image at once, of 60 pixels, 120 units and 20 classes."""
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
    model.extend([nn.Flatten(), nn.Linear(120, 20)]).double()
    images, labels = batch(12, count=4)
    ball = Interval.around(images, 0.05, clip_pixels=True)
    at_once = COPIES * 120 * 8 * 6
    sizes = {}
    for memory in (at_once, None):
        with torch.no_grad(), Largest() as largest:
            VERIFIERS[name](model, ball, labels, memory)
        sizes[memory] = largest.size
    assert sizes[at_once] <= max(
        at_once / COPIES, 20 * 120 * 8
    )  # the last layer's weight, for a zonotope's and a row's difference
    assert sizes[None] > at_once


def test_bounds_leave_the_network_as_it_was():
    model, (images, labels) = network("pooled", 13).train(), batch(13)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bounds_of(model, Interval.around(images, 0.1, clip_pixels=True), labels)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_graph_is_read_once_and_never_stale():
    model, (images, labels) = network("dense", 14), batch(14)
    ball = Interval.around(images, 0.1, clip_pixels=True)
    before = interval_bounds(model, ball, labels)
    assert Graph.of(model) is Graph.of(model)
    model[1].weight.data *= 2
    assert not torch.allclose(interval_bounds(model, ball, labels), before)


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


# ---------------------------------------------------------------- what a bound does not know


class Squared(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return (images * images).flatten(1)


class Pair(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images.flatten(1), images.relu().flatten(1)


class Branching(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images if images.sum() > 0 else -images


class Misread(nn.Module):
    """A network whose graph would be another than it seems, in one of several ways."""

    def __init__(self, body: Callable[[Misread, Tensor], Tensor]):
        super().__init__()
        self.body = body
        self.convolution, self.linear, self.other = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(60, 4), nn.Linear(60, 4)
        self.rectified = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        return self.body(self, images)

    def shortcut(self, images: Tensor) -> Tensor:
        x = self.convolution(images)
        return self.linear((self.rectified(x) + x).flatten(1))

    def statement(self, images: Tensor) -> Tensor:
        x = self.convolution(images)
        relu(x, inplace=True)
        return self.linear(x.flatten(1))

    def view(self, images: Tensor) -> Tensor:
        x = self.convolution(images)
        y = x.flatten(1)
        x.relu_()
        return self.linear(y)

    def sum_in_place(self, images: Tensor) -> Tensor:
        x = self.convolution(images)
        y = x.add_(images)
        return self.linear((x + y).flatten(1))

    def unused_branch(self, images: Tensor) -> Tensor:
        x = images.flatten(1)
        self.other(x)
        return self.linear(x)

    def weighted_sum(self, images: Tensor) -> Tensor:
        return self.linear(torch.add(self.convolution(images), images, alpha=3).flatten(1))

    def by_keyword(self, images: Tensor) -> Tensor:
        return self.linear(self.convolution(input=images).flatten(1))

    def part(self, images: Tensor) -> Tensor:
        return self.linear(images[:, :, 0].flatten(1))


class Shifted(nn.Module):
    def forward(self, images: Tensor, shift: float = 0.0) -> Tensor:
        return (images + shift).flatten(1)


@pytest.mark.parametrize("name", ["dual", "interval_dual", "zonotope"])
def test_a_sum_of_different_shapes_is_refused(name):
    class Broadcast(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool, self.linear = nn.AdaptiveAvgPool2d(1), nn.Linear(60, 4)

        def forward(self, images: Tensor) -> Tensor:
            return self.linear((images + self.pool(images)).flatten(1))

    images, labels = batch(15, count=2)
    with pytest.raises(UserError, match="sum of two layers of different shapes"):
        VERIFIERS[name](Broadcast().double(), Interval.around(images, 0.1, clip_pixels=True), labels, 2**20)


@pytest.mark.parametrize("verifier", VERIFIERS.values(), ids=VERIFIERS)
@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.Flatten()), r"layer 1 \(MaxPool2d\)"),
        (nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(60, 4), nn.Sigmoid())), r"layer 1\.1 \(Sigmoid\)"),
        (nn.Sequential(nn.Conv2d(2, 3, 3, padding="same"), nn.Flatten()), r"layer 0 \(Conv2d\) with padding 'same'"),
        (nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False)), r"layer 0 \(BatchNorm2d\) with no running"),
        (nn.Sequential(nn.Flatten(2), nn.Linear(30, 4)), r"layer 0 \(Flatten\)"),
        (Squared(), r"layer mul"),
        (Pair(), r"does not return its last layer alone"),
        (Branching(), r"cannot be read as a graph of layers"),
        (Misread(Misread.shortcut), r"value that layer rectified has changed in place"),
        (Misread(Misread.statement), r"value that layer relu has changed in place"),
        (Misread(Misread.view), r"value that layer relu_ has changed in place"),
        (Misread(Misread.sum_in_place), r"value that layer add_ has changed in place"),
        (Misread(Misread.unused_branch), r"last layer does not take the layer before it"),
        (Misread(Misread.weighted_sum), r"layer add \("),
        (Misread(Misread.by_keyword), r"layer convolution \(Conv2d\)"),
        (Misread(Misread.part), r"layer getitem"),
        (Shifted(), r"takes shift beside the images"),
    ],
    ids=lambda given: None if isinstance(given, str) else type(given).__name__,
)
def test_a_layer_that_is_not_known_is_named(verifier, model, named):
    images, labels = torch.rand(2, *IMAGE), torch.tensor([0, 1])
    with pytest.raises(UserError, match=named):
        verifier(model, Interval.around(images, 0.1, clip_pixels=True), labels, None)
