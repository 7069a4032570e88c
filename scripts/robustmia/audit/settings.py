"""Settings of audits: somebody else's predictions, or somebody else's checkpoint. Free of torch, so that the Snakefile may read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, NonNegativeFloat, PositiveInt, Tag

from robustmia.errors import UserError
from robustmia.settings import AnyNetworkSettings, AtLeastTwo, Settings, Verifier


def _function(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text):
        raise ValueError(
            f'{text!r} will not do; give "package.module:function", or one of our networks as {{name: ...}}'
        )
    return text


AnyModel = Annotated[
    Annotated[AnyNetworkSettings, Tag("<ours>")] | Annotated[str, AfterValidator(_function), Tag("<function>")],
    Discriminator(lambda raw: "<function>" if isinstance(raw, str) else "<ours>"),
]


class PredictionsAudit(Settings):
    """Saved answers of a model, in one `.npz`. Nothing in it is executed."""

    predictions: Path = Field(
        description="`.npz` with `members`, `nonmembers`, `member_labels`, `nonmember_labels`, as our signals have, or with "
        "`output_{train,test}_{benign,adversarial}` and `{train,test}_label`, as the paper's authors released"
    )
    values: Literal["logits", "probabilities"] | None = Field(
        None, description="what the rows are; empty: probabilities where all are and sum to 1, else logits"
    )
    signal: Literal["benign", "adversarial"] = Field(
        "benign", description="what our arrays are of; the authors' say so themselves"
    )

    def check(self) -> None:
        """Raise `UserError` if the file is missing. Called before any job starts."""
        _require(self.predictions, "predictions")


class CheckpointAudit(Settings):
    """A trained model's weights. They are read as tensors alone; the function that builds the network is yours, and is called."""

    model: AnyModel = Field(
        description='"package.module:function", which returns the network, or one of ours: `{name: small_cnn, width: 16}`'
    )
    weights: Path = Field(
        description="`.safetensors`, or a state dict that `torch.load(weights_only=True)` accepts; it may stand under `state_dict`"
    )
    split: Path | None = Field(
        None, description="`.npz` with rows `members` and `nonmembers`; empty: the data set's own training and test set"
    )
    epsilon: NonNegativeFloat = Field(description="radius of the l-inf ball of attacks and bounds")
    steps: PositiveInt = Field(20, description="gradient steps of the attacks, of 2.5 epsilon / steps each")
    clip_pixels: bool = Field(True, description="cut the verified ball to pixels in [0, 1]")
    verifiers: tuple[Verifier, ...] = Field(
        ("interval", "interval_dual"), description="bounds to compute; empty: none (docs/bounds.md has their costs)"
    )
    max_records: AtLeastTwo = Field(10_000, description="at most so many members, and so many non-members")

    def check(self) -> None:
        """Raise `UserError` if a file is missing. Called before any job starts."""
        _require(self.weights, "weights")
        if self.split is not None:
            _require(self.split, "split")


def _require(path: Path, key: str) -> None:
    if not path.is_file():
        raise UserError(f"{key}: {path} is not there; mend the path (it is taken from where snakemake is started)")
