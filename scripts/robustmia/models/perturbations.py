"""Projected gradient descent in l-inf and l2 balls, and the perturbation of distributionally robust training.

Images are [B, C, H, W] with pixels in [0, 1], logits [B, K], labels [B]. Attacks run the network in evaluation mode, so
that they neither use nor move the statistics of batch normalisation, and leave no gradient on its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, one_hot

from robustmia.models.device import Generators, draw
from robustmia.models.engine import fast_arithmetic
from robustmia.models.ensemble import mean_of_each
from robustmia.settings import Norm

Objective = Callable[[Tensor], Tensor]
"""From logits [B, K] to what is maximised for each image, [B]."""
Start = Literal["clean", "uniform", "gaussian"]

GAUSSIAN_START_STD = 0.001  # of TRADES: the divergence has no gradient at the clean image itself


# ---------------------------------------------------------------- what is maximised


def cross_entropy_loss(labels: Tensor) -> Objective:
    """-log softmax(z)_y of each image."""
    return lambda logits: cross_entropy(logits, labels, reduction="none")


def targeted_loss(targets: Tensor) -> Objective:
    """log softmax(z)_t of each image, so that ascent leads towards its target class."""
    return lambda logits: -cross_entropy(logits, targets, reduction="none")


def margin_loss(labels: Tensor) -> Objective:
    """max over k != y of z_k - z_y (Carlini and Wagner 2017): above 0 once misclassified; its gradient does not vanish."""

    def margin(logits: Tensor) -> Tensor:
        true_class = one_hot(labels, logits.shape[1]).bool()
        return logits.masked_fill(true_class, -torch.inf).amax(1) - logits[true_class]

    return margin


def kl_divergence_from(reference: Tensor) -> Objective:
    """KL(softmax(reference) || softmax(z)) of each image, for reference logits [B, K]."""
    target = log_softmax(reference, 1)
    return lambda logits: kl_div(log_softmax(logits, 1), target, reduction="none", log_target=True).sum(1)


# ---------------------------------------------------------------- where it is searched


@dataclass(frozen=True)
class Ball:
    """The images within `epsilon` of others in a norm, intersected with the valid pixels [0, 1]."""

    norm: Norm
    epsilon: float

    def project(self, images: Tensor, centre: Tensor) -> Tensor:
        """The point of the ball for each image.

        In the l2 norm images are clipped to valid pixels and then pulled into the norm's ball, as in the code of TRADES: the other way
        round they would be clipped to less than the radius, and attacks were weaker by up to 1 % of the loss on digits. Pulling
        moves no pixel away from the centre, which is valid itself, so the result is inside both. In the l-inf norm the order makes no
        difference.
        """
        if self.norm == "linf":
            delta = (images - centre).clamp(-self.epsilon, self.epsilon)
        else:
            delta = images.clamp(0.0, 1.0) - centre
            length = _l2_norm(delta)
            delta = delta * (self.epsilon / length.clamp(min=torch.finfo(delta.dtype).tiny)).clamp(max=1.0)
        return (centre + delta).clamp(0.0, 1.0)

    def steepest(self, gradient: Tensor) -> Tensor:
        """The direction of unit norm along which a linear function with this gradient rises most."""
        if self.norm == "linf":
            return gradient.sign()
        largest = gradient.abs().flatten(1).amax(1).view(-1, 1, 1, 1)
        scaled = gradient / largest.clamp(min=torch.finfo(gradient.dtype).tiny)  # whose squares do not underflow
        return scaled / _l2_norm(scaled).clamp(min=torch.finfo(gradient.dtype).tiny)

    def sample(self, centre: Tensor, generator: Generators) -> Tensor:
        """One uniform point of the norm's ball around each image, clipped to valid pixels."""
        if self.norm == "linf":
            delta = draw(torch.rand, centre.shape, generator, centre.device) * 2.0 - 1.0
        else:
            direction = draw(torch.randn, centre.shape, generator, centre.device)
            radius = draw(torch.rand, (len(centre), 1, 1, 1), generator, centre.device)
            delta = self.steepest(direction) * radius ** (1.0 / centre[0].numel())
        return (centre + self.epsilon * delta).clamp(0.0, 1.0)


def _l2_norm(images: Tensor) -> Tensor:
    return images.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


# ---------------------------------------------------------------- how it is searched


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode within the block, whatever the mode around it."""
    training = model.training
    model.train(False)
    try:
        yield
    finally:
        model.train(training)


@contextmanager
def under_attack(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, the arithmetic of the model's engine, and weights for which no gradient is prepared."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    with evaluation_mode(model), fast_arithmetic(model):
        try:
            for weight in weights:
                weight.requires_grad_(False)
            yield
        finally:
            for weight in weights:
                weight.requires_grad_()


@torch.no_grad()
def predict(model: nn.Module, images: Tensor) -> Tensor:
    """Logits in evaluation mode, without a gradient."""
    with evaluation_mode(model):
        return model(images)


@torch.enable_grad()
def _gradient(model: nn.Module, images: Tensor, objective: Objective) -> Tensor:
    images = images.detach().requires_grad_()
    return torch.autograd.grad(objective(model(images)).sum(), images)[0]


def pgd(
    model: nn.Module,
    images: Tensor,
    objective: Objective,
    ball: Ball,
    *,
    steps: int,
    step_size: float,
    start: Start,
    generator: Generators | None = None,
) -> Tensor:
    """Projected gradient ascent (Madry et al. 2018, section 2.1); returns the last iterate, [B, C, H, W] in [0, 1].

    Each step goes `step_size` along the direction of steepest ascent in the ball's norm, back into the ball, and back to
    valid pixels.

    Args:
        start: `clean`; `uniform` in the ball; or `gaussian`, the clean image with normal noise of standard deviation 0.001 (TRADES).
        generator: needed by the two random starts, on the images' device.
    """
    if not len(images):
        return images
    if start != "clean" and generator is None:
        raise ValueError(f"the {start} start needs a generator")
    adversarial = images
    if start == "uniform":
        assert generator is not None
        adversarial = ball.sample(images, generator)
    elif start == "gaussian":
        assert generator is not None
        noise = draw(torch.randn, images.shape, generator, images.device)
        adversarial = images + GAUSSIAN_START_STD * noise
    with under_attack(model):
        for _ in range(steps):
            gradient = _gradient(model, adversarial, objective)
            adversarial = ball.project(adversarial + step_size * ball.steepest(gradient), images)
    return adversarial


def distributional_perturbation(
    model: nn.Module, images: Tensor, labels: Tensor, *, steps: int, inverse_gamma: float
) -> Tensor:
    """Ascent on the loss minus an l-inf transport cost (Sinha et al. 2018), as Song et al. trained with.

    With g = dL/dx_t / gamma and m the mean of |g| over the whole batch,
    x_{t+1} = clip(x_t + g - m sign(x_t + g - x_0), 0, 1). There is no ball: each step is pulled back by m, and only the
    valid pixels limit the distance.

    Two properties of this step come from the paper's code and are kept. m is a mean over the batch, so an image's move depends on
    the other images in its batch. And a pixel with |g| < m is pulled back by more than it was moved, through its clean value to the
    other side, that is, against the gradient: for some images the loss falls (42 % of the members of a model that was trained so on
    digits).
    """
    moved = images
    with under_attack(model):
        for _ in range(steps):
            gradient = inverse_gamma * _gradient(model, moved, cross_entropy_loss(labels))
            ascended = moved + gradient
            pull = mean_of_each(model, gradient.abs())
            moved = (ascended - pull * (ascended - images).sign()).clamp(0.0, 1.0)
    return moved
