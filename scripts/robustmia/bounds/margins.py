"""Verified margins of any network, with what rounding may hide."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robustmia.bounds.cost import affordable
from robustmia.bounds.interval import Interval
from robustmia.bounds.verifiers import VERIFIERS

ROUNDING = 170
"""Added to bounds, in units of the number format's rounding (`torch.finfo.eps`) of the largest bound of the record: 2e-5 of it in float32.
docs/bounds.md has what was measured."""


def bound_margins(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    verifier: str = "auto",
    clip_pixels: bool = True,
    budget: float = 60.0,
) -> Tensor:
    """Upper bounds of z_k - z_y over the l-inf ball of radius epsilon around each image, [B, K], 0 at k = y.

    A record whose other bounds are all negative is classified as y everywhere in its ball. Where bounds overflow, they are the largest
    finite number: nothing is known. A margin for rounding is added.

    Args:
        network: maps images [B, C, H, W] to logits [B, K]; taken in evaluation mode, and left as it is.
        images: [B, C, H, W] in [0, 1], on the network's device.
        labels: [B], in 0..K-1.
        epsilon: radius, for pixels in [0, 1].
        verifier: a name of `robustmia.bounds.verifiers.VERIFIERS`, or `auto`: the lowest bound of those that `budget` affords.
        clip_pixels: cut the ball to pixels in [0, 1].
        budget: of `auto`: seconds for 1,000 images, as estimated by `robustmia.bounds.cost`.

    Raises:
        UserError: the network has a layer that the bounds do not know.
        KeyError: there is no such verifier.
    """
    ball = Interval.around(images, epsilon, clip_pixels)
    names = affordable(network, images[:1], budget).seconds if verifier == "auto" else [verifier]
    with torch.no_grad():
        bounds = torch.stack([VERIFIERS[name](network, ball, labels) for name in names]).amin(0)
        largest, unit = torch.finfo(bounds.dtype).max, torch.finfo(bounds.dtype).eps
        bounds = bounds.nan_to_num(nan=largest, posinf=largest, neginf=largest)
        bounds = bounds + ROUNDING * unit * bounds.abs().amax(1, keepdim=True)
        return bounds.clamp(max=largest).scatter(1, labels.unsqueeze(1), 0.0)
