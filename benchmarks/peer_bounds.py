"""Numbers of other projects for tests/bounds/test_crown.py: `python benchmarks/peer_bounds.py > tests/bounds/peer_bounds.json`.

With auto_LiRPA, convex_adversarial (checkouts of their repositories), scripts and tests on PYTHONPATH.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

import torch
from peers import bounded, convex_adversarial_bounds, lirpa_bounds
from torch import Tensor

from bound_networks import CLASSES, batch, network
from robustmia.bounds.crown import crown_bounds, dual_bounds
from robustmia.bounds.interval import Interval

STEPS = 20
OPTIMISER = {"iteration": STEPS, "lr_alpha": 0.5}
CASES = [
    ("dense", 31, 0.05),
    ("dense", 32, 0.2),
    ("convolutional", 33, 0.05),
    ("convolutional", 34, 0.15),
    ("headless", 36, 0.1),
    ("dense", 37, 0.01),
    ("dense", 38, 0.003),
]


def main() -> None:
    """Print all cases as JSON."""
    drawn = [(network(kind, seed), *batch(seed)) for kind, seed, _ in CASES]
    torch.set_default_dtype(torch.float64)  # in which auto_LiRPA optimises, whatever the network is in
    cases = []
    for (kind, seed, epsilon), (model, images, labels) in zip(CASES, drawn, strict=True):
        ball = Interval.around(images, epsilon, clip_pixels=True)
        with redirect_stdout(sys.stderr):  # auto_LiRPA says when it stops early
            theirs = bounded(model, ball.centre, conv_mode="matrix", optimize_bound_args=OPTIMISER)
            crown, alpha_crown = (
                lirpa_bounds(theirs, ball, labels, CLASSES, method) for method in ("CROWN", "CROWN-Optimized")
            )
        case = {"network": kind, "seed": seed, "epsilon": epsilon}
        case |= {"crown": crown.tolist(), "alpha_crown": alpha_crown.tolist()}
        case["crown_equal"] = _equal(crown_bounds(model, ball, labels), crown)
        if kind == "dense":  # theirs cannot read the others
            dual = convex_adversarial_bounds(model.requires_grad_(False), images, labels, CLASSES, epsilon)
            whole = Interval.around(images, epsilon, clip_pixels=False)
            case |= {"dual": dual.tolist(), "dual_equal": _equal(dual_bounds(model, whole, labels), dual)}
        cases.append(case)
    print(json.dumps({"source": "auto_LiRPA 0.7.1, convex_adversarial 0.4.4", "steps": STEPS, "cases": cases}))


def _equal(ours: Tensor, theirs: Tensor) -> bool:
    """Else an interval is tighter somewhere."""
    return bool((ours - theirs).abs().max() < 1e-9)


if __name__ == "__main__":
    main()
