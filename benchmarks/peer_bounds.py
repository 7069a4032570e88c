"""Numbers of other projects for tests/bounds/test_crown.py: `python benchmarks/peer_bounds.py > tests/bounds/peer_bounds.json`.

With auto_LiRPA, convex_adversarial (checkouts of their repositories), scripts and tests on PYTHONPATH.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

import numpy as np
import torch
from torch import Tensor, nn

from bound_networks import CLASSES, batch, network
from robustmia.bounds.crown import crown_bounds, dual_bounds
from robustmia.bounds.interval import Interval

STEPS = 20
CASES = [
    ("dense", 31, 0.05),
    ("dense", 32, 0.2),
    ("convolutional", 33, 0.05),
    ("convolutional", 34, 0.15),
    ("headless", 36, 0.1),
    ("dense", 37, 0.01),
    ("dense", 38, 0.003),
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


def peer_dual(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Upper bounds of z_k - z_y by the dual network of Wong and Kolter, over a ball that is not cut, [B, K]."""
    from convex_adversarial import DualNetwork

    rows = torch.eye(CLASSES)[labels].unsqueeze(1) - torch.eye(CLASSES).unsqueeze(0)
    return -DualNetwork(model.requires_grad_(False), images, epsilon, bounded_input=False)(rows).detach()


def main() -> None:
    """Print all cases as JSON."""
    drawn = [(network(kind, seed), *batch(seed)) for kind, seed, _ in CASES]
    torch.set_default_dtype(torch.float64)  # in which auto_LiRPA optimises, whatever the network is in
    cases = []
    for (kind, seed, epsilon), (model, images, labels) in zip(CASES, drawn, strict=True):
        ball = Interval.around(images, epsilon, clip_pixels=True)
        with redirect_stdout(sys.stderr):  # auto_LiRPA says when it stops early
            crown, alpha_crown = peer(model, ball, labels)
        case = {"network": kind, "seed": seed, "epsilon": epsilon}
        case |= {"crown": crown.tolist(), "alpha_crown": alpha_crown.tolist()}
        case["crown_equal"] = _equal(crown_bounds(model, ball, labels), crown)
        if kind == "dense":  # theirs cannot read the others
            dual = peer_dual(model, images, labels, epsilon)
            whole = Interval.around(images, epsilon, clip_pixels=False)
            case |= {"dual": dual.tolist(), "dual_equal": _equal(dual_bounds(model, whole, labels), dual)}
        cases.append(case)
    print(json.dumps({"source": "auto_LiRPA 0.7.1, convex_adversarial 0.4.4", "steps": STEPS, "cases": cases}))


def _equal(ours: Tensor, theirs: Tensor) -> bool:
    """Else an interval is tighter somewhere."""
    return bool((ours - theirs).abs().max() < 1e-9)


if __name__ == "__main__":
    main()
