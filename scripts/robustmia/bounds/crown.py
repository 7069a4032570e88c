"""Verifiers whose linear bounds are propagated backwards: CROWN, and the dual bounds of Wong and Kolter.

They differ in the lower line of a ReLU whose sign is open and in where the bounds of its input come from:
  `crown`           the slope of smaller area, 0 or 1 (Zhang et al. 2018, arXiv 1811.00866); the same propagation, met with intervals
  `crown_interval`  the same; intervals alone (CROWN-IBP: Zhang et al. 2020, arXiv 1906.06316, section 3.2)
  `dual`            the slope of the upper line; the same propagation, met with intervals
With one slope for both lines the bound is the dual objective J of Wong and Kolter 2018 (arXiv 1711.00851, theorem 1): with nu for
their vectors, -nu_1' x - epsilon ||nu_1||_1 - sum nu_{i+1}' b_i + sum over unstable j of l_j [nu_j]_+ is a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustmia.bounds.activations import Nonlinear
from robustmia.bounds.backward import Coefficients, Relaxed, Slopes, channels_last
from robustmia.bounds.interval import Interval, margin_bounds, margin_rows
from robustmia.bounds.layers import Affine, Joint
from robustmia.bounds.tracing import read_graph
from robustmia.models.engine import float32_arithmetic

COPIES = 6  # of the coefficients of a function while they pass a layer, one with each sign
CACHE = (
    12 * 2**20
)  # bytes of coefficients that a CPU takes at once: with more they leave its caches, with fewer calls cost more

UNLIMITED = 2**62


@dataclass
class Propagation:
    """How the lines around activations are found, as intervals of all nodes are walked through."""

    relaxed: Relaxed
    ball: Interval
    memory: int
    """Bytes of coefficients that are taken at once."""
    refines: bool = True
    """Whether inputs of activations get linear bounds; else intervals are all."""
    parallel: bool = False
    """Whether both lines of a ReLU have one slope."""
    slopes: Slopes | None = None
    """Lower slopes, where they are not those of the lines."""

    def margins(self, labels: Tensor) -> Tensor:
        """Upper bounds of z_k - z_y, [B, K], met with those of intervals."""
        graph = self.relaxed.graph
        hidden = graph.propagate(_Box(self.ball, self)).interval
        weight, bias = graph.head(hidden.centre)
        linear = linear_margins(self.relaxed, labels, self.memory, self.slopes)
        return self._lower_of(margin_bounds(hidden, weight, bias, labels), linear)

    def add_lines(self, node: int, layer: Nonlinear, inputs: Interval) -> Interval:
        """Set the lines of the layer at a node; returns its inputs' bounds, tighter than the intervals that are given."""
        graph = self.relaxed.graph
        before = graph.nodes[node - 1].inputs[0]
        if self.refines and not graph.direct(before):
            inputs = self._refined(before, layer, inputs)
        lines = layer.lines(inputs.low, inputs.high)
        self.relaxed.add(node, lines.parallel() if self.parallel else lines)
        return inputs

    def _refined(self, node: int, layer: Nonlinear, inputs: Interval) -> Interval:
        low, high = inputs.low.flatten(1), inputs.high.flatten(1)
        units = self._units(node, layer.open(low, high))
        if units is None:
            return inputs
        size = max(self.relaxed.graph.coefficients(node).values())
        parts = [
            torch.cat([self._unit_bounds(node, images, some) for some in units[images].split(count, 1)], 2)
            for images, count in chunks(units.shape, 2 * size * low.element_size(), self.memory)
        ]
        linear = torch.cat(parts, 1)
        tighter_low = -self._lower_of(-low.gather(1, units), linear[1])
        tighter_high = self._lower_of(high.gather(1, units), linear[0])
        low, high = low.scatter(1, units, tighter_low), high.scatter(1, units, tighter_high)
        return Interval.between(low.view_as(inputs.low), high.view_as(inputs.low))

    def _lower_of(self, interval: Tensor, linear: Tensor) -> Tensor:
        """The lower of two upper bounds; while slopes are optimised the gradient is that of the linear one, which may become the lower."""
        lower = torch.minimum(interval, linear)
        return lower if self.slopes is None else linear + (lower - linear).detach()

    def _units(self, node: int, is_open: Tensor) -> Tensor | None:
        """The values of a node that get linear bounds, [B, R]; None: none."""
        return indices_of(is_open)

    def _unit_bounds(self, node: int, images: slice, units: Tensor) -> Tensor:
        """Upper bounds of some values of some images, and of their negatives: [2, b, R]."""
        bounds = self.relaxed.images(images).unit_bounds(node, units, self.slopes)
        return bounds.unflatten(1, (2, -1)).transpose(0, 1)


@dataclass(frozen=True)
class _Box:
    """Intervals of the network's values, whose activations get their lines as they are met."""

    interval: Interval
    propagation: Propagation

    def affine(self, layer: Affine) -> _Box:
        return _Box(self.interval.affine(layer), self.propagation)

    def nonlinear(self, layer: Nonlinear, node: int) -> _Box:
        inputs = self.propagation.add_lines(node, layer, self.interval)
        return _Box(inputs.nonlinear(layer, node), self.propagation)

    def joint(self, layer: Joint, others: list[_Box]) -> _Box:
        return _Box(self.interval.joint(layer, [other.interval for other in others]), self.propagation)


def linear_margins(relaxed: Relaxed, labels: Tensor, memory: int, slopes: Slopes | None = None) -> Tensor:
    """Upper bounds of z_k - z_y by the lines of all activations, [B, K]."""
    graph, node = relaxed.graph, len(relaxed.graph.nodes)
    weight, bias = graph.head(relaxed.planes[0].new_zeros(1, graph.shapes[node].numel()))
    size = max(graph.coefficients(node).values()) * weight.element_size()
    parts = []
    for images, count in chunks((len(labels), len(weight)), size, memory):
        part, rows = relaxed.images(images), margin_rows(weight, labels[images])
        shaped = channels_last(rows.unflatten(2, graph.shapes[node]), graph.shapes[node])
        functions = (Coefficients(some) for some in shaped.split(count, 1))
        parts.append(torch.cat([part.bounds(node, some, slopes) for some in functions], 1))
    return torch.cat(parts) + bias - bias[labels].unsqueeze(1)


def chunks(shape: tuple[int, int] | torch.Size, size: int, memory: int) -> Iterator[tuple[slice, int]]:
    """Which images are taken together, and how many functions of each, of B images with R functions of so many bytes."""
    images, functions = shape
    fitting = max(1, memory // (COPIES * size))
    together = max(1, fitting // functions)
    for first in range(0, images, together):
        yield slice(first, first + together), min(functions, fitting)


def memory_at_hand(device: torch.device, of_cpu: int = CACHE) -> int:
    """Bytes of coefficients that are taken at once where nobody says how many: of a GPU half of what is free."""
    return torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else of_cpu


def indices_of(chosen: Tensor) -> Tensor | None:
    """Numbers of what is chosen in each row of bool [B, N], [B, R]; rows with fewer than R have others beside. None: nothing is."""
    most = int(chosen.sum(1).max())
    return chosen.to(torch.uint8).topk(most, dim=1, sorted=False).indices if most else None


def _bounds(
    network: nn.Module,
    ball: Interval,
    labels: Tensor,
    memory: int | None,
    refines: bool = True,
    parallel: bool = False,
) -> Tensor:
    relaxed = Relaxed.over(read_graph(network, ball.centre), ball)
    with float32_arithmetic(labels.device):
        return Propagation(relaxed, ball, memory or memory_at_hand(labels.device), refines, parallel).margins(labels)


def crown_bounds(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None = None) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y; never above those of `interval_bounds`.

    Differentiable in the network's weights. Batch normalisation is taken in evaluation mode.

    Args:
        network: maps images [B, C, H, W] to logits [B, K].
        ball: the images allowed, from `Interval.around`.
        labels: [B], in 0..K-1.
        memory: bytes of coefficients that are taken at once; None: what suits the device. Images, and then functions of one
            image, are taken in parts that fit.

    Raises:
        UserError: the network has a layer that the bounds do not know.
    """
    return _bounds(network, ball, labels, memory)


def crown_interval_bounds(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None = None) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y: `crown_bounds` with intervals before each activation.

    Looser, at the cost of two forward passes and a backward pass for each class, so that large networks can be verified. Arguments
    as for `crown_bounds`.
    """
    return _bounds(network, ball, labels, memory, refines=False)


def dual_bounds(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None = None) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y: the bounds that `duality` trains with, with exact norms.

    Those of Wong and Kolter 2018, and never above those of intervals. Arguments as for `crown_bounds`.
    """
    return _bounds(network, ball, labels, memory, parallel=True)
