"""What every group of settings has in common. Free of torch, so that the Snakefile may read the settings of a job.

Each module keeps its own settings: a method, a signal, a network and so on is a group of settings with a function. A job is
given such a group as {"class": "module:Class", "settings": {...}}, see `chosen` and `instantiate`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    WrapValidator,
    field_validator,
    model_validator,
)

from robustmia.errors import escape_control_characters

LARGEST = 1e30
"""Numbers above it overflow in single precision before they are of use."""
LONGEST_PATH = 1000  # characters; file systems allow 4,096, of which names of results take some


def _ratio(value: Any) -> Any:
    """A ratio of two numbers, such as "8/255", as a number."""
    if isinstance(value, str) and (found := re.fullmatch(r"\s*([\d.]+)\s*/\s*([\d.]+)\s*", value)):
        try:
            return float(found[1]) / float(found[2])
        except (ValueError, ZeroDivisionError):
            return value
    return value


def _name_of_number(value: Any) -> Any:
    """A whole number as a name: YAML has one where digits are meant."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _expanded(path: Path) -> Path:
    """With `~` and environment variables filled in."""
    text = str(path)
    if text != escape_control_characters(text):
        raise ValueError(f"{escape_control_characters(text)!r} has control characters; correct the path")
    if len(text) > LONGEST_PATH:
        raise ValueError(f"a path of {len(text)} characters; at most {LONGEST_PATH} are allowed")
    expanded = os.path.expanduser(os.path.expandvars(text))
    if unknown := re.search(r"\$(\w+|\{[^}]*\})", expanded):
        raise ValueError(f"{text}: the environment has no variable {unknown[0]}; set it or correct the path")
    if expanded.startswith("~"):
        raise ValueError(f"{text}: there is no such user; correct the path")
    return Path(expanded)


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
OpenFraction = Annotated[float, Field(gt=0.0, lt=1.0)]
AtLeastTwo = Annotated[int, Field(ge=2)]
LayerSize = Annotated[int, Field(ge=1, le=10_000)]
"""Channels, units or layers of a network."""
Length = Annotated[float, BeforeValidator(_ratio, json_schema_input_type=float | str), Field(ge=0.0)]
"""A length in pixel values, 0 or more; a text such as "8/255" is a ratio."""
PositiveLength = Annotated[float, BeforeValidator(_ratio, json_schema_input_type=float | str), Field(gt=0.0)]
ClassName = Annotated[str, Field(min_length=1), BeforeValidator(_name_of_number, json_schema_input_type=str | int)]
"""The name of a class, which may be a number."""
FilePath = Annotated[Path, AfterValidator(_expanded)]
"""A path in which `~` and environment variables are filled in."""
Norm = Literal["linf", "l2"]
NORM_NAMES = {"linf": "l-inf", "l2": "l2"}


class Settings(BaseModel):
    """A group of settings: an unknown key is an error, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _plain_numbers(cls, raw: Any) -> Any:
        """Refuse numbers that no calculation can use, and YAML's true, which is Python's 1, where a number is meant."""
        for key, value in raw.items() if isinstance(raw, dict) else ():
            if key not in cls.model_fields:
                continue
            parts = value if isinstance(value, list | tuple) else [value]
            annotation = cls.model_fields[key].annotation
            kinds = {annotation, *getattr(annotation, "__args__", ())}
            if any(isinstance(part, bool) and not kinds & {bool, part} for part in parts):
                instead = "; write null to leave it out" if value is False and type(None) in kinds else ""
                raise ValueError(f"{key} is {str(value).lower()}, which is no value of this key{instead}")
            numbers = [abs(part) for part in parts if isinstance(part, int | float) and math.isfinite(part)]
            if any(number > LARGEST for number in numbers):
                raise ValueError(f"{key} is {str(value)[:30]}; the largest number that is of use is {LARGEST:g}")
            if any(isinstance(part, int) and abs(part) >= 2**63 for part in parts):
                raise ValueError(f"{key} is {str(value)[:30]}, which is too large for a whole number")
        return raw


def chosen(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, with the class that reads them, so that a job needs no registry."""
    kind = type(settings)
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "settings": settings.model_dump(mode="json")}


def instantiate(chosen: dict[str, Any]) -> Any:
    """What `chosen` was made of."""
    return resolve_name(chosen["class"])(**chosen["settings"])


def _from_spec(raw: Any, validate: Callable[[Any], Any]) -> Any:
    return instantiate(raw) if isinstance(raw, dict) and "class" in raw else validate(raw)


FROM_SPEC = WrapValidator(_from_spec)
"""Of settings that are read again from a spec: they take what `chosen` wrote, too."""


class ThreatModel(Settings):
    """What an adversary may do to an image: move it within a ball, and within the valid pixels [0, 1]."""

    norm: Norm = Field("linf", description="the ball's norm: `linf` or `l2`")
    epsilon: Length = Field(
        description="radius of the ball, for pixels in [0, 1]; a ratio such as `8/255` may be given"
    )

    @model_validator(mode="after")
    def _in_the_range_of_pixels(self) -> ThreatModel:
        if self.norm == "linf":
            within_pixels("epsilon", self.epsilon)
        return self


def written_length(length: float) -> str:
    """A length in pixel values, as `8/255` where that is what was given, and no short decimal."""
    of_255 = round(255 * length)
    is_ratio = math.isclose(255 * length, of_255, rel_tol=1e-9) and f"{length:.4g}" != f"{length:.12g}"
    return f"{of_255}/255" if is_ratio else f"{length:g}"


def within_pixels(key: str, length: float | None) -> None:
    """Raise `ValueError` for an l-inf length above 1, which is the whole range of pixels."""
    if length is not None and length > 1.0:
        meant = f"; if {length:g} of 255 is meant, write {length:g}/255" if length <= 255.0 else ""
        raise ValueError(f"{key} {length:g} is above 1, but pixels are in [0, 1]{meant}")


class LinfThreatModel(ThreatModel):
    """The threat model of bounds, which are for l-inf balls alone."""

    norm: Literal["linf"] = Field("linf", description="the ball's norm: `linf`, the only one that bounds are for")


class PerturbationSettings(ThreatModel):
    """A threat model, and the gradient steps that are taken inside its ball."""

    steps: PositiveInt = Field(10, description="gradient steps")
    step_size: PositiveLength | None = Field(
        None, description="length of a step in the ball's norm; empty: 2.5 epsilon / steps"
    )

    @model_validator(mode="after")
    def _steps_in_the_range_of_pixels(self) -> PerturbationSettings:
        if self.norm == "linf":
            within_pixels("step_size", self.step_size)
        return self

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

    classes: Annotated[tuple[ClassName, ...], Field(min_length=2)] | None = Field(
        None, description="members and non-members are of these classes alone; records of others go to the shadow pool"
    )

    @model_validator(mode="after")
    def _one_rule(self) -> SplitSettings:
        if self.member_fraction is not None and self.members_per_class is not None:
            raise ValueError("give member_fraction or members_per_class, not both")
        return self

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if classes is not None and len(set(classes)) < len(classes):
            raise ValueError("a class is given twice")
        return classes
