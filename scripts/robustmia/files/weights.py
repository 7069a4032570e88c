"""Weights as `.safetensors` files with a digest of their content, which the format itself lacks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from robustmia.errors import DamagedError, UserError, first_line
from robustmia.files.atomic import atomic_path

DIGEST_KEY = "sha256"


def save_weights(weights: dict[str, Tensor], path: str | Path) -> None:
    """Write one file, with the digest among its metadata."""
    weights = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    with atomic_path(path) as place:
        save_file(weights, place, metadata={DIGEST_KEY: _digest(weights)})


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Read what `save_weights` wrote, to the CPU.

    Raises:
        DamagedError: the content is not what was written.
        UserError: the file cannot be read at all.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            metadata, weights = file.metadata() or {}, {name: file.get_tensor(name) for name in names}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except SafetensorError as error:
        raise DamagedError(path, first_line(error)) from error
    if metadata.get(DIGEST_KEY) != _digest(weights):
        raise DamagedError(path, "its digest is wrong")
    return weights


def _digest(weights: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        digest.update(f"{name} {weight.dtype} {list(weight.shape)}\n".encode())
        digest.update(weight.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
