"""CROWN: linear bounds propagated backwards (Zhang et al. 2018, arXiv 1811.00866; Xu et al. 2020, arXiv 2002.12920).

An upper bound of c' x at some layer is a linear function of the layer before, and so on back to the image, whose ball gives its
value: with nu the coefficients at a layer, nu+ and nu- their positive and negative parts,
  affine, z = A x + b:        nu' z = (A' nu)' x + nu' b
  ReLU, with z in [l, u]:     nu' relu(z) <= nu+' (s z + t) + nu-' (a z)
  image, x in c +- r:         nu' x <= nu' c + r' |nu|
The upper line (s, t) of an unstable ReLU is its chord, s = u / (u - l) and t = -s l; its lower line has any slope a in [0, 1].
CROWN takes the a of smaller area, 1 where u > -l and else 0. alpha-CROWN (Xu et al. 2021, arXiv 2011.13824) optimises it for each
bound. The bounds l and u come from the same propagation, for those units alone whose sign intervals leave open, met with intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from robustmia.bounds.graph import UNLIMITED, Graph
from robustmia.bounds.interval import Interval, margin_bounds, margin_rows
from robustmia.bounds.layers import Affine
from robustmia.bounds.tracing import read_graph

ROWS = (
    32  # coefficient vectors taken at once for each image, where memory allows: fewer would leave matrix products small
)

STEPS, STEP_SIZE = 20, 0.25  # of alpha-CROWN; benchmarks/bounds.py has what they cost and gain


@dataclass
class _Lines:
    """The lines around the ReLUs of one node, each [B, ...]."""

    upper_slope: Tensor
    upper_shift: Tensor
    lower_slope: Tensor
    unstable: Tensor
    """bool: where the lower slope is free."""

    @classmethod
    def around(cls, inputs: Interval) -> _Lines:
        """Of ReLUs whose inputs lie in an interval; where an end is nan, so are the lines."""
        low, high = inputs.low, inputs.high
        unstable = (low < 0) & (high > 0)
        stable = torch.where(low >= 0, 1.0, torch.where(high <= 0, 0.0, torch.nan)).to(low.dtype)
        slope = torch.where(unstable, high / torch.where(unstable, high - low, 1.0), stable)
        steeper = torch.where(unstable, (high > -low).to(low.dtype), stable)
        return cls(slope, torch.where(unstable, -slope * low, 0.0), steeper, unstable)


@dataclass(frozen=True)
class _Rows:
    """Some of the coefficient vectors at a node whose bounds are asked for."""

    node: int
    first: int
    count: int
    total: int
    signs: int = 1
    """2: each vector, and then each with its sign changed."""


class _Slopes:
    """A lower slope in [0, 1] of every ReLU for every bound, to be optimised; `shared` by all bounds at a node to save memory."""

    def __init__(self, shared: bool):
        self.shared = shared
        self.values: dict[tuple[int, int], Tensor] = {}

    def of(self, relu: int, rows: _Rows, lines: _Lines) -> Tensor:
        """For the ReLUs of a node and some rows, [B, R or 1, ...]; where nothing is optimised yet, CROWN's."""
        own = lines.lower_slope.unsqueeze(1)
        key = (rows.node, relu)
        if key not in self.values:
            total = 1 if self.shared else rows.total
            start = own.detach().nan_to_num(0.0).unsqueeze(1).repeat(1, rows.signs, total, *[1] * (own.dim() - 2))
            self.values[key] = start.requires_grad_()
        value = self.values[key]
        if not self.shared:
            value = value[:, :, rows.first : rows.first + rows.count]
        elif rows.signs > 1:
            value = value.expand(-1, -1, rows.count, *value.shape[3:])
        return torch.where(lines.unstable.unsqueeze(1), value.flatten(1, 2), own)


@dataclass
class _Relaxed:
    """The network with lines in place of its ReLUs, as far as they are known."""

    graph: Graph
    ball: Interval
    rows_at_once: int
    slopes: _Slopes | None = None
    """None: CROWN's."""
    lines: dict[int, _Lines] = field(default_factory=dict)
    units: dict[int, Tensor | None] = field(default_factory=dict)
    """The units of each node that get linear bounds, [B, R]; None: no unit."""

    def __post_init__(self) -> None:
        self.shapes = self.graph.shapes(self.ball.centre[:1])
        zeros = [self.ball.centre.new_zeros(1, *shape) for shape in self.shapes]
        self.shifts = {  # b of each affine layer, [1, ...]
            number: node.layer(zeros[node.inputs[0]])
            for number, node in enumerate(self.graph.nodes, start=1)
            if node.layer is not None
        }

    def refine(self, node: int, inputs: Interval) -> Interval:
        """Bounds of the values of a node, from intervals of them: those whose sign is open get linear bounds."""
        if self.graph.direct(node) is not None:
            return inputs
        low, high = inputs.low.flatten(1), inputs.high.flatten(1)
        if node not in self.units:
            self.units[node] = unstable_units(low, high)
        units = self.units[node]
        if units is None:
            return inputs
        upper, lower, first = [], [], 0
        for part in units.split(max(1, self.rows_at_once // 2), dim=1):
            rows = low.new_zeros(*part.shape, low.shape[1]).scatter(2, part.unsqueeze(2), 1.0)
            of = _Rows(node, first, part.shape[1], units.shape[1], signs=2)
            bounds = self.upper(rows.unflatten(2, self.shapes[node]), of)
            upper.append(bounds[:, : part.shape[1]])
            lower.append(-bounds[:, part.shape[1] :])
            first += part.shape[1]
        tighter_low = -_lower_of(-low.gather(1, units), -torch.cat(lower, 1))
        tighter_high = _lower_of(high.gather(1, units), torch.cat(upper, 1))
        low, high = low.scatter(1, units, tighter_low), high.scatter(1, units, tighter_high)
        return Interval.between(low.view_as(inputs.low), high.view_as(inputs.low))

    def upper(self, rows: Tensor, of: _Rows) -> Tensor:
        """Upper bounds of c' x for vectors c at a node, [B, R, ...]: [B, R], or with two signs of c and then of -c, [B, 2 R]."""
        waiting, constant, both_signs = {of.node: rows}, rows.new_zeros(rows.shape[:2]), of.signs == 2
        for number in range(of.node, 0, -1):
            if number not in waiting:
                continue
            at = self.graph.nodes[number - 1]
            if (
                at.layer is None and len(at.inputs) == 1 and both_signs
            ):  # until here the bounds of -c are those of c, negated
                waiting = {before: torch.cat([nu, -nu], 1) for before, nu in waiting.items()}
                constant, both_signs = torch.cat([constant, -constant], 1), False
            nu = waiting.pop(number)
            if at.layer is not None:
                constant = constant + nu.flatten(2) @ self.shifts[number].flatten()
                back = at.layer.transpose(nu.flatten(0, 1), self.shapes[at.inputs[0]])
                nu = back.unflatten(0, nu.shape[:2])
            elif len(at.inputs) == 1:
                lines = self.lines[number]
                lower = lines.lower_slope.unsqueeze(1) if self.slopes is None else self.slopes.of(number, of, lines)
                positive = nu.clamp(min=0.0)
                constant = constant + (positive.flatten(2) @ lines.upper_shift.flatten(1).unsqueeze(2)).squeeze(2)
                nu = torch.where(nu > 0, lines.upper_slope.unsqueeze(1), lower) * nu
            for before in at.inputs:
                waiting[before] = waiting[before] + nu if before in waiting else nu
        nu = waiting[0].flatten(2)
        if both_signs:
            nu, constant = torch.cat([nu, -nu], 1), torch.cat([constant, -constant], 1)
        centre, radius = (part.flatten(1).unsqueeze(2) for part in (self.ball.centre, self.ball.radius))
        return constant + (nu @ centre + nu.abs() @ radius).squeeze(2)


def _lower_of(interval: Tensor, linear: Tensor) -> Tensor:
    """The lower of two upper bounds; while slopes are optimised the gradient is that of the linear one, which may become the lower."""
    lower = torch.minimum(interval, linear)
    return lower if not linear.requires_grad else linear + (lower - linear).detach()


def unstable_units(low: Tensor, high: Tensor) -> Tensor | None:
    """Numbers of the units whose sign is open, [B, R], for bounds [B, N]; images with fewer than R have others beside. None: there are none."""
    open_sign = (low < 0) & (high > 0) | low.isnan() | high.isnan()
    most = int(open_sign.sum(1).max())
    return open_sign.to(torch.uint8).topk(most, dim=1, sorted=False).indices if most else None


@dataclass(frozen=True)
class _Box:
    """Intervals of the network's values, whose ReLUs are given lines as they are met."""

    interval: Interval
    relaxed: _Relaxed
    refines: bool

    def affine(self, layer: Affine) -> _Box:
        return _Box(self.interval.affine(layer), self.relaxed, self.refines)

    def relu(self, node: int) -> _Box:
        inputs = self.interval
        if self.refines:
            inputs = self.relaxed.refine(self.relaxed.graph.nodes[node - 1].inputs[0], inputs)
        self.relaxed.lines[node] = _Lines.around(inputs)
        return _Box(inputs.relu(node), self.relaxed, self.refines)

    def __add__(self, other: _Box) -> _Box:
        return _Box(self.interval + other.interval, self.relaxed, self.refines)


def crown_bounds(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None = None) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y; never above those of `interval_bounds`.

    Differentiable in the network's weights. Batch normalisation is taken in evaluation mode.

    Args:
        network: maps images [B, C, H, W] to logits [B, K].
        ball: the images allowed, from `Interval.around`.
        labels: [B], in 0..K-1.
        memory: bytes that coefficient vectors may take; None: as many as they need. Where those of all units of a layer do
            not fit, fewer units, and then fewer images, are taken at a time.

    Raises:
        UserError: the network has a layer that the bounds do not know.
    """
    return _in_parts(network, ball, labels, memory, refines=True)


def crown_interval_bounds(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None = None) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y: `crown_bounds` with intervals before each ReLU.

    CROWN-IBP (Zhang et al. 2020, arXiv 1906.06316, section 3.2): looser, at the cost of two forward passes and a backward pass for
    each class, so that large networks can be verified. Arguments as for `crown_bounds`.
    """
    return _in_parts(network, ball, labels, memory, refines=False)


def _in_parts(network: nn.Module, ball: Interval, labels: Tensor, memory: int | None, refines: bool) -> Tensor:
    graph, parts = read_graph(network), []
    for part, theirs, rows_at_once in graph.parts(ball, labels, memory, ROWS):
        relaxed = _Relaxed(graph, part, rows_at_once)
        parts.append(_margins(_Box(part, relaxed, refines), theirs))
    return torch.cat(parts)


def _margins(image: _Box, labels: Tensor) -> Tensor:
    """Upper bounds of z_k - z_y, [B, K], met with those of intervals."""
    relaxed = image.relaxed
    hidden = relaxed.graph.propagate(image).interval
    weight, bias = relaxed.graph.head(hidden.centre)
    rows, shift = margin_rows(weight, labels), bias - bias[labels].unsqueeze(1)
    node = len(relaxed.graph.nodes)
    linear, first = [], 0
    for part in rows.split(relaxed.rows_at_once, dim=1):
        of = _Rows(node, first, part.shape[1], rows.shape[1])
        linear.append(relaxed.upper(part.unflatten(2, relaxed.shapes[node]), of))
        first += part.shape[1]
    return _lower_of(margin_bounds(hidden, weight, bias, labels), torch.cat(linear, 1) + shift)


def alpha_crown_bounds(
    network: nn.Module,
    ball: Interval,
    labels: Tensor,
    memory: int | None = None,
    steps: int = STEPS,
    step_size: float = STEP_SIZE,
) -> Tensor:
    """Upper bounds of z_k - z_y over a ball, [B, K], 0 at k = y; never above those of `crown_bounds`.

    alpha-CROWN (Xu et al. 2021, arXiv 2011.13824): the lower slopes of all ReLUs are optimised, for each bound of each record its own,
    from CROWN's on, by steps of Adam that are projected to [0, 1]. The lowest bound seen counts. Nothing is cut short once a record is
    certified, since membership inference needs the values.

    Args:
        network: maps images [B, C, H, W] to logits [B, K].
        ball: the images allowed, from `Interval.around`.
        labels: [B], in 0..K-1.
        memory: bytes that slopes and coefficient vectors may take; None: as many as they need. Where those of one image do
            not fit, all bounds of a layer share their slopes.
        steps: of Adam.
        step_size: its step size.

    Raises:
        UserError: the network has a layer that the bounds do not know.
    """
    graph = read_graph(network)
    images, shared = len(labels), False
    if memory is not None:
        needed = _slopes_bytes(graph, ball)
        images, shared = max(1, memory // needed), needed > memory
    parts = zip(ball.split(images), labels.split(images), strict=True)
    return torch.cat([_optimised(graph, *part, _Slopes(shared), steps, step_size) for part in parts])


def _slopes_bytes(graph: Graph, ball: Interval) -> int:
    """What the slopes and the vectors of all bounds of one image take while they are optimised."""
    shapes = graph.shapes(ball.centre[:1])
    relus = [number for number, node in enumerate(graph.nodes, 1) if node.layer is None and len(node.inputs) == 1]
    classes = graph.last.module.out_features if graph.last else shapes[-1].numel()
    total = 0
    for relu in [*relus, len(graph.nodes) + 1]:
        rows = 2 * shapes[graph.nodes[relu - 1].inputs[0]].numel() if relu in relus else classes
        total += rows * sum(shapes[before].numel() for before in relus if before < relu)
    return max(1, OPTIMISED_COPIES * total * ball.centre.element_size())


OPTIMISED_COPIES = 8  # of each slope: itself, its gradient, two moments, and coefficients before and after


def _optimised(graph: Graph, ball: Interval, labels: Tensor, slopes: _Slopes, steps: int, step_size: float) -> Tensor:
    units: dict[int, Tensor | None] = {}

    def bounds() -> Tensor:
        relaxed = _Relaxed(graph, ball, UNLIMITED, slopes, units=units)
        return _margins(_Box(ball, relaxed, refines=True), labels)

    with torch.enable_grad():
        found = bounds()
        best = found.detach()
        if not slopes.values:
            return best
        optimizer = torch.optim.Adam(slopes.values.values(), step_size)
        for _ in range(steps):
            gradients = torch.autograd.grad(found.sum(), list(slopes.values.values()), allow_unused=True)
            for value, gradient in zip(slopes.values.values(), gradients, strict=True):
                value.grad = gradient
            optimizer.step()
            with torch.no_grad():
                for value in slopes.values.values():
                    value.clamp_(0.0, 1.0)
            found = bounds()
            best = torch.minimum(best, found.detach())
    return best
