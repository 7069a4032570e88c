"""Linear bounds propagated backwards (Zhang et al. 2018, arXiv 1811.00866; Xu et al. 2020, arXiv 2002.12920).

A linear function c' x of some layer's values is bounded by a linear function of the layer before, and so on back to the image,
whose ball gives its value. With nu the coefficients at a layer, nu+ and nu- their positive and negative parts, an upper bound is
  affine, z = A x + b:               nu' z = (A' nu)' x + nu' b
  activation, in lines (s, t), (a, b): nu' f(z) <= nu+' (s z + t) + nu-' (a z + b)
  image, x in c +- r:                nu' x <= nu' c + r' |nu|
and a lower bound of c' x is the upper bound of -c' x, negated. One value of a convolution depends on a small window of the layers
before, so that its coefficients are kept for that window alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from robustmia.bounds.activations import Lines, MaxPool, Nonlinear
from robustmia.bounds.graph import Graph, Pair, Window, keeps_windows
from robustmia.bounds.interval import Interval
from robustmia.bounds.layers import Affine, Convolution, Joint, Scale

MATRIX = 2**17  # entries of a convolution's matrix up to which a matrix product is faster than the convolution


@dataclass(frozen=True)
class Places:
    """Where R values of a node lie in its plane, for each image; and the window that they see of the plane of a node before."""

    positions: Tensor
    """[B, R]: row by row."""
    grid: Pair
    """Height and width of the node's plane."""
    window: Window

    def gather(self, planes: Tensor) -> Tensor:
        """What the windows see of planes [F, B or 1, H, W, C]: [F, B, R, h, w, C], and 0 beyond the edge."""
        images, functions = self.positions.shape
        planes = planes.expand(-1, images, -1, -1, -1)
        padded = functional.pad(planes.flatten(0, 1), (0, 0, *self._padding(planes.shape[2:4])))
        (height, width), (down, across) = self.window.size, self.window.stride
        windows = padded.unfold(1, height, down).unfold(2, width, across).permute(0, 1, 2, 4, 5, 3)
        image = torch.arange(len(windows), device=planes.device).view(-1, images, 1)
        count = self.grid[0] * self.grid[1]
        if 2 * functions >= count:  # then it is faster to copy all windows once, and then whole ones
            of_row = windows.reshape(len(windows) * count, -1)
            picked = of_row.index_select(0, (image * count + self.positions).flatten())
        else:
            picked = windows[image, self.positions // self.grid[1], self.positions % self.grid[1]]
        return picked.view(-1, images, functions, *windows.shape[3:])

    def _padding(self, plane: torch.Size) -> tuple[int, int, int, int]:
        """Columns left and right and rows above and below that make the windows of the grid fit; less than 0: cut."""
        window = self.window
        below, right = (
            (values - 1) * step + first + n - size
            for values, step, first, n, size in zip(
                self.grid, window.stride, window.offset, window.size, plane, strict=True
            )
        )
        return -window.offset[1], right, -window.offset[0], below

    def spread(self, values: Tensor, shape: torch.Size) -> Tensor:
        """Windows [B, R, h, w, C] in their planes, [B, R, H, W, C], which are 0 elsewhere; what is beyond the edge is lost."""
        _, height, width = shape
        left, right, above, below = self._padding(shape[1:])
        padded = (above + height + below, left + width + right)  # planes in which every window lies
        row, column = self.positions // self.grid[1], self.positions % self.grid[1]
        rows = (row * self.window.stride[0]).unsqueeze(2) + torch.arange(self.window.size[0], device=row.device)
        columns = (column * self.window.stride[1]).unsqueeze(2) + torch.arange(self.window.size[1], device=row.device)
        at = (rows.unsqueeze(3) * padded[1] + columns.unsqueeze(2)).flatten(2)  # [B, R, h w]
        values = values.flatten(2, 3)
        planes = values.new_zeros(*values.shape[:2], padded[0] * padded[1], shape[0])
        planes = planes.scatter(2, at.unsqueeze(3).expand_as(values), values).unflatten(2, padded)
        return functional.pad(planes, (0, 0, -left, -right, -above, -below))


@dataclass(frozen=True)
class Coefficients:
    """Those of R linear functions of a node's values, for each image."""

    values: Tensor
    """[B, R, D] of a node with D values, [B, R, H, W, C] of one with planes; with `places` [B, R, h, w, C]."""
    places: Places | None = None
    """None: of all values of the node."""
    may_overhang: bool = False
    """Whether a window may have coefficients of places beyond the edge, which count for nothing."""

    def seen(self, planes: Tensor) -> Tensor:
        """What each function's coefficients belong to, of values [F, B, ...] in their order: [F, B, R or 1, ...]."""
        return planes.unsqueeze(2) if self.places is None else self.places.gather(planes)

    def dense(self, shape: torch.Size) -> Coefficients:
        """Of all values of the node."""
        return self if self.places is None else Coefficients(self.places.spread(self.values, shape))

    def cut(self, shape: torch.Size) -> Coefficients:
        """With 0 beyond the edge."""
        if self.places is None or not self.may_overhang:
            return self
        inside = self.places.gather(self.values.new_ones(1, 1, *shape[1:], 1))[0]
        return replace(self, values=self.values * inside, may_overhang=False)

    def widened(self, window: Window | None, shape: torch.Size) -> Coefficients:
        """In a larger window, or of all values of a node of this shape."""
        if window is None or self.places is None or self.places.window == window:
            return self.dense(shape) if window is None else self
        own = self.places.window
        before = [a - b for a, b in zip(own.offset, window.offset, strict=True)]
        after = [n - first - m for n, first, m in zip(window.size, before, own.size, strict=True)]
        values = functional.pad(self.values, (0, 0, before[1], after[1], before[0], after[0]))
        return Coefficients(values, replace(self.places, window=window), self.may_overhang)

    def __add__(self, other: Coefficients) -> Coefficients:
        return Coefficients(self.values + other.values, self.places, self.may_overhang or other.may_overhang)

    def both_signs(self) -> Coefficients:
        """These functions, and then those with their sign changed, [B, 2 R, ...]."""
        return Coefficients(torch.cat([self.values, -self.values], 1), _twice(self.places), self.may_overhang)


class Slopes(Protocol):
    """Lower slopes that are not those of the lines."""

    def of(self, target: int, node: int, lines: Lines, like: Coefficients) -> Tensor:
        """For functions of the values of a target, whose coefficients at the activations of a node are `like`."""
        ...


@dataclass
class Relaxed:
    """A network with lines in place of its activations, for a batch of images."""

    graph: Graph
    planes: dict[int, Tensor]
    """By node, of the image the ball's centre and radius, [2, B, H, W, C]; of activations, as they become known, the slope and shift of
    the upper line, the slope of the lower one and its shift unless that is 0, [3 or 4, B, H, W, C] or [3 or 4, B, D]."""
    lines: dict[int, Lines] = field(default_factory=dict)
    """The same as lines, for all images."""
    matrices: dict[tuple[int, Window | None], Tensor] = field(default_factory=dict)
    """Of small convolutions: their transpose, by node and the window of its values."""
    shifts: dict[int, Tensor] = field(default_factory=dict)
    """b of the affine layers, by node."""
    some: slice = field(default_factory=lambda: slice(None))
    """Which of the images these are."""

    @classmethod
    def over(cls, graph: Graph, ball: Interval) -> Relaxed:
        """With no lines yet, over a ball."""
        return cls(graph, {0: channels_last(torch.stack([ball.centre, ball.radius]), graph.shapes[0])})

    def add(self, node: int, lines: Lines) -> None:
        """Set the lines of an activation."""
        self.lines[node] = lines
        if lines.upper_slope.dim() == lines.upper_shift.dim():  # of one input each, not a maximum
            parts = [lines.upper_slope, lines.upper_shift, lines.lower_slope, lines.lower_shift]
            planes = torch.stack([part for part in parts if part is not None])
            self.planes[node] = channels_last(planes, self.graph.shapes[node])

    def images(self, some: slice) -> Relaxed:
        """For some of the images."""
        planes = {node: planes[:, some] for node, planes in self.planes.items()}
        return Relaxed(self.graph, planes, self.lines, self.matrices, self.shifts, some)

    def shift(self, node: int) -> Tensor:
        """b of the affine layer at a node, in the shape of its output."""
        if node not in self.shifts:
            at = self.graph.nodes[node - 1]
            assert isinstance(at.layer, Affine)
            self.shifts[node] = at.layer(self.planes[0].new_zeros(1, *self.graph.shapes[at.inputs[0]]))[0]
        return self.shifts[node]

    def unit_bounds(self, node: int, units: Tensor, slopes: Slopes | None = None) -> Tensor:
        """Upper bounds of single values of a node, whose numbers are [B, R], and of their negatives: [B, 2 R]; arguments as for `bounds`."""
        shape, window = self.graph.shapes[node], self.graph.windows(node)[node]
        if window is None:
            rows = functional.one_hot(units, shape.numel()).to(self.planes[0]).unflatten(2, shape)
            return _BackwardPass(self, node, Coefficients(channels_last(rows, shape)), True, slopes).bounds()
        plane = shape[1] * shape[2]
        channels = functional.one_hot(units // plane, shape[0]).to(self.planes[0])
        places = Places(units % plane, (shape[1], shape[2]), window)
        return _BackwardPass(self, node, Coefficients(channels[:, :, None, None], places), True, slopes).bounds()

    def bounds(self, node: int, rows: Coefficients, slopes: Slopes | None = None) -> Tensor:
        """Upper bounds of linear functions of a node's values.

        Args:
            node: its number.
            rows: R functions for each image.
            slopes: lower slopes, where they are not those of the lines.

        Returns:
            [B, R].
        """
        return _BackwardPass(self, node, rows, False, slopes).bounds()


class _BackwardPass:
    """Of some linear functions, from a node to the image."""

    def __init__(self, relaxed: Relaxed, node: int, rows: Coefficients, both: bool, slopes: Slopes | None):
        self.relaxed, self.graph, self.slopes, self.target = relaxed, relaxed.graph, slopes, node
        self.windows = self.graph.windows(node) if rows.places else {}
        self.waiting = {node: rows}
        self.both = both
        """Whether negatives are bounded too, and still have the same coefficients up to their sign."""
        zero = rows.values.new_zeros(rows.values.shape[:2])
        self.constant, self.of_negative = zero, zero

    def bounds(self) -> Tensor:
        """Upper bounds of the functions, and then of their negatives if those are asked for."""
        for number in range(self.target, 0, -1):
            if number in self.waiting:
                self._pass_node(number)
        return self._at_image()

    def _pass_node(self, number: int) -> None:
        """Replace the function of a node's values by one of its inputs'."""
        at, rows = self.graph.nodes[number - 1], self.waiting.pop(number)
        shapes = [self.graph.shapes[before] for before in at.inputs]
        if isinstance(at.layer, Nonlinear):
            before = [self._activation(at.layer, number, rows)]
        elif isinstance(at.layer, Affine):
            before = [self._affine(at.layer, number, rows, shapes[0])]
        else:
            before = _joint(at.layer, rows, self.graph.shapes[number], shapes)
        for source, shape, coefficients in zip(at.inputs, shapes, before, strict=True):
            known = self.waiting.get(source)
            widened = coefficients.widened(self.windows.get(source), shape)
            self.waiting[source] = widened if known is None else known + widened

    def _at_image(self) -> Tensor:
        """The bounds over the ball."""
        rows = self.waiting[0]
        centre, radius = rows.seen(self.relaxed.planes[0])
        centre, reach = _dot(rows.values, centre), _dot(rows.values.abs(), radius)
        if not self.both:
            return self.constant + centre + reach
        return torch.cat([self.constant + centre + reach, self.of_negative - centre + reach], 1)

    def _affine(self, layer: Affine, number: int, rows: Coefficients, shape: torch.Size) -> Coefficients:
        own, shift = self.graph.shapes[number], self.relaxed.shift(number)
        if isinstance(layer, Convolution | Scale) and len(own) == 3:  # the same shift everywhere in a channel
            rows = rows.cut(own)
            constant = rows.values.sum((2, 3)) @ shift[:, 0, 0]
        else:
            rows = rows.dense(own)
            constant = rows.values.flatten(2) @ channels_last(shift, own).flatten()
        self.constant = self.constant + constant
        if self.both:
            self.of_negative = self.of_negative - constant
        if isinstance(layer, Convolution):
            return self._convolution(layer, number, rows, shape)
        if isinstance(layer, Scale) and len(own) == 3:
            return replace(rows, values=rows.values * layer.factor_and_shift()[0])
        values = layer.transpose(channels_first(rows.values, own).flatten(0, 1), shape)
        return Coefficients(channels_last(values.unflatten(0, rows.values.shape[:2]), shape))

    def _convolution(self, layer: Convolution, number: int, rows: Coefficients, shape: torch.Size) -> Coefficients:
        """Through a convolution."""
        if rows.places is None:
            through = partial(layer.transpose_planes, shape=shape)
            return Coefficients(self._mapped((number, None), rows.values, through, (*shape[1:], shape[0])))
        own, before = rows.places.window, rows.places.window.before(layer)
        values = self._mapped((number, own), rows.values, layer.transpose_windows, (*before.size, shape[0]))
        overhangs = not before.inside(rows.places.grid, (shape[1], shape[2]))
        return Coefficients(values, replace(rows.places, window=before), overhangs)

    def _mapped(
        self,
        key: tuple[int, Window | None],
        values: Tensor,
        function: Callable[[Tensor], Tensor],
        shape: tuple[int, ...],
    ) -> Tensor:
        """A linear function of every row, [N, ...] to [N, *shape], as one matrix product where its matrix is small."""
        size, matrices = values[0, 0].numel(), self.relaxed.matrices
        if size * math.prod(shape) > MATRIX:
            return function(values.flatten(0, 1)).unflatten(0, values.shape[:2])
        if key not in matrices:
            matrices[key] = function(torch.eye(size).to(values).unflatten(1, values.shape[2:])).flatten(1)
        return (values.flatten(2) @ matrices[key]).unflatten(2, shape)

    def _activation(self, layer: Nonlinear, number: int, rows: Coefficients) -> Coefficients:
        lines = self.relaxed.lines[number]
        if isinstance(layer, MaxPool):
            return self._maximum(layer, lines, self._signed(rows).dense(self.graph.shapes[number]), number)
        slopes = None if lines.free is None else self.slopes
        if slopes:
            rows = self._signed(rows)
        upper, shift, lower, *lower_shift = rows.seen(self.relaxed.planes[number])
        if slopes:
            lower = slopes.of(self.target, number, lines, rows)
        nu, positive = rows.values, rows.values.relu()
        above = _dot(positive, shift)
        constant = above + (_dot(nu - positive, lower_shift[0]) if lower_shift else 0.0)
        parallel = lines.upper_slope is lines.lower_slope
        if not self.both:
            self.constant = self.constant + constant
            values = nu * upper if parallel else _between(positive, nu, upper, lower)
            return replace(rows, values=values, may_overhang=False)
        negative = above - _dot(nu, shift) - (_dot(positive, lower_shift[0]) if lower_shift else 0.0)
        if parallel:
            self.constant, self.of_negative = self.constant + constant, self.of_negative + negative
            return replace(rows, values=nu * upper, may_overhang=False)
        common = positive * (upper - lower)
        values = torch.cat([torch.addcmul(common, nu, lower), torch.addcmul(common, nu, upper, value=-1.0)], 1)
        self._separate(constant, negative)
        return Coefficients(values, _twice(rows.places))

    def _maximum(self, layer: MaxPool, lines: Lines, rows: Coefficients, number: int) -> Coefficients:
        shapes = self.graph.shapes
        lines = lines.images(self.relaxed.some)
        nu = channels_first(rows.values, shapes[number]).flatten(3).unsqueeze(3)  # [B, R, C, 1, outputs]
        positive, upper, lower = nu.clamp(min=0.0), lines.upper_slope.unsqueeze(1), lines.lower_slope.unsqueeze(1)
        self.constant = self.constant + _dot(positive.squeeze(3), lines.upper_shift.unsqueeze(1))
        taps = torch.addcmul(positive * (upper - lower), nu, lower)
        before = shapes[self.graph.nodes[number - 1].inputs[0]]
        values = layer.transpose(taps.flatten(0, 1), before).unflatten(0, taps.shape[:2])
        return Coefficients(channels_last(values, before))

    def _signed(self, rows: Coefficients) -> Coefficients:
        """The functions and their negatives apart from here on."""
        if not self.both:
            return rows
        self._separate(0.0, 0.0)
        return rows.both_signs()

    def _separate(self, constant: Tensor | float, of_negative: Tensor | float) -> None:
        """Take functions and their negatives apart in everything but the node at hand, and add a constant to each."""
        self.constant = torch.cat([self.constant + constant, self.of_negative + of_negative], 1)
        self.waiting = {node: rows.both_signs() for node, rows in self.waiting.items()}
        self.both = False


def _joint(layer: Joint, rows: Coefficients, own: torch.Size, shapes: list[torch.Size]) -> list[Coefficients]:
    if not keeps_windows(layer):
        rows = rows.dense(own)
    parts = layer.transpose(channels_first(rows.values, own), shapes)
    return [replace(rows, values=channels_last(part, own)) for part in parts]


def channels_last(values: Tensor, shape: torch.Size) -> Tensor:
    """Values [..., *shape] of a node, in the order of coefficients: [..., H, W, C] where it has planes."""
    return values.movedim(-3, -1).contiguous() if len(shape) == 3 else values


def channels_first(values: Tensor, shape: torch.Size) -> Tensor:
    """What `channels_last` does, undone; not copied."""
    return values.movedim(-1, -3) if len(shape) == 3 else values


def _between(positive: Tensor, nu: Tensor, upper: Tensor, lower: Tensor) -> Tensor:
    """nu times the upper slope where it is positive and the lower one elsewhere; `positive` may be overwritten."""
    if torch.is_grad_enabled():
        return torch.addcmul(positive * (upper - lower), nu, lower)
    return positive.mul_(upper - lower).addcmul_(nu, lower)


def _twice(places: Places | None) -> Places | None:
    return places and replace(places, positions=places.positions.repeat(1, 2))


def _dot(values: Tensor, weights: Tensor) -> Tensor:
    """The sum of the products of values [B, R, ...] and weights [B, R or 1, ...], [B, R]."""
    if weights.shape[1] == 1:
        return (values.flatten(2) @ weights.flatten(2).transpose(1, 2)).squeeze(2)
    return (values * weights).flatten(2).sum(2)
