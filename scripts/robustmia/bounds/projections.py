"""Estimates of dual bounds by Cauchy projections, for training (Wong et al. 2018, arXiv 1805.12514).

With one slope for both lines of each ReLU a network is affine in independent errors: those of the pixels, with the radii of the ball,
and one of each ReLU, with half the distance of its lines. Its values lie within the l1 norm of their coefficients, which is estimated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from robustmia.bounds.activations import Nonlinear
from robustmia.bounds.backward import Relaxed
from robustmia.bounds.crown import UNLIMITED, linear_margins
from robustmia.bounds.interval import Interval
from robustmia.bounds.layers import Affine, Joint
from robustmia.bounds.tracing import read_graph
from robustmia.errors import UserError
from robustmia.models.engine import float32_arithmetic


@dataclass(frozen=True)
class _Sketch:
    """The centre, and P random combinations of all errors, [P, B, ...], with independent Cauchy weights.

    A combination of errors with coefficients a is Cauchy with scale ||a||_1, and so is the sum of the sketches of two sets of
    errors, whose coefficients it joins. The median of its P absolute values estimates that norm (Li, Hastie and Church
    2007; Wong et al. 2018, section 3.2, who sketch the pixels and each ReLU apart, which has somewhat less variance for more work).
    Of an even number of them it is the lower of both middle ones, as in their code: the mean of |Cauchy| numbers' higher order
    statistics is so large that for few projections every other choice that was tried biases the loss more (docs/bounds.md).
    """

    value: Tensor
    projections: Tensor
    relaxed: Relaxed
    generator: torch.Generator

    def affine(self, layer: Affine) -> _Sketch:
        projections = layer.linear(self.projections.flatten(0, 1)).unflatten(0, self.projections.shape[:2])
        return _Sketch(layer(self.value), projections, self.relaxed, self.generator)

    def nonlinear(self, layer: Nonlinear, node: int) -> _Sketch:
        inputs = Interval(self.value, estimated_norm(self.projections))
        lines = layer.lines(inputs.low, inputs.high).parallel()
        if lines.upper_slope is not lines.lower_slope:
            raise UserError("dual bounds are estimated for ReLU and leaky ReLU alone; leave `projections` empty")
        self.relaxed.add(node, lines)
        width = 0.5 * lines.upper_shift
        projections = lines.upper_slope * self.projections + cauchy(width, len(self.projections), self.generator)
        return _Sketch(lines.upper_slope * self.value + width, projections, self.relaxed, self.generator)

    def joint(self, layer: Joint, others: list[_Sketch]) -> _Sketch:
        parts = [self, *others]
        projections = layer(*(part.projections for part in parts))
        return _Sketch(layer(*(part.value for part in parts)), projections, self.relaxed, self.generator)


def estimated_norm(projections: Tensor) -> Tensor:
    """The lower median of the absolute values of projections [P, ...]; differentiable."""
    return _MedianMagnitude.apply(projections)


class _MedianMagnitude(torch.autograd.Function):
    """`projections.abs().median(0).values`, which took half of a training step with these bounds."""

    @staticmethod
    def forward(ctx: Any, projections: Tensor) -> Tensor:
        count = len(projections)
        if count > MOST_COMPARED:
            median = projections.abs().median(0).values
        else:
            wires = list(projections.abs().unbind())
            for low, high in _comparisons(count):
                wires[low], wires[high] = torch.minimum(wires[low], wires[high]), torch.maximum(wires[low], wires[high])
            median = wires[(count - 1) // 2]
        ctx.save_for_backward(projections, median)
        return median

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        projections, median = ctx.saved_tensors
        chosen = projections.abs() == median
        return projections.sign().mul_(chosen).mul_(gradients[0] / chosen.sum(0))  # equal ones share it


MOST_COMPARED = 32
"""Values whose median is found by comparing pairs of whole tensors: of more, torch's own selection is as fast."""


@cache
def _comparisons(count: int) -> list[tuple[int, int]]:
    """Pairs of places of so many values which, ordered one after the other, leave the lower median in its place.

    Those of Batcher's odd-even merge sort (Knuth, volume 3, algorithm 5.2.2M) that the median depends on.
    """
    needed, kept = {(count - 1) // 2}, []
    for pair in reversed(list(_merge_sort(count))):
        if needed & set(pair):
            needed |= set(pair)
            kept.append(pair)
    return kept[::-1]


def _merge_sort(count: int) -> Iterator[tuple[int, int]]:
    size = 1
    while size < count:
        step = size
        while step:
            for first in range(step % size, count - step, 2 * step):
                for low in range(first, min(first + step, count - step)):
                    if low // (2 * size) == (low + step) // (2 * size):
                        yield low, low + step
            step //= 2
        size *= 2


def cauchy(scale: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Independent Cauchy numbers, `count` for each entry of a scale [B, ...]: [count, B, ...]."""
    uniform = torch.rand((count, *scale.shape), generator=generator, dtype=scale.dtype, device=scale.device)
    return scale * torch.tan(torch.pi * (uniform - 0.5))


def projected_dual_bounds(
    network: nn.Module, ball: Interval, labels: Tensor, projections: int, generator: torch.Generator
) -> Tensor:
    """Estimates of `dual_bounds`, [B, K], for training: norms before ReLUs by Cauchy projections, those of the margins exact.

    No certificate: an estimate may be too small. Other arguments, and errors, are those of `dual_bounds`.

    Args:
        projections: how many; the cost is that of so many forward passes.
        generator: the source of the projections, on the images' device.
    """
    relaxed = Relaxed.over(read_graph(network, ball.centre), ball)
    with float32_arithmetic(labels.device):
        projected = cauchy(ball.radius, projections, generator)
        relaxed.graph.propagate(_Sketch(ball.centre, projected, relaxed, generator))
        return linear_margins(relaxed, labels, UNLIMITED)
