"""Affine layers as the bounds use them: x -> A x + b, with |A| and the transpose of A beside it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from robustmia.models.networks.layers import Normalize


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

    def products(self, outputs: int) -> int:
        """Multiplications that pass a vector of so many outputs back."""
        return outputs


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

    def products(self, outputs: int) -> int:
        return outputs * self.module.in_features


class Convolution(Affine):
    """A two-dimensional convolution, padded with zeros on both sides alike."""

    def __init__(self, module: nn.Conv2d, padding: tuple[int, int]):
        self.module, self.padding = module, padding

    def __call__(self, x: Tensor) -> Tensor:
        return self._apply(x, self.module.weight, self.module.bias)

    def linear(self, x: Tensor) -> Tensor:
        return self._apply(x, self.module.weight)

    def absolute(self, x: Tensor) -> Tensor:
        return self._apply(x, self.module.weight.abs())

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        m = self.module
        return functional.conv2d(x, weight, bias, m.stride, self.padding, m.dilation, m.groups)

    @property
    def reach(self) -> tuple[int, int]:
        """Height and width of the inputs that one output depends on."""
        (down, across), m = self.module.kernel_size, self.module
        return m.dilation[0] * (down - 1) + 1, m.dilation[1] * (across - 1) + 1

    def transpose(self, y: Tensor, shape: torch.Size) -> Tensor:
        return self.transpose_planes(y.permute(0, 2, 3, 1), shape).permute(0, 3, 1, 2)

    def transpose_planes(self, y: Tensor, shape: torch.Size) -> Tensor:
        """A' y, with channels last: [N, H, W, C] for inputs of this shape (C, H, W)."""
        strides, sizes = self.module.stride, zip(shape[1:], self.padding, self.reach, strict=True)
        missed = [  # rows and columns at the far end that no window reaches
            size + 2 * padding - reach - stride * (out - 1)
            for (size, padding, reach), stride, out in zip(sizes, strides, y.shape[1:3], strict=True)
        ]
        return self._transpose(y, self.padding, missed)

    def transpose_windows(self, y: Tensor) -> Tensor:
        """A' y for windows [N, h, w, C] of outputs: the windows of inputs that they depend on, wherever they lie."""
        return self._transpose(y, (0, 0), (0, 0))

    def _transpose(self, y: Tensor, padding: tuple[int, int], missed: list[int] | tuple[int, int]) -> Tensor:
        m = self.module
        y = y.permute(0, 3, 1, 2)
        back = functional.conv_transpose2d(y, m.weight, None, m.stride, padding, missed, m.groups, m.dilation)
        return back.permute(0, 2, 3, 1)

    def products(self, outputs: int) -> int:
        return outputs * self.module.weight[0].numel()


class Scale(Affine):
    """A factor and a shift for each channel: batch normalisation in evaluation mode, or normalisation of the input."""

    mixes = False

    def __init__(self, module: nn.BatchNorm1d | nn.BatchNorm2d | Normalize):
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise ValueError("no running statistics")
        self.module = module

    def factor_and_shift(self) -> tuple[Tensor, Tensor]:
        """One of each for every channel."""
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
        factor, shift = self.factor_and_shift()
        return x * self._along_channels(factor, x) + self._along_channels(shift, x)

    def linear(self, x: Tensor) -> Tensor:
        return x * self._along_channels(self.factor_and_shift()[0], x)

    def absolute(self, x: Tensor) -> Tensor:
        return x * self._along_channels(self.factor_and_shift()[0].abs(), x)

    def transpose(self, y: Tensor, shape: torch.Size) -> Tensor:
        return self.linear(y)


class Fixed(Affine):
    """A layer without parameters whose weights are not negative, so that |A| = A: average pooling, padding, another shape."""

    def __init__(self, function: Callable[[Tensor], Tensor], mixes: bool = True):
        self.function, self.mixes = function, mixes

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    linear = absolute = __call__

    def transpose(self, y: Tensor, shape: torch.Size) -> Tensor:
        with torch.enable_grad():
            inputs = y.new_zeros(len(y), *shape).requires_grad_()
            return torch.autograd.grad(self.function(inputs), inputs, y, create_graph=y.requires_grad)[0]


class Reshape(Fixed):
    """The same values in another shape."""

    def __init__(self, shape: torch.Size):
        super().__init__(lambda x: x.reshape(len(x), *shape), mixes=False)

    def transpose(self, y: Tensor, shape: torch.Size) -> Tensor:
        return y.reshape(len(y), *shape)


class Joint:
    """A layer of several inputs."""

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The layer's output, [N, ...], from several inputs."""
        raise TypeError(f"{type(self).__name__} does not define a call")

    def transpose(self, y: Tensor, shapes: list[torch.Size]) -> list[Tensor]:
        """What y [..., C, H, W] or [..., D] gives each of the inputs, of these shapes."""
        raise TypeError(f"{type(self).__name__} does not define transpose()")


class Sum(Joint):
    """The sum of two branches."""

    def __call__(self, *inputs: Tensor) -> Tensor:
        return inputs[0] + inputs[1]

    def transpose(self, y: Tensor, shapes: list[torch.Size]) -> list[Tensor]:
        return [y for _ in shapes]


class Concatenation(Joint):
    """Branches beside each other along a dimension of each input's own, counted from the end: -1 is the last."""

    def __init__(self, dimension: int):
        self.dimension = dimension

    def __call__(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, self.dimension)

    def transpose(self, y: Tensor, shapes: list[torch.Size]) -> list[Tensor]:
        return list(y.split([shape[self.dimension] for shape in shapes], self.dimension))
