"""The verified signal: the worst logits that the model can be shown not to exceed anywhere in a ball around each image."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, field_validator

from robustmia.bounds.choice import IN_WORDS, Choice
from robustmia.settings import LinfThreatModel, written_length
from robustmia.signals.base import Signal

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

    from robustmia.files.signals import VerifiedBounds


Verifier = Literal["interval", "crown_interval", "dual", "crown", "alpha_crown"]
"""The names of `robustmia.bounds.verifiers.VERIFIERS`."""
Choosable = Literal["auto", Verifier]
Verifiers = Annotated[
    tuple[Choosable, ...],
    BeforeValidator(
        lambda given: [given] if isinstance(given, str) else given,
        json_schema_input_type=Choosable | tuple[Choosable, ...],
    ),
]
"""A list, or one name."""
logger = logging.getLogger(__name__)


class Verified(Signal, LinfThreatModel):
    """Upper bounds of z_k - z_y over an l-inf ball, by each of several verifiers; the lowest of them counts."""

    name: Literal["verified"]
    clip_pixels: bool = Field(True, description="cut the ball to pixels in [0, 1]")
    verifiers: Verifiers = Field(
        ("auto",),
        min_length=1,
        description="`auto`, those that `budget` affords, from the cheapest on, and the one that a model was trained with; "
        "`interval`, `crown_interval`, `dual`, `crown` and `alpha_crown`; docs/bounds.md says what each costs",
    )
    budget: PositiveFloat = Field(
        60.0, description="of `auto`: seconds for 1,000 records, as estimated for one core of a CPU or for a GPU"
    )

    @field_validator("verifiers")
    @classmethod
    def _distinct(cls, verifiers: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(verifiers)) < len(verifiers):
            raise ValueError("a verifier is given twice")
        return verifiers

    def in_words(self) -> str:
        """The ball, and the verifiers."""
        clipped = ", cut to valid pixels" if self.clip_pixels else ""
        auto = f"the verifiers that {self.budget:g} s for 1,000 records afford"
        names = [auto if name == "auto" else IN_WORDS[name] for name in self.verifiers]
        return f"the l-inf ball of radius {written_length(self.epsilon)}{clipped}, bounds by {', '.join(names)}"

    def for_model(self, model: nn.Module, images: Tensor, own_verifier: str | None) -> ChosenVerified:
        """With the verifiers that are run, and what they cost.

        Raises:
            UserError: the network has a layer that the bounds do not know.
        """
        from robustmia.bounds.cost import affordable, costs

        named = tuple(name for name in self.verifiers if name != "auto")
        if named == self.verifiers:
            choice = costs(model, images, named)
        else:
            choice = affordable(model, images, self.budget, (*named, *([own_verifier] if own_verifier else [])))
        logger.info("%s", choice.in_words())
        return ChosenVerified(**self.model_dump() | {"verifiers": tuple(choice.seconds), "choice": choice})


class ChosenVerified(Verified):
    """The signal for one model."""

    choice: Choice

    def for_model(self, model: nn.Module, images: Tensor, own_verifier: str | None) -> ChosenVerified:
        """It is."""
        return self

    def in_words(self) -> str:
        """The ball, the verifiers, and what they and the next tighter one cost."""
        return f"{super().in_words()}. {self.choice.in_words().removesuffix('.')}"

    def logits(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Bounds by each verifier, [B, V, K], 0 at the true class."""
        import torch

        from robustmia.bounds.margins import bound_margins

        bounds = partial(bound_margins, model, images, labels, self.epsilon, clip_pixels=self.clip_pixels)
        return torch.stack([bounds(verifier=name) for name in self.verifiers], 1)

    def file(self, members: np.ndarray, nonmembers: np.ndarray, *labels: np.ndarray) -> VerifiedBounds:
        """The file with the bounds of every verifier, and the lowest."""
        import numpy as np

        from robustmia.files.signals import SignalLogits, VerifiedBounds

        lowest = SignalLogits(members.min(axis=1), nonmembers.min(axis=1), *labels)
        return VerifiedBounds(
            **vars(lowest),
            verifiers=np.array(self.verifiers),
            members_by_verifier=members,
            nonmembers_by_verifier=nonmembers,
            seconds=np.array(list(self.choice.seconds.values())),
            tighter=np.array([] if self.choice.tighter is None else [self.choice.tighter], dtype=str),
            tighter_seconds=np.array(self.choice.tighter_seconds),
        )
