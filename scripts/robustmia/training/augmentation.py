"""Random crops and mirror images, on the device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from robustmia.training.settings import AugmentationSettings


def augment(images: Tensor, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    """Randomly cropped and mirrored images, [B, C, H, W] like the given ones; each image has a draw of its own."""
    if settings.crop_padding:
        images = _random_crop(images, settings.crop_padding, generator)
    if settings.horizontal_flip:
        mirrored = torch.rand((len(images), 1, 1, 1), generator=generator, device=images.device) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    return images


def _random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    shifts = torch.randint(2 * padding + 1, (2, count, 1), generator=generator, device=images.device)
    rows = shifts[0] + torch.arange(height, device=images.device)
    columns = shifts[1] + torch.arange(width, device=images.device)
    padded = pad(images, (padding,) * 4)
    which = torch.arange(count, device=images.device).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[which, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)
