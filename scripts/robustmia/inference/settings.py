"""Settings of inference, which the configuration reads too."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat

from robustmia.settings import Settings

Classifier = Literal["logistic", "random_forest", "neural_network"]
LiRAVariance = Literal["global", "per_record"]
LiRACentre = Literal["mean", "median"]
MIN_SHADOW_MODELS = 6
LEAST_OF_A_KIND = 2
"""Shadow models that are trained on a record, and that are not: one is left where another stands in for the target."""
STAND_INS = 16
"""Shadow models that are attacked in the target's place, at most."""
MOST_PAIRS = 200_000
"""Pairs of such a model and a record that something is fitted on, about."""
LEVEL = 0.05
"""Of tests, and 1 minus the confidence of intervals."""


def enough_shadow_models(count: int) -> int:
    """The number, if attacks can do something with so many; else a `ValueError`."""
    if 0 < count < MIN_SHADOW_MODELS:
        raise ValueError(f"{count} are too few; give {MIN_SHADOW_MODELS} or more, or 0 for none")
    return count


class AttackSettings(Settings):
    """Settings of the attacks that have some; docs/inference.md says which published code each value equals."""

    targeted_classifier: Classifier = Field(
        "logistic", description="of I_T, one for each class: `logistic`, `random_forest` or `neural_network`"
    )
    lira_variance: LiRAVariance = Field(
        "global",
        description="of LiRA: `global`, one for all records, for few shadow models; or `per_record`, for 64 or more",
    )
    lira_centre: LiRACentre = Field("mean", description="of LiRA: `mean`, as in its paper, or `median`, as in its code")
    rmia_gamma: PositiveFloat = Field(2.0, description="of RMIA: 2, as in its paper, or 1, as in its code")
