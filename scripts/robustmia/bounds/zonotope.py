"""Hybrid zonotopes: errors that all values share, one for each pixel, and a box for what ReLUs add.

Mirman, Gehr and Vechev 2018 (ICML, section 4.1). ReLU takes the zonotope of least area (Singh et al. 2018), whose new errors
go to the box, so that there are never more errors than pixels. Bounds before each ReLU are met with those of the interval
domain, so that a zonotope is nowhere looser than an interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from robustmia.bounds.graph import Graph
from robustmia.bounds.interval import Interval, margin_bounds, margins_of
from robustmia.bounds.layers import Affine
from robustmia.bounds.relu import parallel_band
from robustmia.bounds.tracing import read_graph

Slopes = dict[int, Tensor]
"""By the node of each ReLU."""


@dataclass(frozen=True)
class _Errors:
    """Coefficients of S of the errors in the values of a node, [S, B, ...]; ReLUs multiply them by slopes found before."""

    values: Tensor
    slopes: Slopes

    def affine(self, layer: Affine) -> _Errors:
        flat = layer.linear(self.values.flatten(0, 1))
        return _Errors(flat.unflatten(0, self.values.shape[:2]), self.slopes)

    def relu(self, node: int) -> _Errors:
        return _Errors(self.values * self.slopes[node], self.slopes)

    def __add__(self, other: _Errors) -> _Errors:
        return _Errors(self.values + other.values, self.slopes)


class _Pixels:
    """The errors of all pixels: carried along if they fit into memory together, else some at a time, from the image each time."""

    def __init__(self, graph: Graph, ball: Interval, at_once: int):
        self.graph, self.ball, self.slopes = graph, ball, Slopes()
        self.pixels = torch.arange(ball.radius[0].numel(), device=ball.radius.device).split(at_once)
        self.carried: dict[int, _Errors] = {}

    def at(self, node: int) -> Iterator[Tensor]:
        """Coefficients [S, B, ...] in the values of a node, for some pixels after the other."""
        for pixels in self.pixels:
            elements = self.carried if len(self.pixels) == 1 else {}
            if not elements:
                elements[0] = _Errors(self._of_image(pixels), self.slopes)
            yield self.graph.walk(elements, node).values

    def radius(self, node: int) -> Tensor:
        """How far the errors move the values of a node together, [B, ...]."""
        return reduce(torch.add, (errors.abs().sum(0) for errors in self.at(node)))

    def _of_image(self, pixels: Tensor) -> Tensor:
        radius = self.ball.radius
        chosen = torch.zeros(len(pixels), radius[0].numel(), dtype=radius.dtype, device=radius.device)
        chosen = chosen.scatter(1, pixels.unsqueeze(1), 1.0)
        return chosen.view(len(pixels), 1, *radius.shape[1:]) * radius


@dataclass(frozen=True)
class _Zonotope:
    """centre + errors + a box of radius `box`, all met with an interval."""

    centre: Tensor
    box: Tensor
    pixels: _Pixels
    interval: Interval

    def affine(self, layer: Affine) -> _Zonotope:
        return _Zonotope(layer(self.centre), layer.absolute(self.box), self.pixels, self.interval.affine(layer))

    def relu(self, node: int) -> _Zonotope:
        radius = self.box + self.pixels.radius(self.pixels.graph.nodes[node - 1].inputs[0])
        low = torch.maximum(self.centre - radius, self.interval.low)
        high = torch.minimum(self.centre + radius, self.interval.high)
        slope, width = parallel_band(low, high)
        self.pixels.slopes[node] = slope
        after = Interval.between(low.relu(), high.relu())
        return _Zonotope(slope * self.centre + width, slope * self.box + width, self.pixels, after)

    def __add__(self, other: _Zonotope) -> _Zonotope:
        interval = self.interval + other.interval
        return _Zonotope(self.centre + other.centre, self.box + other.box, self.pixels, interval)


def zonotope_bounds(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None = None) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y; never above those of `interval_bounds`.

    Differentiable in the network's weights. Batch normalisation is taken in evaluation mode.

    Args:
        network: maps images [B, C, H, W] to logits [B, K].
        ball: the images allowed, from `Interval.around`.
        labels: [B], in 0..K-1.
        memory: bytes that the errors may take; None: as many as they need. Where those of one image do not fit, fewer
            pixels are taken at a time, and the layers before each ReLU are passed again for them.

    Raises:
        UserError: the network has a layer that the bounds do not know.
    """
    graph = read_graph(network)
    count = ball.radius[0].numel()
    if memory is None:
        return _bounds(graph, ball, labels, count)
    fitting = graph.fitting(ball.centre[:1], memory)
    images = max(1, fitting // count)
    parts = zip(ball.split(images), labels.split(images), strict=True)
    return torch.cat([_bounds(graph, *part, min(count, fitting)) for part in parts])


def _bounds(graph: Graph, ball: Interval, labels: Tensor, pixels_at_once: int) -> Tensor:
    pixels = _Pixels(graph, ball, pixels_at_once)
    hidden = graph.propagate(_Zonotope(ball.centre, torch.zeros_like(ball.radius), pixels, ball))
    weight, bias = graph.head(hidden.centre)
    bounds = margin_bounds(Interval(hidden.centre, hidden.box), weight, bias, labels)
    for errors in pixels.at(len(graph.nodes)):
        bounds = bounds + margins_of(errors @ weight.t(), labels).abs().sum(0)
    return torch.minimum(bounds, margin_bounds(hidden.interval, weight, bias, labels))
