"""Networks read with torch.fx into the graph that the bounds walk; what might be misread is refused."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from robustmia.bounds.activations import LeakyReLU, MaxPool, Nonlinear, sigmoid, tanh
from robustmia.bounds.graph import Graph, Node
from robustmia.bounds.layers import Affine, Concatenation, Convolution, Fixed, Joint, Linear, Reshape, Scale, Sum
from robustmia.errors import UserError, first_line, is_out_of_memory
from robustmia.models.networks.layers import Normalize

_GRAPHS: WeakKeyDictionary[nn.Module, dict[torch.Size, Graph]] = WeakKeyDictionary()
Layer = Affine | Nonlinear | Joint

# Functions, operators and methods of tensors, as the module that does the same.
AS_MODULES: dict[Any, Callable[..., nn.Module]] = {
    **dict.fromkeys((torch.relu, functional.relu, "relu", "relu_"), nn.ReLU),
    functional.leaky_relu: nn.LeakyReLU,
    **dict.fromkeys((torch.sigmoid, functional.sigmoid, "sigmoid", "sigmoid_"), nn.Sigmoid),
    **dict.fromkeys((torch.tanh, functional.tanh, "tanh", "tanh_"), nn.Tanh),
    functional.max_pool2d: nn.MaxPool2d,
    functional.avg_pool2d: nn.AvgPool2d,
    functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    **dict.fromkeys((functional.dropout, functional.dropout2d), lambda *_, **__: nn.Dropout()),
}
SAME = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
CONCATENATIONS = (torch.cat, torch.concat, torch.concatenate)
MEANS = (torch.mean, "mean")
RESHAPES = (
    *("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "contiguous"),
    *(torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.unflatten),
)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Normalize) or super().is_leaf_module(m, module_qualified_name)


def read_graph(network: nn.Module, images: Tensor) -> Graph:
    """The graph of a network, for images of this shape [B, C, H, W]; it is traced once for each shape.

    Raises:
        UserError: it has a layer that the bounds do not know, which is named.
    """
    graphs = _GRAPHS.setdefault(network, {})
    if images.shape[1:] not in graphs:
        graphs[images.shape[1:]] = _Reader(network, images).read()
    return graphs[images.shape[1:]]


class _Values(fx.Interpreter):
    """Runs a network and keeps what each step gives: of a tensor its shape, and whatever else as it is."""

    def __init__(self, traced: fx.GraphModule, images: Tensor):
        super().__init__(traced)
        self.found: dict[fx.Node, Any] = {}
        with torch.no_grad():
            self.run(images)

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        self.found[n] = _Shape(value.shape) if isinstance(value, Tensor) else value
        return value


@dataclass(frozen=True)
class _Shape:
    """Of a tensor that a step gives."""

    size: torch.Size


class _Reader:
    """Reads one network."""

    def __init__(self, network: nn.Module, images: Tensor):
        self.modules = dict(network.named_modules())
        try:
            self.traced = fx.GraphModule(network, _Tracer().trace(network))
            twin = copy.deepcopy(self.traced).eval()  # so that nothing of the network's own changes
            two, three = (_Values(twin, images.new_zeros(count, *images.shape[1:])).found for count in (2, 3))
        except Exception as error:  # whatever the network's own code raises
            if is_out_of_memory(error):
                raise
            raise UserError(f"the network cannot be read as a graph of layers ({first_line(error)})") from error
        steps = zip(self.traced.graph.nodes, twin.graph.nodes, strict=True)
        self.found = {step: (two[same], three[same]) for step, same in steps}
        """What each step gives for a batch of 2 and of 3 images."""
        self.nodes: list[Node] = []
        self.node_shapes = [images.shape[1:]]
        self.numbers: dict[fx.Node, int] = {}

    def read(self) -> Graph:
        """The graph."""
        overwritten: dict[int, fx.Node] = {}
        for step in self.traced.graph.nodes:
            inputs = tuple(self.numbers[argument] for argument in _tensors(step) if argument in self.numbers)
            for number in inputs:
                if number in overwritten:
                    raise UserError(
                        f"the network goes on with a value that layer {overwritten[number]} has changed in place"
                    )
            if step.op == "placeholder":
                if self.numbers:
                    raise UserError(f"the network takes {step.name} beside the images")
                self.numbers[step] = 0
            elif step.op == "output":
                return self._graph(step, inputs)
            elif not self._is_size(step):
                before = len(self.nodes)
                self._add(step, inputs)
                if len(self.nodes) > before and _in_place(step, self.modules):
                    overwritten |= dict.fromkeys(_same_memory(self.nodes, inputs[0]), step)
        raise AssertionError("torch.fx ends every graph with its output")

    def _is_size(self, step: fx.Node) -> bool:
        """Whether a step gives a size, or what is computed of sizes alone: numbers that the values of an image do not change."""
        if step.target in ("size", "dim") or (step.target is getattr and step.args[1] in ("shape", "ndim")):
            return True
        sources = _tensors(step)
        return step.op == "call_function" and bool(sources) and all(self._is_size(source) for source in sources)

    def _settled(self, argument: Any) -> Any:
        """An argument, or several, with sizes as the numbers that they are."""

        def number(step: fx.Node) -> Any:
            two, three = self.found[step]
            if two != three:
                raise ValueError(f"argument {step.name}, which is not the same for every batch")
            return two

        return fx.node.map_arg(argument, number)

    def _add(self, step: fx.Node, inputs: tuple[int, ...]) -> None:
        """Add the nodes of a step."""
        two, three = self.found[step]
        apart = isinstance(two, _Shape) and (two.size[:1], three.size[:1]) == ((2,), (3,))
        if not apart or two.size[1:] != three.size[1:]:
            raise _unknown(step, self.modules, "; it does not keep each image apart")
        try:
            layers = self._layers(step, inputs, two.size[1:])
        except ValueError as error:
            raise _unknown(step, self.modules, f" with {error}") from None
        if layers is None:
            raise _unknown(step, self.modules)
        number = inputs[0]
        for layer, shape in layers:
            self.nodes.append(Node(layer, inputs))
            self.node_shapes.append(shape)
            number = len(self.nodes)
            inputs = (number,)
        self.numbers[step] = number

    def _layers(
        self, step: fx.Node, inputs: tuple[int, ...], shape: torch.Size
    ) -> list[tuple[Layer, torch.Size]] | None:
        """The layers that a step is, one after the other, with the shapes of their outputs; None: unknown."""
        before = [self.node_shapes[number] for number in inputs]
        if step.target in ADDITIONS and len(inputs) == len(step.args) == 2 and not step.kwargs:
            if before[0] != before[1]:
                raise ValueError("inputs of different shapes")
            return [(Sum(), shape)]
        if step.target in CONCATENATIONS:
            parts, dimension = _arguments(step, "tensors", "dim", dim=0)
            if len(inputs) != len(parts) or dimension == 0:
                return None
            return [(Concatenation(dimension if dimension < 0 else dimension - 1 - len(shape)), shape)]
        if len(inputs) != 1 or not step.args or step.args[0] is not _tensors(step)[0]:
            return None
        module = self._module(step)
        if step.target in RESHAPES or isinstance(module, SAME):
            return [] if shape == before[0] else [(Reshape(shape), shape)]
        if isinstance(module, nn.Conv2d):
            return _convolution(module, before[0], shape)
        if isinstance(module, nn.MaxPool2d) and len(shape) != 3:
            raise ValueError("inputs that are no planes [C, H, W]")
        layer = self._function(step) if module is None else _layer(module, shape)
        return None if layer is None else [(layer, shape)]

    def _module(self, step: fx.Node) -> nn.Module | None:
        """The module that a step is, or that does the same as its function."""
        if step.op == "call_module":
            return self.modules[str(step.target)] if len(step.args) == 1 and not step.kwargs else None
        if step.target not in AS_MODULES:
            return None
        given = {key: value for key, value in self._settled(step.kwargs).items() if value is not None}
        return AS_MODULES[step.target](*self._settled(step.args[1:]), **given)

    def _function(self, step: fx.Node) -> Layer | None:
        """The layer that a function without a module of its own is; None: unknown."""
        if step.target in MEANS:
            places, names = self._settled(step.args[1:]), self._settled(step.kwargs)
            return Fixed(lambda x: x.mean(*places, **names))
        if step.target is functional.pad:
            _, pad, mode, value = _arguments(step, "input", "pad", "mode", "value", mode="constant")
            if value:
                raise ValueError(f"value {value}")
            return Fixed(partial(functional.pad, pad=self._settled(pad), mode=mode))
        return None

    def _graph(self, step: fx.Node, output: tuple[int, ...]) -> Graph:
        if not isinstance(step.args[0], fx.Node) or output != (len(self.nodes),) or len(self.node_shapes[-1]) != 1:
            raise UserError(
                "the network does not return its last layer alone; the bounds need one tensor [B, K], the logits"
            )
        nodes, shapes, last = self.nodes, self.node_shapes, self.nodes[-1]
        used = {number for node in nodes for number in node.inputs}
        for unused, number in self.numbers.items():
            if 0 < number < len(nodes) and number not in used:
                raise UserError(f"the network has layer {unused.name}, which the logits do not need")
        if isinstance(last.layer, Linear) and last.inputs == (len(nodes) - 1,):
            return Graph(tuple(nodes[:-1]), last.layer, tuple(shapes[:-1]))
        return Graph(tuple(nodes), None, tuple(shapes))


def _tensors(step: fx.Node) -> list[fx.Node]:
    """The steps among a step's arguments, one level of lists included."""
    arguments = [*step.args, *step.kwargs.values()]
    flat = [part for argument in arguments for part in (argument if isinstance(argument, list | tuple) else [argument])]
    return [argument for argument in flat if isinstance(argument, fx.Node)]


def _arguments(step: fx.Node, *names: str, **defaults: Any) -> list[Any]:
    """Arguments by these names, given by place or by name."""
    given = dict(zip(names, step.args, strict=False)) | step.kwargs
    return [given.get(name, defaults.get(name)) for name in names]


def _in_place(step: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether a step writes its output over its first input."""
    if step.op == "call_module":
        return bool(getattr(modules[str(step.target)], "inplace", False))
    return step.target is operator.iadd or str(step.target).endswith("_") or bool(step.kwargs.get("inplace"))


def _same_memory(nodes: list[Node], number: int) -> Iterator[int]:
    """The nodes so far that are other views of a node's values, and the node."""

    def viewed(number: int) -> int:
        while number and isinstance(nodes[number - 1].layer, Reshape):
            number = nodes[number - 1].inputs[0]
        return number

    return (other for other in range(len(nodes)) if viewed(other) == viewed(number))


def _convolution(module: nn.Conv2d, before: torch.Size, shape: torch.Size) -> list[tuple[Layer, torch.Size]]:
    """A convolution, after a layer that pads where it does not pad with zeros on both sides alike."""
    if len(before) != 3:
        raise ValueError("inputs that are no planes [C, H, W]")
    if module.padding_mode == "zeros" and not isinstance(module.padding, str):
        return [(Convolution(module, (int(module.padding[0]), int(module.padding[1]))), shape)]
    pad = module._reversed_padding_repeated_twice
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    padded = torch.Size((before[0], before[1] + pad[2] + pad[3], before[2] + pad[0] + pad[1]))
    return [(Fixed(partial(functional.pad, pad=pad, mode=mode)), padded), (Convolution(module, (0, 0)), shape)]


def _layer(module: nn.Module, shape: torch.Size) -> Layer | None:
    """The layer that a module is; None: unknown."""
    match module:
        case nn.Linear():
            return Linear(module)
        case nn.BatchNorm1d() | nn.BatchNorm2d() | Normalize():
            return Scale(module)
        case nn.AvgPool2d() | nn.AdaptiveAvgPool2d():
            return Fixed(module)
        case nn.MaxPool2d():
            return MaxPool(module)
        case nn.ConstantPad2d() if module.value:
            raise ValueError(f"value {module.value}")
        case nn.ConstantPad2d() | nn.ReflectionPad2d() | nn.ReplicationPad2d() | nn.CircularPad2d():
            return Fixed(module)
        case nn.Flatten() | nn.Unflatten():
            return Reshape(shape)
        case nn.ReLU():
            return LeakyReLU()
        case nn.LeakyReLU():
            return LeakyReLU(module.negative_slope)
        case nn.Sigmoid():
            return sigmoid()
        case nn.Tanh():
            return tanh()
    return None


def _unknown(step: fx.Node, modules: dict[str, nn.Module], why: str = "") -> UserError:
    module = modules.get(str(step.target)) if step.op == "call_module" else None
    name = f"{step.target} ({type(module).__name__})" if module is not None else f"{step.name} ({step.target})"
    return UserError(
        f"the bounds do not know layer {name}{why}; they know linear, convolution, batch normalisation, ReLU, leaky ReLU, "
        "sigmoid, tanh, average and max pooling, padding, reshaping, sums and concatenations"
    )
