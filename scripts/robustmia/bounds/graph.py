"""The network as the bounds see it: a graph of affine layers, ReLUs and sums (`tracing.py` reads it from the module).

A bound works on whole batches with an *element* for each node of the graph (an interval, a zonotope, ...), which knows three
things: `affine(layer)`, `relu(node)` and `+`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import torch
from torch import Tensor

from robustmia.bounds.layers import Affine, Linear
from robustmia.errors import UserError

if TYPE_CHECKING:
    from robustmia.bounds.interval import Interval

# Copies of a tensor that a layer works on at once: before and after it, absolute values, another branch, work space.
COPIES = 7
UNLIMITED = 2**62


class Element(Protocol):
    """What a bound keeps of a node, for a batch."""

    def affine(self, layer: Affine) -> Self:
        """After an affine layer."""
        ...

    def relu(self, node: int) -> Self:
        """After the ReLU at this node."""
        ...

    def __add__(self, other: Self) -> Self:
        """After a sum of two branches."""
        ...


E = TypeVar("E", bound=Element)


@dataclass(frozen=True)
class Node:
    """One layer."""

    layer: Affine | None
    """None: a ReLU where there is one input, a sum where there are two."""
    inputs: tuple[int, ...]
    """Numbers of other nodes; 0 is the image, so that the first node has number 1."""


@dataclass(frozen=True)
class Graph:
    """A network up to its last linear layer, which the bounds apply to differences of logits at once."""

    nodes: tuple[Node, ...]
    last: Linear | None
    """None: the network does not end in a linear layer."""

    def propagate(self, image: E) -> E:
        """The element of the last hidden layer, from that of the image."""
        return self.walk({0: image}, len(self.nodes))

    def walk(self, elements: dict[int, E], until: int) -> E:
        """The element at a node.

        Args:
            elements: by node, at least the image's, which is node 0. What is computed is added and what no later node
                needs is dropped, so that a second call goes on from here.
            until: the node's number.
        """
        for number in range(max(elements) + 1, until + 1):
            node = self.nodes[number - 1]
            elements[number] = _after(node, number, [elements[before] for before in node.inputs])
            for before in set(node.inputs):
                if self.last_use[before] == number:
                    del elements[before]
        return elements[until]

    @torch.no_grad()
    def shapes(self, image: Tensor) -> list[torch.Size]:
        """The shape of each node's output for one image [1, C, H, W], without the batch; the image's is the first."""
        points = [_Point(image)]
        for number, node in enumerate(self.nodes, start=1):
            points.append(_after(node, number, [points[before] for before in node.inputs]))
        return [point.value.shape[1:] for point in points]

    def fitting(self, image: Tensor, memory: int) -> int:
        """How many vectors or errors of one image [1, C, H, W] fit into so many bytes at once, whatever the layer; at least 1."""
        largest = max(shape.numel() for shape in self.shapes(image))
        return max(1, memory // (COPIES * largest * image.element_size()))

    def parts(
        self, ball: Interval, labels: Tensor, memory: int | None, rows: int
    ) -> Iterator[tuple[Interval, Tensor, int]]:
        """Images and labels in parts, with how many vectors of each image fit at once beside each other.

        Args:
            ball: all images.
            labels: theirs.
            memory: bytes; None: no limit, and one part.
            rows: vectors that should fit for each image of a part, if one image alone allows it.
        """
        fitting = UNLIMITED if memory is None else self.fitting(ball.centre[:1], memory)
        images = UNLIMITED if memory is None else max(1, fitting // rows)
        for part, theirs in zip(ball.split(images), labels.split(images), strict=True):
            yield part, theirs, max(1, fitting // len(theirs))

    @cached_property
    def last_use(self) -> dict[int, int]:
        """The last node that takes each node as an input."""
        return {before: number for number, node in enumerate(self.nodes, start=1) for before in node.inputs}

    def direct(self, node: int) -> list[Affine] | None:
        """The layers from the image to a node, last first, if an interval loses nothing on them: one of them mixes at most."""
        layers: list[Affine] = []
        while node:
            layer, inputs = self.nodes[node - 1].layer, self.nodes[node - 1].inputs
            if layer is None:
                return None
            layers.append(layer)
            node = inputs[0]
        return layers if sum(layer.mixes for layer in layers) <= 1 else None

    def head(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Weight [K, D] and bias [K] that make logits of the last hidden layer, [B, D].

        They are the identity where the network does not end in a linear layer, so that the hidden layer is the logits.
        """
        if self.last is None:
            return torch.eye(hidden.shape[1]).to(hidden), hidden.new_zeros(hidden.shape[1])
        module = self.last.module
        return module.weight, hidden.new_zeros(len(module.weight)) if module.bias is None else module.bias


@dataclass(frozen=True)
class _Point:
    """The element of a plain forward pass."""

    value: Tensor

    def affine(self, layer: Affine) -> _Point:
        return _Point(layer(self.value))

    def relu(self, node: int) -> _Point:
        return _Point(self.value.relu())

    def __add__(self, other: _Point) -> _Point:
        if self.value.shape != other.value.shape:
            raise UserError("the bounds do not know a sum of two layers of different shapes")
        return _Point(self.value + other.value)


def _after(node: Node, number: int, inputs: list[E]) -> E:
    if node.layer is not None:
        return inputs[0].affine(node.layer)
    return inputs[0].relu(number) if len(inputs) == 1 else inputs[0] + inputs[1]
