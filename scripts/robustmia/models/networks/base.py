"""What a network is: its settings, and a module built from them.

Every network maps images [B, C, H, W] with pixels in [0, 1] to logits [B, K]. The paper's repository has up to five
variants of each network, which differ in padding, bias and initialisation; this is the common one: padding 1, biases,
ReLU, He initialisation by fan-out for convolutions. All methods share it, so that they differ in the method alone.

Network modules import torch inside their functions only, so that the Snakefile can read their settings without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveFloat, model_validator

from robustmia.errors import UserError
from robustmia.settings import Settings

if TYPE_CHECKING:
    from torch import nn

ImageShape = tuple[int, int, int]
"""Channels, height, width."""


class Network(Settings):
    """What every network takes. Input normalisation is its first layer, so epsilon always means pixels in [0, 1]."""

    name: str
    input_mean: tuple[float, ...] = Field(
        (), description="subtracted from each channel inside the network; empty: nothing"
    )
    input_std: tuple[PositiveFloat, ...] = Field(
        (), description="divides each channel inside the network; empty: nothing"
    )

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="probability with which each input of the last layer is left out while training; 0: none"
    )

    @model_validator(mode="after")
    def _mean_and_std_match(self) -> Network:
        if len(self.input_mean) != len(self.input_std):
            raise ValueError("input_mean and input_std need one number per channel each, or both stay empty")
        return self

    def layers(self, image: ImageShape, classes: int) -> nn.Module:
        """The network without the normalisation of its input, freshly initialised from torch's global generator.

        Args:
            image: channels, height and width of an image.
            classes: number of logits.
        """
        raise TypeError(f"{type(self).__name__} does not define layers()")


def build_network(network: Network, image: ImageShape, classes: int, seed: int) -> nn.Module:
    """A freshly initialised network.

    Args:
        network: its settings.
        image: channels, height and width of an image.
        classes: number of logits.
        seed: of the initial weights, drawn on the CPU; two networks of one seed are equal, and the CPU's global generator
            is left as it was.

    Raises:
        UserError: `input_mean` does not have one number per channel.
    """
    import torch

    from robustmia.models.networks.layers import drop_before_last_layer, normalized

    if network.input_mean and len(network.input_mean) != image[0]:
        raise UserError(
            f"architecture.input_mean: {len(network.input_mean)} numbers, but the images have {image[0]} channels; "
            "give one number per channel in input_mean and input_std"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = network.layers(image, classes)
    if network.dropout:
        drop_before_last_layer(body, network.dropout)
    return normalized(body, network.input_mean, network.input_std) if network.input_mean else body
