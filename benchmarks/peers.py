"""Bounds of other projects, whose checkouts are on PYTHONPATH: auto_LiRPA (Xu et al. 2020) and convex_adversarial (Wong et al. 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from robustmia.bounds.interval import Interval


def specification(labels: Tensor, like: Tensor, classes: int) -> Tensor:
    """The rows that make z_k - z_y of logits, [B, K, K]."""
    rows = torch.eye(classes).to(like).repeat(len(labels), 1, 1)
    return rows - one_hot(labels, classes).to(like).unsqueeze(1)


def bounded(network: nn.Module, images: Tensor, **options: Any) -> nn.Module:
    """The network as auto_LiRPA reads it.

    Raises:
        ImportError: auto_LiRPA is not installed.
    """
    from auto_LiRPA import BoundedModule

    return BoundedModule(network, images, bound_opts=options)


def lirpa_bounds(network: nn.Module, ball: Interval, labels: Tensor, classes: int, method: str) -> Tensor:
    """Upper bounds of z_k - z_y, [B, K], of what `bounded` returned, by CROWN or CROWN-Optimized, its alpha-CROWN."""
    from auto_LiRPA import BoundedTensor, PerturbationLpNorm

    region = BoundedTensor(ball.centre, PerturbationLpNorm(norm=np.inf, x_L=ball.low, x_U=ball.high))
    rows = -specification(labels, ball.centre, classes)  # it optimises lower bounds
    return -network.compute_bounds(x=(region,), C=rows, method=method, bound_upper=False)[0].detach()


def convex_adversarial_bounds(
    network: nn.Module, images: Tensor, labels: Tensor, classes: int, epsilon: float
) -> Tensor:
    """Upper bounds of z_k - z_y over a ball that is not cut, [B, K].

    Raises:
        ImportError: convex_adversarial is not installed.
    """
    from convex_adversarial import DualNetwork

    rows = -specification(labels, images, classes)
    return -DualNetwork(network, images, epsilon, bounded_input=False)(rows).detach()
