"""Layers that are not affine, and the lines that enclose them over an interval.

All are monotone, so that an interval maps to the values of its ends. A linear bound has lines instead,
  a z + b <= f(z) <= s z + t for every z in [l, u],
exact where f is linear there. Sources: Zhang et al. 2018 (arXiv 1811.00866), section 3; for maxima Boopathy et al. 2019
(arXiv 1811.12395), of whose bounds `MaxPool` has a simpler form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

BISECTIONS = 30  # of the points of tangency; what they miss is on the safe side


@dataclass(frozen=True)
class Lines:
    """The lines around the activations of one node, each [B, ...]."""

    upper_slope: Tensor
    upper_shift: Tensor
    lower_slope: Tensor
    lower_shift: Tensor | None = None
    """None: 0."""
    free: Tensor | None = None
    """bool: where the lower slope may be any number between `least_slope` and 1; None: nowhere."""
    least_slope: float = 0.0

    def parallel(self) -> Lines:
        """With the upper slope for both lines, where the lower one is free (Wong and Kolter 2018, arXiv 1711.00851, equations 6 and 8)."""
        if self.free is None:
            return self
        return Lines(self.upper_slope, self.upper_shift, self.upper_slope)

    def images(self, some: slice) -> Lines:
        """Of some images."""
        shift = None if self.lower_shift is None else self.lower_shift[some]
        return Lines(self.upper_slope[some], self.upper_shift[some], self.lower_slope[some], shift)


class Nonlinear:
    """A monotone layer."""

    def __call__(self, x: Tensor) -> Tensor:
        """The layer's output, [N, ...]."""
        raise TypeError(f"{type(self).__name__} does not define a call")

    def open(self, low: Tensor, high: Tensor) -> Tensor:
        """bool: the inputs whose lines tighter bounds would change."""
        return (low < high) | low.isnan() | high.isnan()

    def lines(self, low: Tensor, high: Tensor) -> Lines:
        """Lines around it for inputs in [low, high]; nan where an end is."""
        raise TypeError(f"{type(self).__name__} does not define lines()")


class LeakyReLU(Nonlinear):
    """max(z, g z) with 0 <= g < 1; of a ReLU g is 0.

    Where the sign of z is open, the upper line is the chord and the lower one any of slope g to 1 through 0; CROWN takes the end whose
    line leaves the smaller area, 1 where u > -l (Zhang et al. 2018, table 2).
    """

    def __init__(self, negative_slope: float = 0.0):
        if not 0.0 <= negative_slope < 1.0:
            raise ValueError(f"negative slope {negative_slope:g}; 0 to 1 is needed")
        self.negative_slope = negative_slope

    def __call__(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x, self.negative_slope) if self.negative_slope else x.relu()

    def open(self, low: Tensor, high: Tensor) -> Tensor:
        return ((low < 0) & (high > 0)) | low.isnan() | high.isnan()

    def lines(self, low: Tensor, high: Tensor) -> Lines:
        g, one, nan = low.new_tensor((self.negative_slope, 1.0, torch.nan))
        unstable = (low < 0) & (high > 0)
        stable = torch.where(low >= 0, one, torch.where(high <= 0, g, nan))
        width = torch.where(unstable, high - low, 1.0)
        slope = torch.where(unstable, (high - g * low) / width, stable)
        shift = torch.where(unstable, (g - 1.0) * low * (high / width), 0.0)
        lower = torch.where(unstable, torch.where(high > -low, one, g), stable)
        return Lines(slope, shift, lower, None, unstable, self.negative_slope)


class SShaped(Nonlinear):
    """An odd function around 0, up to a constant, convex below 0 and concave above: the sigmoid and tanh.

    Where the chord is on the wrong side of the curve, the line is a tangent: at the middle of the interval, or as near to it as a
    tangent is beyond the far end too (Zhang et al. 2018, figure 1 and section 3.2).
    """

    def __init__(self, function: Callable[[Tensor], Tensor], derivative: Callable[[Tensor], Tensor], middle: float):
        self.function, self.derivative, self.middle = function, derivative, middle

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    def lines(self, low: Tensor, high: Tensor) -> Lines:
        upper_slope, upper_shift = self._upper(low, high)
        lower_slope, shift = self._upper(-high, -low)  # f(-z) - f(0) = -(f(z) - f(0))
        return Lines(upper_slope, upper_shift, lower_slope, 2 * self.middle - shift)

    def _upper(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Slope and shift of the upper line."""
        width = high - low
        thin = (
            width <= 1e-6
        )  # where a chord would be all rounding; the curve is no steeper than 1, so a flat line will do
        slope = (self(high) - self(low)) / torch.where(thin, 1.0, width)
        at = self._tangency(low.detach(), high.detach())
        by_tangent = (low >= 0) | (at < high)
        tangent = self.derivative(at)
        slope = torch.where(thin, 0.0, torch.where(by_tangent, tangent, slope))
        through = torch.where(
            thin, self(high), torch.where(by_tangent, self(at) - tangent * at, self(high) - slope * high)
        )
        return slope, through + 0.0 * (low + high)  # nan where an end is

    def _tangency(self, low: Tensor, high: Tensor) -> Tensor:
        """The point nearest to the middle whose tangent is above f(low); `high` where there is none below it."""
        middle = 0.5 * (low + high)
        near, far = torch.zeros_like(low), high.clamp(min=0.0)
        for _ in range(BISECTIONS):
            at = 0.5 * (near + far)
            above = self(at) + self.derivative(at) * (low - at) >= self(low)
            near, far = torch.where(above, near, at), torch.where(above, at, far)
        return torch.where(low >= 0, middle, torch.maximum(far, middle))


def sigmoid() -> SShaped:
    """1 / (1 + exp(-z))."""
    return SShaped(torch.sigmoid, lambda z: torch.sigmoid(z) * torch.sigmoid(-z), middle=0.5)


def tanh() -> SShaped:
    """The hyperbolic tangent."""
    return SShaped(torch.tanh, lambda z: 1.0 / torch.cosh(z).square(), middle=0.0)


class MaxPool(Nonlinear):
    """The maximum of each window, whose n inputs have lines of their own: slopes are [B, C, n, outputs], shifts [B, C, outputs].

    The lower line is the input with the highest lower end, h. The upper one is h + sum over i of the chords of relu(z_i - h), which is
    above since max z <= h + sum of relu(z_i - h) and exact where one input is the highest for sure; or the highest upper end,
    whichever is lower at the middle.
    """

    def __init__(self, module: nn.MaxPool2d):
        if module.ceil_mode or module.return_indices:
            raise ValueError("ceil_mode or return_indices")
        self.module = module
        self.windows = nn.Unfold(
            module.kernel_size, module.dilation, module.padding, module.stride or module.kernel_size
        )

    def __call__(self, x: Tensor) -> Tensor:
        return self.module(x)

    def _inputs(self, x: Tensor) -> Tensor:
        """The inputs of each window, [B, C, n, outputs]; beyond the edge 0."""
        return self.windows(x).unflatten(1, (x.shape[1], -1))

    def lines(self, low: Tensor, high: Tensor) -> Lines:
        inside = self._inputs(torch.ones_like(low[:1])) > 0
        lows = torch.where(inside, self._inputs(low), -torch.inf)
        highs = torch.where(inside, self._inputs(high), -torch.inf)
        highest_low, which = lows.max(2, keepdim=True)
        lower_slope = torch.zeros_like(lows).scatter(2, which, 1.0)
        crossing = inside & (lows < highest_low) & (highs > highest_low)
        sure = inside & (lows >= highest_low)  # relu(z - h) = z - h; all inputs that reach h
        width = torch.where(crossing, highs - lows, 1.0)
        slope = torch.where(crossing, (highs - highest_low) / width, sure.to(low.dtype))
        shift = highest_low.squeeze(2) - (slope * torch.where(inside, lows, 0.0)).sum(
            2
        )  # a chord is 0 at the lower end
        centre = torch.where(inside, 0.5 * (lows + highs), 0.0)
        highest = highs.amax(2)
        flat = (shift + (slope * centre).sum(2) > highest).unsqueeze(2)
        return Lines(torch.where(flat, 0.0, slope), torch.where(flat.squeeze(2), highest, shift), lower_slope)

    def transpose(self, taps: Tensor, shape: torch.Size) -> Tensor:
        """Coefficients [N, C, H, W] of the inputs from those of the inputs of each window, [N, C, n, outputs]."""
        fold = self.windows
        return functional.fold(
            taps.flatten(1, 2), shape[1:], fold.kernel_size, fold.dilation, fold.padding, fold.stride
        )
