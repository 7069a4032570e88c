"""What verifiers cost, reckoned from the network alone, and those that a budget affords.

The reckoning counts the multiplications of a record and divides them by a nominal speed, so that it gives the same choice for every
model of a network, on every machine with the same kind of device: models that are compared are verified alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustmia.bounds.alpha_crown import STEPS
from robustmia.bounds.graph import Graph
from robustmia.bounds.layers import Affine
from robustmia.bounds.tracing import read_graph

SPEED = {
    "cpu": 5e9,
    "cuda": 2e12,
}  # multiplications per second, of one core or of a GPU; docs/bounds.md has what was measured
ACTIVATION = 8  # multiplications, or what takes as long, for a coefficient that passes an activation
TIGHTER = ("interval", "crown_interval", "crown", "alpha_crown")  # from the cheapest and loosest to the tightest


@dataclass(frozen=True)
class Choice:
    """Verifiers, and what they cost."""

    seconds: dict[str, float]
    """For 1,000 records, by verifier, in the order in which they are run."""
    tighter: str | None = None
    """The next tighter verifier that is not among them."""
    tighter_seconds: float = 0.0

    def in_words(self) -> str:
        """A sentence for logs and reports."""
        costs = ", ".join(f"{name.replace('_', ' ')} ({_duration(cost)})" for name, cost in self.seconds.items())
        sentence = f"Verifiers, and the time that each is reckoned to take for 1,000 records: {costs}."
        if self.tighter is None:
            return f"{sentence} There is none that is tighter."
        tighter = self.tighter.replace("_", " ")
        return f"{sentence} {tighter} would give tighter bounds, in {_duration(self.tighter_seconds)}."


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
    graph, names, left = read_graph(network, images), [*also], budget
    for name in TIGHTER:
        left -= seconds(graph, name, images.device)
        if left < 0 and name != "interval":
            break
        names.append(name)
    return costs(network, images, tuple(name for name in (*TIGHTER[:1], "dual", *TIGHTER[1:]) if name in names))


def costs(network: nn.Module, images: Tensor, names: tuple[str, ...]) -> Choice:
    """What certain verifiers cost; arguments and errors as for `affordable`."""
    graph = read_graph(network, images)
    tightest = max((TIGHTER.index(name) for name in names if name in TIGHTER), default=-1)
    tighter = None if tightest == len(TIGHTER) - 1 else TIGHTER[tightest + 1]
    if "dual" in names and tightest < TIGHTER.index("crown"):
        tighter = "crown"
    by_name = {name: seconds(graph, name, images.device) for name in names}
    return Choice(by_name, tighter, seconds(graph, tighter, images.device) if tighter else 0.0)


def seconds(graph: Graph, verifier: str, device: torch.device) -> float:
    """What a verifier is reckoned to take for 1,000 records."""
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


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "under 1 s"
    return (
        f"about {seconds:.0f} s"
        if seconds < 120
        else f"about {seconds / 60:.0f} min"
        if seconds < 7200
        else f"about {seconds / 3600:.0f} h"
    )
