"""Numbers of auto_LiRPA for tests/bounds/test_crown.py: `PYTHONPATH=scripts:tests python benchmarks/peer_bounds.py > tests/bounds/peer_bounds.json`, where it is installed."""

from __future__ import annotations

import json

import numpy as np
import torch
from torch import Tensor, nn

from bound_networks import CLASSES, batch, network
from robustmia.bounds.crown import crown_bounds
from robustmia.bounds.interval import Interval

STEPS = 20
CASES = [
    ("dense", 31, 0.05),
    ("dense", 32, 0.2),
    ("convolutional", 33, 0.05),
    ("convolutional", 34, 0.15),
    ("headless", 36, 0.1),
]


def peer(model: nn.Module, ball: Interval, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Upper bounds of z_k - z_y by CROWN and by alpha-CROWN, [B, K]."""
    from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm

    specification = torch.eye(CLASSES).double().repeat(len(labels), 1, 1)
    specification -= torch.nn.functional.one_hot(labels, CLASSES).double().unsqueeze(1)
    options = {"conv_mode": "matrix", "optimize_bound_args": {"iteration": STEPS, "lr_alpha": 0.5}}
    bounded = BoundedModule(model, ball.centre, bound_opts=options)
    region = BoundedTensor(ball.centre, PerturbationLpNorm(norm=np.inf, x_L=ball.low, x_U=ball.high))
    _, crown = bounded.compute_bounds(x=(region,), C=specification, method="CROWN", bound_lower=False)
    lower, _ = bounded.compute_bounds(x=(region,), C=-specification, method="CROWN-Optimized", bound_upper=False)
    return crown.detach(), -lower.detach()


def main() -> None:
    """Print all cases as JSON."""
    drawn = [(network(kind, seed), *batch(seed)) for kind, seed, _ in CASES]
    torch.set_default_dtype(torch.float64)  # in which auto_LiRPA optimises, whatever the network is in
    cases = []
    for (kind, seed, epsilon), (model, images, labels) in zip(CASES, drawn, strict=True):
        ball = Interval.around(images, epsilon, clip_pixels=True)
        crown, alpha_crown = peer(model, ball, labels)
        equal = (crown_bounds(model, ball, labels) - crown).abs().max() < 1e-9  # else an interval is tighter somewhere
        case = {"network": kind, "seed": seed, "epsilon": epsilon, "equal": bool(equal)}
        cases.append(case | {"crown": crown.tolist(), "alpha_crown": alpha_crown.tolist()})
    print(json.dumps({"source": "auto_LiRPA 0.7.1", "steps": STEPS, "cases": cases}))


if __name__ == "__main__":
    main()
