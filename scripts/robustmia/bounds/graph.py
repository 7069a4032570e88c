"""The network as the bounds see it: a graph of affine layers, activations, sums and concatenations.

`tracing.py` reads it from the module. A bound works on whole batches with an *element* for each node of the graph, an interval for
instance, which knows what each kind of layer makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

from robustmia.bounds.activations import MaxPool, Nonlinear
from robustmia.bounds.layers import Affine, Concatenation, Convolution, Joint, Linear, Scale, Sum


class Element(Protocol):
    """What a bound keeps of a node, for a batch."""

    def affine(self, layer: Affine) -> Self:
        """After an affine layer."""
        ...

    def nonlinear(self, layer: Nonlinear, node: int) -> Self:
        """After a layer that is not affine, the one at this node."""
        ...

    def joint(self, layer: Joint, others: list[Self]) -> Self:
        """After a layer of several inputs, of which this is the first."""
        ...


E = TypeVar("E", bound=Element)
Pair = tuple[int, int]


@dataclass(frozen=True)
class Node:
    """One layer."""

    layer: Affine | Nonlinear | Joint
    inputs: tuple[int, ...]
    """Numbers of other nodes; 0 is the image, so that the first node has number 1."""


@dataclass(frozen=True)
class Window:
    """The part of a plane [H, W] that one value of a later node depends on: of value (i, j) from row i stride + offset on, and so for columns."""

    size: Pair = (1, 1)
    stride: Pair = (1, 1)
    offset: Pair = (0, 0)

    def before(self, layer: Convolution) -> Window:
        """The window of the convolution's inputs, from that of its outputs."""
        strides = layer.module.stride
        size = ((n - 1) * step + reach for n, step, reach in zip(self.size, strides, layer.reach, strict=True))
        stride = (n * step for n, step in zip(self.stride, strides, strict=True))
        offset = (n * step - pad for n, step, pad in zip(self.offset, strides, layer.padding, strict=True))
        return Window(_pair(size), _pair(stride), _pair(offset))

    def around(self, other: Window) -> Window | None:
        """The smallest window that has both; None: there is none for all values alike."""
        if self.stride != other.stride:
            return None
        first = _pair(map(min, self.offset, other.offset))
        ends = (map(sum, zip(window.offset, window.size, strict=True)) for window in (self, other))
        size = (max(end) - start for start, end in zip(first, zip(*ends, strict=True), strict=True))
        return Window(_pair(size), self.stride, first)

    def inside(self, grid: Pair, plane: Pair) -> bool:
        """Whether the windows of all values of a grid lie in a plane."""
        last = [
            (values - 1) * step + start + n
            for values, step, start, n in zip(grid, self.stride, self.offset, self.size, strict=True)
        ]
        return min(self.offset) >= 0 and all(end <= size for end, size in zip(last, plane, strict=True))


def _pair(numbers: Iterable[int]) -> Pair:
    first, second = numbers
    return int(first), int(second)


@dataclass(frozen=True)
class Graph:
    """A network up to its last linear layer, which the bounds apply to differences of logits at once."""

    nodes: tuple[Node, ...]
    last: Linear | None
    """None: the network does not end in a linear layer."""
    shapes: tuple[torch.Size, ...]
    """The shape of each node's output for one image; the image's is the first."""

    def propagate(self, image: E) -> E:
        """The element of the last hidden layer, from that of the image."""
        elements = {0: image}
        for number, node in enumerate(self.nodes, start=1):
            first, *others = (elements[before] for before in node.inputs)
            if isinstance(node.layer, Affine):
                elements[number] = first.affine(node.layer)
            elif isinstance(node.layer, Nonlinear):
                elements[number] = first.nonlinear(node.layer, number)
            else:
                elements[number] = first.joint(node.layer, others)
            for before in set(node.inputs):
                if self._last_use[before] == number:
                    del elements[before]
        return elements[len(self.nodes)]

    @cached_property
    def _last_use(self) -> dict[int, int]:
        return {before: number for number, node in enumerate(self.nodes, start=1) for before in node.inputs}

    def direct(self, node: int) -> bool:
        """Whether an interval loses nothing between the image and a node: all layers are affine, and one of them mixes at most."""
        mixing = 0
        while node:
            layer, inputs = self.nodes[node - 1].layer, self.nodes[node - 1].inputs
            if not isinstance(layer, Affine):
                return False
            mixing += layer.mixes
            node = inputs[0]
        return mixing <= 1

    def head(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Weight [K, D] and bias [K] that make logits of the last hidden layer, [B, D].

        They are the identity where the network does not end in a linear layer, so that the hidden layer is the logits.
        """
        if self.last is None:
            return torch.eye(hidden.shape[1]).to(hidden), hidden.new_zeros(hidden.shape[1])
        module = self.last.module
        return module.weight, hidden.new_zeros(len(module.weight)) if module.bias is None else module.bias

    @property
    def classes(self) -> int:
        """The number of logits."""
        return self.last.module.out_features if self.last else self.shapes[-1].numel()

    def is_nonlinear(self, node: int) -> bool:
        """Whether a node is a layer that is not affine."""
        return node > 0 and isinstance(self.nodes[node - 1].layer, Nonlinear)

    def functions(self) -> dict[int, int]:
        """The nodes of whose values linear functions are bounded, and how many at most: each value of what is before an activation,
        above and below, unless an interval gives it exactly, and the margins.
        """
        before = {node.inputs[0] for node in self.nodes if isinstance(node.layer, Nonlinear)}
        counts = {node: 2 * self.shapes[node].numel() for node in sorted(before) if not self.direct(node)}
        return counts | {len(self.nodes): self.classes}

    def windows(self, node: int) -> dict[int, Window | None]:
        """For a node's values one by one: the nodes that they depend on, with the window of each, or None for all of its values."""
        if node not in self._windows:
            self._windows[node] = self._find_windows(node)
        return self._windows[node]

    @cached_property
    def _windows(self) -> dict[int, dict[int, Window | None]]:
        return {}

    def _find_windows(self, node: int) -> dict[int, Window | None]:
        found: dict[int, Window | None] = {node: Window() if len(self.shapes[node]) == 3 else None}
        for number in range(node, 0, -1):
            if number not in found:
                continue
            at, window = self.nodes[number - 1], found[number]
            if isinstance(at.layer, Convolution) and window:
                window = window.before(at.layer)
            elif not keeps_windows(at.layer):
                window = None
            for before in at.inputs:
                known, joined = found.get(before, window), window
                if before in found:
                    joined = known.around(window) if known and window else None
                size, plane = joined.size if joined else (0, 0), self.shapes[before][1:]
                found[before] = None if size[0] * size[1] >= plane.numel() else joined
        return found

    def coefficients(self, node: int) -> dict[int, int]:
        """How many coefficients one value of a node has at each node before."""
        counts = {}
        for before, window in self.windows(node).items():
            shape = self.shapes[before]
            counts[before] = shape.numel() if window is None else shape[0] * window.size[0] * window.size[1]
        return counts


def keeps_windows(layer: Affine | Nonlinear | Joint) -> bool:
    """Whether a value depends on values at the same place of the inputs alone."""
    if isinstance(layer, Nonlinear):
        return not isinstance(layer, MaxPool)
    return isinstance(layer, Scale | Sum) or (isinstance(layer, Concatenation) and layer.dimension == -3)
