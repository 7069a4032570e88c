"""alpha-CROWN (Xu et al. 2021, arXiv 2011.13824): the lower lines of activations optimised for each bound of each record."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robustmia.bounds.activations import Lines
from robustmia.bounds.backward import Coefficients, Relaxed, channels_last
from robustmia.bounds.crown import UNLIMITED, Propagation, indices_of, memory_at_hand
from robustmia.bounds.graph import Graph
from robustmia.bounds.interval import Interval
from robustmia.bounds.tracing import read_graph
from robustmia.models.engine import float32_arithmetic

STEPS, STEP_SIZE, DECAY = 20, 0.55, 0.9  # of Adam: steps, the first one's size, and the factor from one to the next
SLOPE_COPIES = 10  # of each slope: itself, its gradient, two moments, and the coefficients that autograd keeps
MEMORY = 256 * 2**20  # bytes on a CPU


class OptimisedSlopes:
    """A lower slope of every activation for every bound; `shared` by all bounds of a node's values to save memory."""

    def __init__(self, shared: bool):
        self.shared = shared
        self.values: dict[tuple[int, int], Tensor] = {}
        self.least: list[float] = []

    def of(self, target: int, node: int, lines: Lines, like: Coefficients) -> Tensor:
        """For functions of the values of a target and the activations at a node; where nothing is optimised yet, CROWN's."""
        free, key = lines.free, (target, node)
        assert free is not None
        planes = torch.stack([lines.lower_slope, free.to(lines.lower_slope)])
        planes = channels_last(planes, planes.shape[2:])
        own, free = like.seen(planes)
        if key not in self.values:
            start = planes[0] if self.shared else own.expand_as(like.values)
            self.values[key] = start.detach().nan_to_num(0.0).clone().requires_grad_()
            self.least.append(lines.least_slope)
        value = self.values[key]
        if self.shared:
            value = like.seen(value.unsqueeze(0))[0]
        return torch.where(free > 0, value, own)

    def step(self, optimizer: torch.optim.Optimizer, bounds: Tensor) -> None:
        """A step that lowers the sum of all bounds, and back into the range of the slopes."""
        values = list(self.values.values())
        gradients = torch.autograd.grad(bounds.sum(), values, allow_unused=True)
        for value, gradient in zip(values, gradients, strict=True):
            value.grad = gradient
        optimizer.step()
        with torch.no_grad():
            for value, least in zip(values, self.least, strict=True):
                value.clamp_(least, 1.0)


class _Optimised(Propagation):
    """A propagation that bounds the same values each time."""

    def __init__(self, graph: Graph, ball: Interval, slopes: OptimisedSlopes, units: dict[int, Tensor | None]):
        super().__init__(Relaxed.over(graph, ball), ball, UNLIMITED, slopes=slopes)
        self.units = units

    def _units(self, node: int, is_open: Tensor) -> Tensor | None:
        if node not in self.units:
            self.units[node] = indices_of(is_open)
        return self.units[node]


def alpha_crown_bounds(
    network: nn.Module,
    ball: Interval,
    labels: Tensor,
    memory: int | None = None,
    steps: int = STEPS,
    step_size: float = STEP_SIZE,
) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y; never above those of `crown_bounds`.

    The lower slopes of all ReLUs are optimised, for each bound of each record its own, from CROWN's on, by steps of Adam that are
    projected to [0, 1]. The lowest bound seen counts. Nothing is cut short once a record is certified, since membership inference
    needs the values.

    Args:
        network: maps images [B, C, H, W] to logits [B, K].
        ball: the images allowed, from `Interval.around`.
        labels: [B], in 0..K-1.
        memory: bytes that slopes and coefficients may take; None: what suits the device. Where those of one image do not fit, all
            bounds of a layer's values share their slopes.
        steps: of Adam.
        step_size: that of the first step, which falls by a tenth from each to the next.

    Raises:
        UserError: the network has a layer that the bounds do not know.
    """
    graph = read_graph(network, ball.centre)
    memory = memory or memory_at_hand(labels.device, MEMORY)
    needed = SLOPE_COPIES * ball.centre.element_size() * slopes_of_an_image(graph)
    images, shared = max(1, memory // needed), needed > memory
    parts = zip(ball.split(images), labels.split(images), strict=True)
    return torch.cat([_optimised(graph, *part, OptimisedSlopes(shared), steps, step_size) for part in parts])


def slopes_of_an_image(graph: Graph) -> int:
    """How many slopes the bounds of one image have at most, one at least."""
    total = 1
    for target, functions in graph.functions().items():
        counts = graph.coefficients(target).items()
        total += functions * sum(count for node, count in counts if graph.is_nonlinear(node))
    return total


def _optimised(
    graph: Graph, ball: Interval, labels: Tensor, slopes: OptimisedSlopes, steps: int, step_size: float
) -> Tensor:
    units: dict[int, Tensor | None] = {}

    def bounds() -> Tensor:
        return _Optimised(graph, ball, slopes, units).margins(labels)

    with torch.enable_grad(), float32_arithmetic(labels.device):
        found = bounds()
        best = found.detach()
        if not slopes.values:
            return best
        optimizer = torch.optim.Adam(slopes.values.values(), step_size)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, DECAY)
        for _ in range(steps):
            slopes.step(optimizer, found)
            schedule.step()
            found = bounds()
            best = torch.minimum(best, found.detach())
    return best
