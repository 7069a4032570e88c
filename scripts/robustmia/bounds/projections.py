"""Estimates of dual bounds by Cauchy projections, for training (Wong et al. 2018, arXiv 1805.12514).

With one slope for both lines of each ReLU a network is affine in independent errors: those of the pixels, with the radii of the ball,
and one of each ReLU, with half the distance of its lines. Its values lie within the l1 norm of their coefficients, which is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustmia.bounds.activations import Nonlinear
from robustmia.bounds.backward import Relaxed
from robustmia.bounds.crown import UNLIMITED, linear_margins
from robustmia.bounds.interval import Interval
from robustmia.bounds.layers import Affine, Joint
from robustmia.bounds.tracing import read_graph
from robustmia.errors import UserError


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
        inputs = Interval(self.value, self.projections.abs().median(0).values)
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
    projected = cauchy(ball.radius, projections, generator)
    relaxed.graph.propagate(_Sketch(ball.centre, projected, relaxed, generator))
    return linear_margins(relaxed, labels, UNLIMITED)
