"""Affine layers as the bounds use them: x -> A x + b, with |A| and the transpose of A beside it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from robustmia.models.networks.layers import Normalize

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
