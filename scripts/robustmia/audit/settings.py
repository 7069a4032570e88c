"""Settings of an audit of somebody else's checkpoint. Free of torch, so that the Snakefile may read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from robustmia.audit.predictions_settings import require_file
from robustmia.models.networks.base import Network
from robustmia.settings import AtLeastTwo, Settings, ThreatModel, chosen, instantiate
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

    model: ModelFunction | Network = Field(
        description='"package.module:function", which returns the network, or one of ours: `{name: small_cnn, width: 16}`'
    )
    weights: Path = Field(
        description="`.safetensors`, or a state dict that `torch.load(weights_only=True)` accepts; it may stand under `state_dict`"
    )
    split: Path | None = Field(
        None, description="`.npz` with rows `members` and `nonmembers`; empty: the data set's own training and test set"
    )
    threat_model: ThreatModel = Field(description="the ball of attacks and bounds")
    signals: dict[str, Signal] = Field(
        description="what is computed, by name, as for a data set; empty: every signal with its defaults"
    )
    max_records: AtLeastTwo = Field(10_000, description="at most so many members, and so many non-members")

    @field_validator("model", mode="wrap")
    @classmethod
    def _network(cls, raw: Any, validate: Any) -> Any:
        """Take what `as_spec` wrote."""
        return instantiate(raw) if isinstance(raw, dict) and "class" in raw else validate(raw)

    @field_validator("signals", mode="wrap")
    @classmethod
    def _signals(cls, raw: Any, validate: Any) -> Any:
        """Take what `as_spec` wrote."""
        if (
            isinstance(raw, dict)
            and raw
            and all(isinstance(value, dict) and "class" in value for value in raw.values())
        ):
            return {name: instantiate(value) for name, value in raw.items()}
        return validate(raw)

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
        require_file(self.weights, "weights")
        if self.split is not None:
            require_file(self.split, "split")
