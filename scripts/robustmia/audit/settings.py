"""Settings of an audit of somebody else's checkpoint. Free of torch, so that the Snakefile may read them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PositiveFloat, field_validator, model_validator

from robustmia.audit.predictions_settings import require_file
from robustmia.models.networks.base import Network
from robustmia.settings import FROM_SPEC, AtLeastTwo, FilePath, Settings, ThreatModel, chosen
from robustmia.signals.base import Signal


def _function(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text):
        raise ValueError(
            f'{text!r} is not valid; give "package.module:function", or one of our networks as {{name: ...}}'
        )
    return text


ModelFunction = Annotated[str, AfterValidator(_function)]
"""package.module:function, which returns the network."""


class CheckpointAudit(Settings):
    """A trained model's weights. They are read as tensors alone; the function that builds the network is yours, and is called."""

    model: ModelFunction | Annotated[Network, FROM_SPEC] = Field(
        description='"package.module:function", which returns the network, or one of ours: `{name: small_cnn, width: 16}`'
    )
    weights: FilePath | None = Field(
        None,
        description="`.safetensors`, or a file that `torch.load(weights_only=True)` accepts, with a state dict anywhere in it; empty: the "
        "function returns the trained network",
    )
    mean: tuple[float, ...] = Field(
        (), description="subtracted from each channel of pixels in [0, 1] before the network; empty: nothing"
    )
    std: tuple[PositiveFloat, ...] = Field((), description="divides each channel before the network; empty: nothing")
    split: FilePath | None = Field(
        None,
        description="a `.txt` with the name of one member in each line, all other records being non-members; or an `.npz` with `members` and `nonmembers`, as names or as row numbers from 0; empty: the data set's own training and test set",
    )
    threat_model: ThreatModel = Field(description="the ball of attacks and bounds")
    signals: dict[str, Annotated[Signal, FROM_SPEC]] = Field(
        description="what is computed, by name, as for a data set; empty: every signal with its defaults"
    )
    max_records: AtLeastTwo = Field(10_000, description="at most so many members, and so many non-members")

    @model_validator(mode="after")
    def _whole(self) -> CheckpointAudit:
        if len(self.mean) != len(self.std):
            raise ValueError("mean and std need one number per channel each, or both stay empty")
        if any(not 0.0 <= part <= 1.0 for part in self.mean) or any(part > 1.0 for part in self.std):
            raise ValueError(
                "mean and std are of pixels in [0, 1], so that none is above 1; divide those of pixels from 0 to 255 by 255"
            )
        if self.weights is None and not isinstance(self.model, str):
            raise ValueError("weights missing; one of our networks is not trained without them")
        if self.mean and not isinstance(self.model, str) and self.model.input_mean:
            raise ValueError("mean and the network's input_mean would normalise twice; leave one of them out")
        return self

    @field_validator("signals")
    @classmethod
    def _have_benign(cls, signals: dict[str, Signal]) -> dict[str, Signal]:
        if "benign" not in signals:
            raise ValueError("benign missing; the accuracies come from it; add `benign: {}`")
        return signals

    def as_spec(self) -> dict[str, Any]:
        """Plain values, with the classes of the network and of the signals; without the data set, whose images come as a file."""
        model = self.model if isinstance(self.model, str) else chosen(self.model)
        signals = {name: chosen(signal) for name, signal in self.signals.items()}
        plain = self.model_dump(mode="json", exclude={"dataset", "model", "signals"})
        return plain | {"model": model, "signals": signals}

    def check(self) -> None:
        """Raise `UserError` if a file is missing. Called before any job starts."""
        if self.weights is not None:
            require_file(self.weights, "weights")
        if self.split is not None:
            require_file(self.split, "split")
