"""The one place that knows the device: which it is, how data gets there, and the generators that live on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from robustmia.data.records import Records


def pick_device(threads: int | None = None) -> torch.device:
    """The first GPU that `CUDA_VISIBLE_DEVICES` shows, or else the CPU with this many threads."""
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Let the C library keep the memory of tensors that are freed, for those that follow.

    glibc gives a block of over 128 KiB back to the system at once, which clears it again page by page when it is asked for the next: a
    third of the time of PGD with a small network on an AMD EPYC. Once a larger block, of up to 32 MiB, has been freed, glibc keeps blocks of that size (mallopt(3),
    M_MMAP_THRESHOLD). The block is never written to, so it costs nothing; elsewhere this does nothing.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)


def use_full_float32() -> None:
    """Keep convolutions on a GPU from rounding to TF32, whose error of about 1e-4 of a logit is more than a bound may be off."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


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
