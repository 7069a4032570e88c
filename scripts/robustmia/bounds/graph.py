"""The network as the bounds see it: a graph of affine layers, ReLUs and sums, read from the module with torch.fx.

A bound works on whole batches with an *element* for each node of the graph (an interval, a zonotope, ...), which knows three
things: `affine(layer)`, `relu(node)` and `+`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from robustmia.errors import UserError, in_one_line
from robustmia.models import Normalize

# ---------------------------------------------------------------- affine layers

# Copies of a tensor that a layer works on at once: before and after it, absolute values, another branch, work space.
COPIES = 7
# Entries of a convolution's matrix up to which a matrix product passes many vectors back faster than the convolution.
DENSE = 2**17


class Affine:
    """x -> A x + b, on any number of inputs at once: [N, ...] to [N, ...]. Weights are read at each call, so they are never stale."""

    mixes = True
    """Whether an output depends on more than one input: where not, |A| |B| = |A B| for any B."""

    def __call__(self, x: Tensor) -> Tensor:
        """A x + b."""
        raise TypeError(f"{type(self).__name__} does not define a call")

    def linear(self, x: Tensor) -> Tensor:
        """A x."""
        raise TypeError(f"{type(self).__name__} does not define linear()")

    def absolute(self, x: Tensor) -> Tensor:
        """|A| x."""
        raise TypeError(f"{type(self).__name__} does not define absolute()")

    def transpose(self, y: Tensor, shape: torch.Size) -> Tensor:
        """A' y, for inputs of this shape (without the batch)."""
        raise TypeError(f"{type(self).__name__} does not define transpose()")


class Linear(Affine):
    """A fully connected layer."""

    def __init__(self, module: nn.Linear):
        self.module = module

    def __call__(self, x: Tensor) -> Tensor:
        return self.module(x)

    def linear(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.module.weight)

    def absolute(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.module.weight.abs())

    def transpose(self, y: Tensor, shape: torch.Size) -> Tensor:
        return functional.linear(y, self.module.weight.t())


class Convolution(Affine):
    """A two-dimensional convolution with zero padding."""

    def __init__(self, module: nn.Conv2d):
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise ValueError(f"padding {module.padding!r} in mode {module.padding_mode!r}")
        self.module, self.padding = module, module.padding

    def __call__(self, x: Tensor) -> Tensor:
        return self.module(x)

    def linear(self, x: Tensor) -> Tensor:
        return self._apply(x, self.module.weight)

    def absolute(self, x: Tensor) -> Tensor:
        return self._apply(x, self.module.weight.abs())

    def _apply(self, x: Tensor, weight: Tensor) -> Tensor:
        m = self.module
        return functional.conv2d(x, weight, None, m.stride, self.padding, m.dilation, m.groups)

    def transpose(self, y: Tensor, shape: torch.Size) -> Tensor:
        if shape.numel() < len(y) and shape.numel() * y[0].numel() <= DENSE:
            inputs = torch.eye(shape.numel()).to(y).view(-1, *shape)
            return (y.flatten(1) @ self.linear(inputs).flatten(1).t()).view(-1, *shape)
        m = self.module
        missed = [  # rows and columns at the far end that no window reaches
            size + 2 * padding - dilation * (kernel - 1) - 1 - stride * (out - 1)
            for size, padding, dilation, kernel, stride, out in zip(
                shape[1:], self.padding, m.dilation, m.kernel_size, m.stride, y.shape[-2:], strict=True
            )
        ]
        return functional.conv_transpose2d(y, m.weight, None, m.stride, self.padding, missed, m.groups, m.dilation)


class Scale(Affine):
    """A factor and a shift for each channel: batch normalisation in evaluation mode, or normalisation of the input."""

    mixes = False

    def __init__(self, module: nn.BatchNorm1d | nn.BatchNorm2d | Normalize):
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise ValueError("no running statistics")
        self.module = module

    def _factor_and_shift(self) -> tuple[Tensor, Tensor]:
        m = self.module
        if isinstance(m, Normalize):
            factor = 1.0 / m.std.flatten()
            return factor, -m.mean.flatten() * factor
        assert m.running_mean is not None
        assert m.running_var is not None
        factor = (m.running_var + m.eps).rsqrt() * (1.0 if m.weight is None else m.weight)
        return factor, (0.0 if m.bias is None else m.bias) - m.running_mean * factor

    @staticmethod
    def _along_channels(values: Tensor, x: Tensor) -> Tensor:
        return values.view(-1, *[1] * (x.dim() - 2))

    def __call__(self, x: Tensor) -> Tensor:
        factor, shift = self._factor_and_shift()
        return x * self._along_channels(factor, x) + self._along_channels(shift, x)

    def linear(self, x: Tensor) -> Tensor:
        return x * self._along_channels(self._factor_and_shift()[0], x)

    def absolute(self, x: Tensor) -> Tensor:
        return x * self._along_channels(self._factor_and_shift()[0].abs(), x)

    def transpose(self, y: Tensor, shape: torch.Size) -> Tensor:
        return self.linear(y)


class Fixed(Affine):
    """A layer without parameters whose weights are not negative, so that |A| = A: average pooling, flattening."""

    def __init__(self, function: Callable[[Tensor], Tensor], mixes: bool = True):
        self.function, self.mixes = function, mixes

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    linear = absolute = __call__

    def transpose(self, y: Tensor, shape: torch.Size) -> Tensor:
        with torch.enable_grad():
            inputs = y.new_zeros(len(y), *shape).requires_grad_()
            return torch.autograd.grad(self.function(inputs), inputs, y, create_graph=y.requires_grad)[0]


# ---------------------------------------------------------------- the graph


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

    @classmethod
    def of(cls, network: nn.Module) -> Graph:
        """Read a network; each is read once.

        Raises:
            UserError: it has a layer that the bounds do not know, which is named.
        """
        if network not in _GRAPHS:
            _GRAPHS[network] = _read(network)
        return _GRAPHS[network]

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


_GRAPHS: WeakKeyDictionary[nn.Module, Graph] = WeakKeyDictionary()


def _after(node: Node, number: int, inputs: list[E]) -> E:
    if node.layer is not None:
        return inputs[0].affine(node.layer)
    return inputs[0].relu(number) if len(inputs) == 1 else inputs[0] + inputs[1]


# ---------------------------------------------------------------- reading


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Normalize) or super().is_leaf_module(m, module_qualified_name)


SAME = (nn.Identity, nn.Dropout, nn.Dropout2d)
ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
FLATTENINGS = (torch.flatten, "flatten")
RELUS = (torch.relu, functional.relu, "relu", "relu_")


def _read(network: nn.Module) -> Graph:
    try:
        traced = _Tracer().trace(network)
    except Exception as error:  # whatever the network's own code raises
        raise UserError(f"the network cannot be read as a graph of layers ({in_one_line(error)})") from error
    modules = dict(network.named_modules())
    numbers: dict[fx.Node, int] = {}
    overwritten: dict[int, fx.Node] = {}
    nodes: list[Node] = []
    for step in traced.nodes:
        inputs = tuple(numbers[argument] for argument in step.args if isinstance(argument, fx.Node))
        for number in inputs:
            if number in overwritten:
                raise UserError(
                    f"the network goes on with a value that layer {overwritten[number]} has changed in place"
                )
        if step.op == "placeholder":
            if numbers:
                raise UserError(f"the network takes {step.name} beside the images")
            numbers[step] = 0
        elif step.op == "output":
            return _graph(nodes, inputs)
        elif step.op == "call_module" and isinstance(modules[str(step.target)], SAME):
            numbers[step] = inputs[0]
        else:
            nodes.append(Node(_layer(step, modules, len(inputs)), inputs))
            numbers[step] = len(nodes)
            if _in_place(step, modules):
                overwritten |= dict.fromkeys(_same_memory(nodes, inputs[0]), step)
    raise AssertionError("torch.fx ends every graph with its output")


def _in_place(step: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether a step writes its output over its first input."""
    if step.op == "call_module":
        return bool(getattr(modules[str(step.target)], "inplace", False))
    return step.target is operator.iadd or str(step.target).endswith("_") or bool(step.kwargs.get("inplace"))


def _same_memory(nodes: list[Node], number: int) -> Iterator[int]:
    """The nodes so far that are other views of a node's values, and the node."""

    def viewed(number: int) -> int:
        while number and isinstance(layer := nodes[number - 1].layer, Fixed) and not layer.mixes:
            number = nodes[number - 1].inputs[0]
        return number

    return (other for other in range(len(nodes)) if viewed(other) == viewed(number))


def _graph(nodes: list[Node], output: tuple[int, ...]) -> Graph:
    if output != (len(nodes),):
        raise UserError("the network does not return its last layer alone; the bounds need one tensor, the logits")
    last = nodes[-1].layer if nodes else None
    if not isinstance(last, Linear):
        return Graph(tuple(nodes), None)
    if nodes[-1].inputs != (len(nodes) - 1,):
        raise UserError(
            "the network's last layer does not take the layer before it: there is one that the logits do not need"
        )
    return Graph(tuple(nodes[:-1]), last)


def _layer(step: fx.Node, modules: dict[str, nn.Module], inputs: int) -> Affine | None:
    """The layer of one step of the graph; None for a ReLU of one input and for a sum of two."""
    module = modules.get(str(step.target)) if step.op == "call_module" else None
    alone, why = inputs == len(step.args) == 1, ""
    try:
        match module:
            case nn.Linear() if alone:
                return Linear(module)
            case nn.Conv2d() if alone:
                return Convolution(module)
            case nn.BatchNorm1d() | nn.BatchNorm2d() | Normalize() if alone:
                return Scale(module)
            case nn.AvgPool2d() | nn.AdaptiveAvgPool2d() if alone:
                return Fixed(module)
            case nn.Flatten(start_dim=1, end_dim=-1) if alone:
                return Fixed(module, mixes=False)
            case nn.ReLU() if alone:
                return None
    except ValueError as error:
        why = f" with {error}"
    if module is None and step.target in RELUS and alone:
        return None
    if module is None and step.target in ADDITIONS and inputs == len(step.args) == 2 and not step.kwargs:
        return None
    if step.target in FLATTENINGS and (*step.args[1:], *step.kwargs.items()) in ((1,), (("start_dim", 1),)):
        return Fixed(nn.Flatten(), mixes=False)
    name = f"{step.target} ({type(module).__name__})" if module is not None else f"{step.name} ({step.target})"
    raise UserError(
        f"the bounds do not know layer {name}{why}; they know linear, convolution, batch normalisation, ReLU, average "
        "pooling, flattening and sums"
    )
