"""What verifiers cost, estimated from the network alone, and those that a budget affords.

The estimate counts the multiplications of a record and divides them by a nominal speed, so that it gives the same choice for every
model of a network, on every machine with the same kind of device: models that are compared are verified alike.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

from robustmia.bounds.alpha_crown import STEPS
from robustmia.bounds.choice import Choice
from robustmia.bounds.graph import Graph
from robustmia.bounds.layers import Affine
from robustmia.bounds.tracing import read_graph
from robustmia.bounds.verifiers import VERIFIERS

# Multiplications per second, of one core of a CPU or of a GPU; docs/bounds.md compares with what was measured.
SPEED = {"cpu": 5e9, "cuda": 2e12}
ACTIVATION = 8  # multiplications, or what takes as long, for a coefficient that passes an activation
AUTO = ("interval", "crown_interval", "crown", "alpha_crown")  # each costs more than the one before, and is tighter


def affordable(network: nn.Module, images: Tensor, budget: float, also: tuple[str, ...] = ()) -> Choice:
    """The verifiers from the cheapest on that a budget affords together, at least `interval`.

    Args:
        network: maps images [B, C, H, W] to logits.
        images: some of them, on the device in question.
        budget: seconds for 1,000 records, on one core of a CPU or on a GPU.
        also: verifiers that are wanted whatever they cost.

    Raises:
        UserError: the network has a layer that the bounds do not know.
    """
    graph = read_graph(network, images)
    together = accumulate(seconds(graph, name, images.device) for name in AUTO)
    afforded = [name for name, cost in zip(AUTO, together, strict=True) if cost <= budget or name == "interval"]
    return costs(network, images, tuple(name for name in VERIFIERS if name in {*afforded, *also}))


def costs(network: nn.Module, images: Tensor, names: tuple[str, ...]) -> Choice:
    """What certain verifiers cost; arguments and errors as for `affordable`."""
    graph, order = read_graph(network, images), list(VERIFIERS)
    tightest = max(map(order.index, names))
    tighter = next((name for name in AUTO if order.index(name) > tightest), None)
    by_name = {name: seconds(graph, name, images.device) for name in names}
    return Choice(by_name, tighter, seconds(graph, tighter, images.device) if tighter else 0.0)


def seconds(graph: Graph, verifier: str, device: torch.device) -> float:
    """What a verifier is estimated to take for 1,000 records."""
    return 1000 * multiplications(graph, verifier) / SPEED[device.type]


def multiplications(graph: Graph, verifier: str) -> int:
    """Of one record, at most: with every activation open."""
    shapes = zip(graph.nodes, graph.shapes[1:], strict=True)
    interval = 2 * sum(node.layer.products(shape.numel()) for node, shape in shapes if isinstance(node.layer, Affine))
    by_node = {node: count * _of_function(graph, node) for node, count in graph.functions().items()}
    margins = interval + by_node[len(graph.nodes)]
    if verifier == "interval":
        return interval
    if verifier == "crown_interval":
        return margins
    crown = interval + sum(by_node.values())
    return crown if verifier in ("crown", "dual") else 3 * (STEPS + 1) * crown  # a gradient costs twice the bounds


def _of_function(graph: Graph, node: int) -> int:
    """Multiplications that pass one linear function of a node's values back to the image."""
    total = 0
    for before, count in graph.coefficients(node).items():
        layer = graph.nodes[before - 1].layer if before else None
        total += layer.products(count) if isinstance(layer, Affine) else ACTIVATION * count
    return total
