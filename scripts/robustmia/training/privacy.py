"""Differentially private training: DP-SGD (Abadi et al. 2016, arXiv 1607.00133) and what it guarantees.

A step draws each record with one probability, clips the gradient of each image, adds Gaussian noise to the sum, and divides by
the expected number of images (algorithm 1). With adversarial training the gradient is that at the image's adversarial example, which
depends on this image and the weights alone, so that the guarantee is the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from robustmia.errors import UserError
from robustmia.training.settings import PrivacySettings

ORDERS = tuple(range(2, 257))
"""Of Renyi divergence, among which the accountant takes the best."""


def private_gradients(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    settings: PrivacySettings,
    expected: float,
    generator: torch.Generator,
) -> None:
    """Set the gradient of every weight: the noisy mean of the clipped gradients of each image's cross-entropy.

    Args:
        images: [B, C, H, W], on which the model is trained; B may be 0.
        labels: [B].
        settings: noise and clipping.
        expected: the number of images that a batch is expected to have.
        generator: the source of the noise.
    """
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    totals = _clipped_sums(model, weights, images, labels, settings.max_gradient_norm)
    deviation = settings.noise_multiplier * settings.max_gradient_norm
    for name, weight in weights.items():
        noise = torch.randn(weight.shape, generator=generator, device=weight.device)
        weight.grad = (totals[name] + deviation * noise) / expected


def _clipped_sums(
    model: nn.Module, weights: dict[str, nn.Parameter], images: Tensor, labels: Tensor, most: float
) -> dict[str, Tensor]:
    """The sums over images of their gradients, each scaled down to a norm of at most `most`."""
    if not len(images):
        return {name: torch.zeros_like(weight) for name, weight in weights.items()}

    def loss(own: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, own, (image[None],)), label[None])

    detached = {name: weight.detach() for name, weight in weights.items()}
    gradients = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")(detached, images, labels)
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients.values()]).norm(dim=0)
    factors = (most / norms.clamp(min=1e-12)).clamp(max=1.0)
    return {name: torch.tensordot(factors, gradient, dims=1) for name, gradient in gradients.items()}


def require_small_delta(settings: PrivacySettings, members: int) -> None:
    """Raise `UserError` for a delta of 1 / members or more, with which a mechanism may publish a whole record."""
    if settings.delta * members >= 1.0:
        raise UserError(
            f"training.privacy.delta is {settings.delta:g}, which allows to publish one of {members} records; set it well below {1 / members:.1g}"
        )


def require_private(model: nn.Module) -> None:
    """Raise `UserError` for a network whose answer to an image depends on the others of its batch while it is trained."""
    for name, layer in model.named_modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            raise UserError(
                f"training.privacy: the network has batch norm ({name}), which mixes the images of a batch, so that nothing is "
                "guaranteed; take an architecture without"
            )


def spent_epsilon(settings: PrivacySettings, probability: float, steps: int) -> float:
    """Epsilon of (epsilon, delta)-differential privacy after so many steps.

    Renyi divergences of the Gaussian mechanism on a random subset, of whole orders (Mironov, Talwar and Zhang 2019, arXiv 1908.10530,
    section 3.3), added up, and turned into epsilon and delta (Canonne, Kamath and Steinke 2020, arXiv 2004.00010, proposition 12).
    The neighbouring data set lacks one record.

    Args:
        settings: the noise, and delta.
        probability: with which each record is drawn, in (0, 1].
        steps: how many.
    """
    if not steps:
        return 0.0
    delta = settings.delta
    bounds = (
        steps * _renyi_divergence(order, probability, settings.noise_multiplier)
        + math.log1p(-1 / order)
        - math.log(delta * order) / (order - 1)
        for order in ORDERS
    )
    return max(0.0, min(bounds))


@cache
def _renyi_divergence(order: int, probability: float, noise: float) -> float:
    """Of one step."""
    if probability == 1.0:
        return order / (2 * noise**2)
    terms = [
        math.lgamma(order + 1)
        - math.lgamma(k + 1)
        - math.lgamma(order - k + 1)
        + k * math.log(probability)
        + (order - k) * math.log1p(-probability)
        + (k * k - k) / (2 * noise**2)
        for k in range(order + 1)
    ]
    return _log_sum(terms) / (order - 1)


def _log_sum(terms: Sequence[float]) -> float:
    """The logarithm of a sum of exponentials."""
    most = max(terms)
    return most + math.log(sum(math.exp(term - most) for term in terms))
