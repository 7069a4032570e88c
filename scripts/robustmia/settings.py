"""What every group of settings has in common. Free of torch, so that the Snakefile may read the settings of a job.

Each module keeps its own settings: a method, a signal, a network and so on is a group of settings with a function. A job is
given such a group as {"class": "module:Class", "settings": {...}}, see `chosen` and `instantiate`.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
OpenFraction = Annotated[float, Field(gt=0.0, lt=1.0)]
AtLeastTwo = Annotated[int, Field(ge=2)]
Norm = Literal["linf", "l2"]
NORM_NAMES = {"linf": "l-inf", "l2": "l2"}


class Settings(BaseModel):
    """A group of settings: an unknown key is an error, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_boolean_as_number(cls, raw: Any) -> Any:
        """YAML's true is Python's 1: refuse it where a number is meant."""
        for key, value in raw.items() if isinstance(raw, dict) else ():
            booleans = any(isinstance(part, bool) for part in (value if isinstance(value, list) else [value]))
            if booleans and key in cls.model_fields and cls.model_fields[key].annotation is not bool:
                raise ValueError(f"{key} is {str(value).lower()}; give a number or a text")
        return raw


def chosen(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, with the class that reads them, so that a job needs no registry."""
    kind = type(settings)
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "settings": settings.model_dump(mode="json")}


def instantiate(chosen: dict[str, Any]) -> Any:
    """What `chosen` was made of."""
    return resolve_name(chosen["class"])(**chosen["settings"])


class ThreatModel(Settings):
    """What an adversary may do to an image: move it within a ball, and within the valid pixels [0, 1]."""

    norm: Norm = Field("linf", description="the ball's norm: `linf` or `l2`")
    epsilon: NonNegativeFloat = Field(description="radius of the ball, for pixels in [0, 1]")


class LinfThreatModel(ThreatModel):
    """The threat model of bounds, which are for l-inf balls alone."""

    norm: Literal["linf"] = Field("linf", description="the ball's norm: `linf`, the only one that bounds are for")


class PerturbationSettings(ThreatModel):
    """A threat model, and the gradient steps that are taken inside its ball."""

    steps: PositiveInt = Field(10, description="gradient steps")
    step_size: PositiveFloat | None = Field(
        None, description="length of a step in the ball's norm; empty: 2.5 epsilon / steps"
    )

    @property
    def resolved_step_size(self) -> float:
        """The step size in force: the one given, or 2.5 epsilon / steps as in the paper's evaluation."""
        return 2.5 * self.epsilon / self.steps if self.step_size is None else self.step_size


class SplitSettings(Settings):
    """Who is a member. Without `member_fraction` and `members_per_class` the data set's own training and test sets are used."""

    member_fraction: OpenFraction | None = Field(
        None, description="this part of each class becomes members, the rest non-members"
    )
    members_per_class: PositiveInt | None = Field(
        None, description="this many images of each class become members, the rest non-members"
    )
    max_members: AtLeastTwo | None = Field(
        None, description="at most this many members; the others go to the shadow pool"
    )
    max_nonmembers: AtLeastTwo | None = Field(
        None, description="at most this many non-members; the others go to the shadow pool"
    )

    @model_validator(mode="after")
    def _one_rule(self) -> SplitSettings:
        if self.member_fraction is not None and self.members_per_class is not None:
            raise ValueError("give member_fraction or members_per_class, not both")
        return self
