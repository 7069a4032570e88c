"""The one place that knows the device: which it is, how data gets there, and the generators that live on it."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
import torch
from torch import Tensor

from robustmia.data.records import Records

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h


def pick_device(threads: int | None = None) -> torch.device:
    """The first GPU that `CUDA_VISIBLE_DEVICES` shows, or else the CPU with this many threads; float32 is float32 there."""
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()
    # TF32 errs by about 1e-4 of a logit, more than a bound may be off.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Let the C library keep the memory of tensors that are freed, for those that follow.

    glibc asks the system for each large block anew and gives it back at once, and the system clears every page of it: 40 % of the time of `duality` on
    faces of 48 x 42 pixels, and a third of that of PGD with a small network (`benchmarks/memory.py`). Blocks that are never mapped and never trimmed
    (mallopt(3)) take somewhat more memory at the peak. Elsewhere than with glibc this does nothing.
    """
    with suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A seed in 0..2^63-1 for one purpose, so that different draws of one run are independent of each other."""
    text = ":".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator_for(device: torch.device, seed: int, *purpose: str | int) -> torch.Generator:
    """A generator on `device`, seeded for one purpose."""
    return torch.Generator(device).manual_seed(derive_seed(seed, *purpose))


Generators = torch.Generator | Sequence[torch.Generator]
"""One source of random numbers, or one for each of several models whose batches stand one after the other."""


def draw(sample: Callable[..., Tensor], shape: Sequence[int], generator: Generators, device: torch.device) -> Tensor:
    """Random numbers of a shape [B, ...] by `torch.rand`, `torch.randn`, ...; of several generators each draws its share of B."""
    if isinstance(generator, torch.Generator):
        return sample(tuple(shape), generator=generator, device=device)
    share = (shape[0] // len(generator), *shape[1:])
    return torch.cat([sample(share, generator=one, device=device) for one in generator])


@contextmanager
def seeded_by(generator: Generators) -> Iterator[None]:
    """Within the block torch's own random numbers, as of dropout, follow from one that the generator draws; after it they go on as before."""
    assert isinstance(generator, torch.Generator)
    seed = torch.randint(2**62, (), generator=generator, device=generator.device).item()
    with torch.random.fork_rng([generator.device] if generator.device.type == "cuda" else []):
        torch.manual_seed(int(seed))
        yield


def to_device(records: Records, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images of these rows, uint8 [N, C, H, W], and their labels [N], on the device."""
    return torch.from_numpy(records.images[rows]).to(device), torch.from_numpy(records.labels[rows]).to(device)


def to_pixels(images: Tensor) -> Tensor:
    """uint8 images as float32 in [0, 1]."""
    return images.float() / 255.0
