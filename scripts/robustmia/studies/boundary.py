"""How far records are from the decision boundary, which an attacker can find who sees labels alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robustmia.models.perturbations import Ball, cross_entropy_loss, pgd, predict
from robustmia.settings import Norm


def boundary_distance(
    model: nn.Module, images: Tensor, labels: Tensor, *, norm: Norm, farthest: float, radii: int, steps: int
) -> Tensor:
    """The smallest radius of a ball in which PGD finds a wrong answer, [B]; an upper bound of the distance to the boundary.

    Choquette-Choo et al. (2021, arXiv 2007.14321, section 3.3) take the distance as a score of membership; here PGD with growing radius
    stands for their search with labels alone, which finds about as much with many more queries.

    Args:
        images: [B, C, H, W] in [0, 1].
        labels: [B].
        norm: of the ball.
        farthest: the largest radius.
        radii: how many are tried, at equal distances.
        steps: of PGD at each, of 2.5 radius / steps.

    Returns:
        0 for a record that is classified wrongly as it is, and `farthest` times (1 + 1 / radii) where no radius is large enough.
    """
    step = farthest / radii
    distances = torch.full((len(images),), farthest + step, device=images.device)
    distances[predict(model, images).argmax(1) != labels] = 0.0
    for number in range(1, radii + 1):
        open_ones = torch.nonzero(distances > farthest).flatten()
        if not len(open_ones):
            break
        some, theirs, radius = images[open_ones], labels[open_ones], number * step
        moved = pgd(
            model,
            some,
            cross_entropy_loss(theirs),
            Ball(norm, radius),
            steps=steps,
            step_size=2.5 * radius / steps,
            start="clean",
        )
        wrong = predict(model, moved).argmax(1) != theirs
        distances[open_ones[wrong]] = radius
    return distances
