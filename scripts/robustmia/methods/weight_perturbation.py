"""Adversarial weight perturbation (Wu, Xia and Wang 2020, arXiv 2004.05884): training at the weights near the model's that do worst."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

Answer = Callable[[Tensor], Tensor]
"""From images [B, C, H, W] to logits [B, K]."""


def with_worst_weights(model: nn.Module, size: float, loss_of: Callable[[Answer], Tensor]) -> Answer:
    """The network with perturbed weights; gradients of what it answers are those of the model's own weights.

    One step is taken along the gradient of the loss, in each layer as long as `size` times the norm of its weights (equations 8 and
    10, with one step and one alternation, as in the paper's experiments). Biases and the scales of batch norm stay as they are.

    Args:
        model: the network.
        size: gamma, the length of a perturbation in norms of the weights; 0: there is none.
        loss_of: from a network to the scalar that the perturbation is to raise.
    """
    if not size:
        return model
    weights = {name: weight for name, weight in model.named_parameters() if weight.dim() > 1}
    gradients = torch.autograd.grad(loss_of(model), list(weights.values()))
    perturbed = {
        name: weight + size * weight.detach().norm() / (gradient.norm() + 1e-12) * gradient
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }
    return lambda images: functional_call(model, perturbed, (images,))
