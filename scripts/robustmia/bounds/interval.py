"""Interval bounds: the box of each layer's outputs, with the last linear layer applied to differences of logits at once.

Gowal et al. 2018 (arXiv 1810.12715), section 3; the Box domain of Mirman, Gehr and Vechev 2018 (ICML).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustmia.bounds.activations import Nonlinear
from robustmia.bounds.layers import Affine, Joint
from robustmia.bounds.tracing import read_graph
from robustmia.models.engine import float32_arithmetic


@dataclass(frozen=True)
class Interval:
    """All values within `radius` of `centre`, each by itself; both [B, ...]."""

    centre: Tensor
    radius: Tensor

    @classmethod
    def between(cls, low: Tensor, high: Tensor) -> Interval:
        """From its two ends."""
        return cls(0.5 * (low + high), 0.5 * (high - low))

    @classmethod
    def around(cls, images: Tensor, epsilon: float, clip_pixels: bool) -> Interval:
        """The l-inf ball of radius epsilon around images [B, C, H, W] in [0, 1], cut to valid pixels if asked for."""
        if clip_pixels:
            return cls.between((images - epsilon).clamp(min=0.0), (images + epsilon).clamp(max=1.0))
        return cls(images, torch.full_like(images, epsilon))

    @property
    def low(self) -> Tensor:
        return self.centre - self.radius

    @property
    def high(self) -> Tensor:
        return self.centre + self.radius

    def split(self, images: int) -> list[Interval]:
        """The same in parts of so many images."""
        return [Interval(*part) for part in zip(self.centre.split(images), self.radius.split(images), strict=True)]

    def affine(self, layer: Affine) -> Interval:
        """A c + b and |A| r."""
        return Interval(layer(self.centre), layer.absolute(self.radius))

    def nonlinear(self, layer: Nonlinear, node: int) -> Interval:
        """The layer is monotone, so its values lie between those of both ends."""
        return Interval.between(layer(self.low), layer(self.high))

    def joint(self, layer: Joint, others: list[Interval]) -> Interval:
        """Sums and concatenations of both parts."""
        parts = [self, *others]
        return Interval(layer(*(part.centre for part in parts)), layer(*(part.radius for part in parts)))


def margins_of(logits: Tensor, labels: Tensor) -> Tensor:
    """z_k - z_y, for logits [..., B, K] and labels [B]."""
    return logits - logits.gather(-1, labels.expand(logits.shape[:-1]).unsqueeze(-1))


def margin_rows(weight: Tensor, labels: Tensor) -> Tensor:
    """w_k - w_y for each image and class, [B, K, D], from the last layer's weight [K, D] and labels [B]; 0 at k = y."""
    return weight - weight[labels].unsqueeze(1)


def margin_bounds(hidden: Interval, weight: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
    """Upper bounds of (w_k - w_y) h + b_k - b_y for h in an interval of the last hidden layer, [B, K]."""
    centre = margins_of(hidden.centre @ weight.t() + bias, labels)
    return centre + torch.einsum("bkd,bd->bk", margin_rows(weight, labels).abs(), hidden.radius)


def interval_bounds(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None = None) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y: with the last hidden layer in [c - r, c + r] they are
    (w_k - w_y) c + b_k - b_y + |w_k - w_y| r (Gowal et al. 2018, section 3).

    Differentiable in the network's weights. Batch normalisation is taken in evaluation mode.

    Args:
        network: maps images [B, C, H, W] to logits [B, K].
        ball: the images allowed, from `Interval.around`.
        labels: [B], in 0..K-1.
        memory: as the other bounds take it; this one needs no more than two forward passes and is not split.

    Raises:
        UserError: the network has a layer that the bounds do not know.
    """
    graph = read_graph(network, ball.centre)
    with float32_arithmetic(labels.device):
        hidden = graph.propagate(ball)
        return margin_bounds(hidden, *graph.head(hidden.centre), labels)


def logit_bounds(network: nn.Module, ball: Interval) -> Interval:
    """The box of the logits themselves, centre and radius [B, K], the last layer not elided (Mirman et al. 2018)."""
    graph = read_graph(network, ball.centre)
    with float32_arithmetic(ball.centre.device):
        hidden = graph.propagate(ball)
        weight, bias = graph.head(hidden.centre)
        return Interval(hidden.centre @ weight.t() + bias, hidden.radius @ weight.abs().t())
