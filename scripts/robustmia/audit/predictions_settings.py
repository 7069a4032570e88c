"""Settings of an audit of somebody else's predictions: apart from those of checkpoints, so that the job needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from robustmia.errors import UserError
from robustmia.settings import FilePath, Settings


class PredictionsAudit(Settings):
    """Saved predictions of a model, in one `.npz`. Nothing in it is executed."""

    predictions: FilePath = Field(
        description="`.npz` with `members`, `nonmembers`, `member_labels`, `nonmember_labels`, as our signals have, or with "
        "`output_{train,test}_{benign,adversarial}` and `{train,test}_label`, as the paper's authors released"
    )
    values: Literal["logits", "probabilities"] | None = Field(
        None, description="what the rows are; empty: probabilities where all are and sum to 1, else logits"
    )
    signal: Literal["benign", "adversarial"] = Field(
        "benign", description="which signal arrays in our layout are; the authors' layout says so itself"
    )

    def check(self) -> None:
        """Raise `UserError` if the file is missing. Called before any job starts."""
        require_file(self.predictions, "predictions")


def require_file(path: Path, key: str) -> None:
    """Raise `UserError` if a file that a key names is missing."""
    if not path.is_file():
        raise UserError(f"{key}: {path} is not there; correct the path (it is taken from where snakemake is started)")
