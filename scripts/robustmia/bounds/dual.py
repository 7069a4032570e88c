"""Dual bounds of the convex outer relaxation (Wong and Kolter 2018, arXiv 1711.00851; Wong et al. 2018, arXiv 1805.12514).

Each unstable ReLU becomes a band of one slope (`parallel_band`), which leaves an affine network with independent errors: e_0 of
the pixels, with the radii r of the ball, and e_j of each ReLU j, with its half-width w_j. A value c' x of such a network lies
within r |nu_0| + sum over j of w_j |nu_j| of its centre, where nu are the vectors that the transposed network makes of c.
That is the dual objective J of Wong and Kolter (their theorem 1), written around its centre: with nu for their vectors,
  -nu_1' x - epsilon ||nu_1||_1 - sum nu_{i+1}' b_i + sum over unstable j of l_j [nu_j]_+.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustmia.bounds.graph import UNLIMITED, Graph
from robustmia.bounds.interval import Interval, margin_rows, margins_of
from robustmia.bounds.layers import Affine
from robustmia.bounds.relu import parallel_band
from robustmia.bounds.tracing import read_graph

ROWS = 16  # vectors nu taken at once for each image, where memory allows: fewer would leave matrix products small


class _Relaxed:
    """The relaxed network, as far as its ReLUs are known."""

    def __init__(self, graph: Graph, ball: Interval, rows_at_once: int):
        self.graph, self.ball, self.rows_at_once = graph, ball, rows_at_once
        self.shapes = graph.shapes(ball.centre[:1])
        self.slopes: dict[int, Tensor] = {}
        self.widths: dict[int, Tensor] = {}

    def relax(self, node: int, inputs: Interval) -> tuple[Tensor, Tensor]:
        """Slope and half-width of the ReLU at this node, from bounds of its inputs."""
        self.slopes[node], self.widths[node] = parallel_band(inputs.low, inputs.high)
        return self.slopes[node], self.widths[node]

    def radius(self, node: int) -> Tensor:
        """How far the errors move the values of a node, exactly, [B, ...]."""
        direct = self.graph.direct(node)
        if direct is not None:
            radius = self.ball.radius
            for layer in reversed(direct):
                radius = layer.absolute(radius)
            return radius
        shape = self.shapes[node]
        units = torch.arange(shape.numel(), device=self.ball.radius.device).split(self.rows_at_once)
        parts = [self._radius_along(node, self._rows_of(some, shape)) for some in units]
        return torch.cat(parts, dim=1).view(-1, *shape)

    def _rows_of(self, units: Tensor, shape: torch.Size) -> Tensor:
        """The unit vectors c that pick these units of a node, [1, R, ...]."""
        rows = self.ball.radius.new_zeros(len(units), shape.numel())
        return rows.scatter(1, units.unsqueeze(1), 1.0).view(1, -1, *shape)

    def radius_along(self, node: int, rows: Tensor) -> Tensor:
        """How far the errors move c' x, for R vectors c at a node, [B or 1, R, ...]: the terms of J that hold norms, [B, R]."""
        return torch.cat([self._radius_along(node, some) for some in rows.split(self.rows_at_once, dim=1)], dim=1)

    def _radius_along(self, node: int, rows: Tensor) -> Tensor:
        waiting = {node: rows}
        terms = []
        for number in range(node, 0, -1):
            if number not in waiting:
                continue
            nu, at = waiting.pop(number), self.graph.nodes[number - 1]
            if at.layer is None and len(at.inputs) == 1:
                terms.append(_weighted_norm(nu, self.widths[number]))
                nu = nu * self.slopes[number].unsqueeze(1)
            elif at.layer is not None:
                back = at.layer.transpose(nu.flatten(0, 1), self.shapes[at.inputs[0]])
                nu = back.unflatten(0, nu.shape[:2])
            for before in at.inputs:
                waiting[before] = waiting[before] + nu if before in waiting else nu
        terms.append(_weighted_norm(waiting[0], self.ball.radius))
        return torch.stack(terms).sum(0)


def _weighted_norm(nu: Tensor, weights: Tensor) -> Tensor:
    """sum over units of w |nu|, [B, R], for nu [B or 1, R, ...] and weights [B, ...]."""
    absolute, weights = nu.abs().flatten(2), weights.flatten(1)
    if len(nu) == 1:  # the same vectors for each image: one matrix product
        return weights @ absolute[0].t()
    return (absolute @ weights.unsqueeze(2)).squeeze(2)


@dataclass(frozen=True)
class _Centre:
    """The centre of the relaxed network's values, [B, ...]."""

    value: Tensor
    relaxed: _Relaxed
    interval: Interval | None = None
    """Intervals of the network's own values, where those are all that ReLUs see; None: they see exact bounds of the relaxed ones."""

    def affine(self, layer: Affine) -> _Centre:
        return _Centre(layer(self.value), self.relaxed, self.interval and self.interval.affine(layer))

    def relu(self, node: int) -> _Centre:
        before = self.relaxed.graph.nodes[node - 1].inputs[0]
        inputs = self.interval or Interval(self.value, self.relaxed.radius(before))
        slope, width = self.relaxed.relax(node, inputs)
        return _Centre(slope * self.value + width, self.relaxed, self.interval and self.interval.relu(node))

    def __add__(self, other: _Centre) -> _Centre:
        intervals = self.interval and other.interval and self.interval + other.interval
        return _Centre(self.value + other.value, self.relaxed, intervals)


@dataclass(frozen=True)
class _Sketch:
    """The centre, and P random combinations of all errors, [P, B, ...], with independent Cauchy weights.

    A combination of errors with coefficients a is Cauchy with scale ||a||_1, and so is the sum of the sketches of two sets of
    errors, whose coefficients it joins. The median of its P absolute values estimates that norm (Li, Hastie and Church
    2007; Wong et al. 2018, section 3.2, who sketch the pixels and each ReLU apart, where one sketch of all is enough).
    """

    value: Tensor
    projections: Tensor
    relaxed: _Relaxed
    generator: torch.Generator

    def affine(self, layer: Affine) -> _Sketch:
        projections = layer.linear(self.projections.flatten(0, 1)).unflatten(0, self.projections.shape[:2])
        return _Sketch(layer(self.value), projections, self.relaxed, self.generator)

    def relu(self, node: int) -> _Sketch:
        slope, width = self.relaxed.relax(node, Interval(self.value, median(self.projections.abs())))
        projections = slope * self.projections + cauchy(width, len(self.projections), self.generator)
        return _Sketch(slope * self.value + width, projections, self.relaxed, self.generator)

    def __add__(self, other: _Sketch) -> _Sketch:
        projections = self.projections + other.projections
        return _Sketch(self.value + other.value, projections, self.relaxed, self.generator)


def median(values: Tensor) -> Tensor:
    """Over the first dimension; of an even count the mean of both middle ones: the lower of ten is typically 14 % short."""
    with torch.no_grad():
        upper = values.topk(len(values) // 2 + 1, 0).indices
        middle = upper[-1:] if len(values) % 2 else upper[-2:]
    return values.gather(0, middle).mean(0)


def cauchy(scale: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Independent Cauchy numbers, `count` for each entry of a scale [B, ...]: [count, B, ...]."""
    uniform = torch.rand((count, *scale.shape), generator=generator, dtype=scale.dtype, device=scale.device)
    return scale * torch.tan(torch.pi * (uniform - 0.5))


def dual_bounds(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None = None) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y, with exact norms everywhere: a certificate.

    Differentiable in the network's weights. Batch normalisation is taken in evaluation mode.

    Args:
        network: maps images [B, C, H, W] to logits [B, K].
        ball: the images allowed, from `Interval.around`.
        labels: [B], in 0..K-1.
        memory: bytes that the vectors nu may take; None: as many as they need. Where those of all units of a layer do not
            fit, fewer units, and then fewer images, are taken at a time.

    Raises:
        UserError: the network has a layer that the bounds do not know.
    """
    return _in_parts(network, ball, labels, memory, intervals=False)


def interval_dual_bounds(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None = None) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y: `dual_bounds` with intervals before each ReLU.

    Looser, but sound, and as cheap as a pass forward and one back for each class, so that large networks can be verified
    (Zhang et al. 2020, arXiv 1906.06316, section 3.2, with the band of Wong and Kolter). Arguments as for `dual_bounds`.
    """
    return _in_parts(network, ball, labels, memory, intervals=True)


def _in_parts(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None, intervals: bool) -> Tensor:
    graph, parts = read_graph(network), []
    for part, theirs, rows_at_once in graph.parts(ball, labels, memory, ROWS):
        relaxed = _Relaxed(graph, part, rows_at_once)
        parts.append(_margins(_Centre(part.centre, relaxed, part if intervals else None), theirs))
    return torch.cat(parts)


def projected_dual_bounds(
    network: nn.Module, ball: Interval, labels: Tensor, projections: int, generator: torch.Generator
) -> Tensor:
    """Estimates of `dual_bounds`, [B, K], for training: norms before ReLUs by Cauchy projections, those of the margins exact.

    No certificate: an estimate may be too small.

    Args:
        projections: how many; the cost is that of so many forward passes.
        generator: the source of the projections, on the images' device.
    """
    relaxed = _Relaxed(read_graph(network), ball, UNLIMITED)
    sketch = _Sketch(ball.centre, cauchy(ball.radius, projections, generator), relaxed, generator)
    return _margins(sketch, labels)


def _margins(image: _Centre | _Sketch, labels: Tensor) -> Tensor:
    relaxed = image.relaxed
    hidden = relaxed.graph.propagate(image).value
    weight, bias = relaxed.graph.head(hidden)
    radius = relaxed.radius_along(len(relaxed.graph.nodes), margin_rows(weight, labels))
    return margins_of(hidden @ weight.t() + bias, labels) + radius
