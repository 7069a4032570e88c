"""Networks read with torch.fx into the graph that the bounds walk; what might be misread is refused."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import torch
from torch import fx, nn
from torch.nn import functional

from robustmia.bounds.graph import Graph, Node
from robustmia.bounds.layers import Affine, Convolution, Fixed, Linear, Scale
from robustmia.errors import UserError, first_line
from robustmia.models.networks.layers import Normalize

_GRAPHS: WeakKeyDictionary[nn.Module, Graph] = WeakKeyDictionary()


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Normalize) or super().is_leaf_module(m, module_qualified_name)


SAME = (nn.Identity, nn.Dropout, nn.Dropout2d)
ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
FLATTENINGS = (torch.flatten, "flatten")
RELUS = (torch.relu, functional.relu, "relu", "relu_")


def read_graph(network: nn.Module) -> Graph:
    """The graph of a network; each network is traced once.

    Raises:
        UserError: it has a layer that the bounds do not know, which is named.
    """
    if network not in _GRAPHS:
        _GRAPHS[network] = _read(network)
    return _GRAPHS[network]


def _read(network: nn.Module) -> Graph:
    try:
        traced = _Tracer().trace(network)
    except Exception as error:  # whatever the network's own code raises
        raise UserError(f"the network cannot be read as a graph of layers ({first_line(error)})") from error
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
