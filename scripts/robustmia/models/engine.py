"""How networks are run: in which number format, memory layout, and whether compiled.

Bounds, and the logits that a signal reports, are always computed in float32.
"""

from __future__ import annotations

import copy
import os
import shutil
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

from pydantic import Field

from robustmia.errors import UserError
from robustmia.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import nn

SMALL = 16
"""Height and width of images below which a CPU convolves faster with channels first, and in float32."""

WORTH_COMPILING = 3e15
"""Operations in all answers of a training, from which on `auto` compiles: at 10^14 a second, those and three gradients take two minutes.

On CPUs with AVX2 and AVX-512 it saves nothing to a tenth (docs/performance.md); on GPUs it was not measured.
"""


class Engine(Settings):
    """How the networks of a data set are run while they are trained and attacked."""

    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="of convolutions and matrix products in training and in attacks: `float32`; `bfloat16`, with weights in float32; or `auto`, "
        "bfloat16 where the processor or GPU has it and images are 16 x 16 or larger",
    )
    compile: Literal[True, False, "auto"] = Field(
        False,
        description="compile networks with torch.compile, which takes a minute or so, and a C++ compiler on a CPU: `true`, `false`, or `auto`, in long "
        "trainings on a GPU alone",
    )

    def place(
        self, network: nn.Module, device: torch.device, image: tuple[int, int, int], images: int = 0
    ) -> nn.Module:
        """The network, changed in place: on the device, and as it is run fastest there. It returns logits in float32.

        Args:
            network: maps images [B, C, H, W] to logits [B, K].
            device: where it is to run.
            image: channels, height and width of its images.
            images: how many it is trained on, each as often as it is met.

        Raises:
            UserError: it is to be compiled for a CPU, and there is no C++ compiler.
        """
        import torch

        large = min(image[1:]) >= SMALL
        if self.precision == "bfloat16" or (self.precision == "auto" and large and has_bfloat16(device)):
            _LOW_PRECISION.add(network)
            network.register_forward_hook(lambda *call: call[-1].float())
        if large and (device.type == "cpu" or network in _LOW_PRECISION):
            for weight in network.parameters():
                if weight.dim() == 4:
                    weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        if self._compiles(network, device, image, images):
            _require_compiler(device)
            network.compile()
        return network.to(device)

    def _compiles(self, network: nn.Module, device: torch.device, image: tuple[int, int, int], images: int) -> bool:
        if self.compile != "auto":
            return self.compile
        return device.type == "cuda" and images * operations(network, image) > WORTH_COMPILING


def operations(network: nn.Module, image: tuple[int, int, int]) -> int:
    """Additions and multiplications of a network's answer to one image."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        copy.deepcopy(network).to("meta")(torch.empty(1, *image, device="meta"))
    return counter.get_total_flops()


def _require_compiler(device: torch.device) -> None:
    names = (os.environ.get("CXX"), "g++", "clang++")
    if device.type == "cpu" and not any(map(shutil.which, filter(None, names))):
        raise UserError(
            "engine.compile: there is no C++ compiler here, which torch.compile needs on a CPU; install g++, or set it to false"
        )


_LOW_PRECISION: WeakSet[nn.Module] = WeakSet()


def same_precision(network: nn.Module, as_of: nn.Module) -> None:
    """Let a network that is made of others be run in their precision."""
    if as_of in _LOW_PRECISION:
        _LOW_PRECISION.add(network)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 faster than in float32."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def fast_arithmetic(network: nn.Module) -> AbstractContextManager:
    """The precision of a network's engine, for training steps and attacks; float32 if it has none."""
    import torch

    if network not in _LOW_PRECISION:
        return nullcontext()
    device = next(network.parameters()).device
    return torch.autocast(device.type, torch.bfloat16)


def float32_arithmetic(device: torch.device) -> AbstractContextManager:
    """Float32 within a block that may be in another precision, for what has to be exact."""
    import torch

    return torch.autocast(device.type, enabled=False)
