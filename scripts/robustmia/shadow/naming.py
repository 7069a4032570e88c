"""What tells shadow models apart: their seeds, and their weights in one file."""

from __future__ import annotations

from robustmia.models.device import derive_seed


def shadow_spec(spec: dict, model: int) -> dict:
    """The spec of one shadow model: a seed of its own, from that of the target, which no target model has."""
    return spec | {"seed": derive_seed(spec["seed"], "shadow", model)}


def weight_prefix(model: int) -> str:
    """What the names of its weights begin with."""
    return f"{model}."
