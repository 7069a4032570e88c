"""What studies are: a data set, some of its runs, and what is changed in them. Free of torch."""

from __future__ import annotations

import json
import math
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from robustmia.errors import escape_control_characters
from robustmia.inference.settings import enough_shadow_models
from robustmia.settings import AtLeastTwo, Settings

Changes = dict[str, Any]
"""New values by dotted key of the data set (`threat_model.epsilon`) or of its runs (`method.steps`, `training.epochs`)."""
LONGEST_NAME = 60  # of a point
OF_RUNS = ("method", "architecture", "training")
"""First parts of keys that belong to the runs; the others belong to the data set."""


TRANSFERRED = ("I_B", "I_A", "lira_online", "rmia_online", "lira_offline", "rmia_offline", "I_T_shadow")
"""The attacks of a transfer study: each takes thresholds, a classifier or distributions from shadow models; the offline ones where no shadow model
was trained on the target's records."""

OF_OUTPUTS = ("I_B", "I_A", "lira_online", "rmia_online", "correctness")
"""Those of a study of outputs; what needs shadow models is left out where there are none."""


class Study(Settings):
    """A data set, some of its runs, and what is changed in them."""

    kind: str
    dataset: str = Field(description="a name under `datasets`")
    runs: tuple[str, ...] = Field((), description="names under its `runs`; empty: all")
    change: Changes = Field({}, description="what is changed throughout: new values by dotted key")
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] | None = Field(
        None, min_length=1, description="as at the top level, which an empty value stands for"
    )
    shadow_models: Annotated[int, Field(ge=0, le=10_000)] | None = Field(
        None, description="as at the top level, which an empty value stands for"
    )

    @field_validator("seeds", "runs", "temperatures", "decimals", check_fields=False)
    @classmethod
    def _distinct(cls, given: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if given is not None and len(set(given)) < len(given):
            raise ValueError("a value is given twice")
        return given

    @field_validator("shadow_models")
    @classmethod
    def _enough(cls, count: int | None) -> int | None:
        return enough_shadow_models(count) if count is not None else None

    def changes(self) -> dict[str, Changes]:
        """What is changed at each point, beside `change`, by the point's name."""
        return {"": {}}


class Varied(Study):
    """A study with several points: those of `vary`, or the named `points`."""

    vary: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(
        {}, description="lists of values by dotted key: of two keys, every combination is a point"
    )
    zip: bool = Field(False, description="of two lists or more, the first values are a point, the second ones, ...")
    points: dict[str, Changes] = Field({}, description="points by name, each with its changes, in place of `vary`")
    max_points: PositiveInt = Field(50, description="more are refused")

    @field_validator("points")
    @classmethod
    def _have_names(cls, points: dict[str, Changes]) -> dict[str, Changes]:
        if any(not name.strip() for name in points):
            raise ValueError("a point has no name")
        for name in points:
            if len(name) > LONGEST_NAME or name != escape_control_characters(name):
                raise ValueError(
                    f"a point's name has at most {LONGEST_NAME} characters, all on one line; shorten {escape_control_characters(name)[:20]!r}"
                )
        return points

    @model_validator(mode="after")
    def _points_make_sense(self) -> Varied:
        if self.vary and self.points:
            raise ValueError("vary and points are two ways to say the same; give one of them")
        lengths = {len(values) for values in self.vary.values()}
        if self.zip and (len(lengths) != 1 or len(self.vary) < 2):
            raise ValueError("zip: true needs two lists under vary or more, all of one length")
        count = max(lengths) if self.zip else math.prod(map(len, self.vary.values()))
        count = len(self.points) or count
        if count > self.max_points:
            raise ValueError(f"{count} points are more than max_points, {self.max_points}; leave some out or raise it")
        if len(self.changes()) < count:
            raise ValueError("a point is given twice; leave out one of the equal values under vary")
        return self

    def changes(self) -> dict[str, Changes]:
        """What is changed at each point, beside `change`, by the point's name."""
        if self.points:
            return self.points
        combine = zip if self.zip else product
        combinations = combine(*self.vary.values()) if self.vary else [()]
        named = [dict(zip(self.vary, values, strict=True)) for values in combinations]
        return {in_words(changes): changes for changes in named}


class Sweep(Varied):
    """Leakage, robustness and generalisation gaps at every point."""

    kind: Literal["sweep"] = "sweep"


class Transfer(Varied):
    """What an attacker loses whose shadow models are not trained as the target is: those of every run and point against the targets of all."""

    kind: Literal["transfer"]
    other_records: bool = Field(
        False, description="also shadow models of records that are neither members nor non-members of the target"
    )


class Outputs(Study):
    """What it helps to change the outputs of a trained model: its temperature, their decimals, or to give the label alone."""

    kind: Literal["outputs"]
    temperatures: tuple[PositiveFloat, ...] = Field((0.5, 2.0, 5.0, 10.0), description="that divide logits")
    decimals: tuple[Annotated[int, Field(ge=1, le=12)], ...] = Field(
        (3, 2, 1), description="to which probabilities are rounded"
    )
    farthest: PositiveFloat = Field(
        3.0,
        description="of the distance to the boundary: the largest radius that is searched, in radii of the adversarial signal",
    )
    radii: AtLeastTwo = Field(24, description="of the search, up to that one")
    steps: PositiveInt = Field(10, description="of PGD at each radius")


class Sensitivity(Study):
    """How much a model's confidence in a record depends on whether it was trained on it: models are trained again without it."""

    kind: Literal["sensitivity"]
    random: AtLeastTwo = Field(20, description="random members that are left out, one at a time; they stand for all")
    most_at_risk: NonNegativeInt = Field(10, description="of the other members those at most risk, likewise")
    least_at_risk: NonNegativeInt = Field(10, description="and those at least risk")
    retrainings: Annotated[int, Field(ge=3)] = Field(20, description="models that are trained again with all members")

    @property
    def counts(self) -> list[int]:
        """Of the records that are left out, by group."""
        return [self.random, self.most_at_risk, self.least_at_risk]


def in_words(changes: Changes) -> str:
    """Changes as the name of a point; empty without any."""
    return ", ".join(f"{key} = {written(value)}" for key, value in changes.items())


def written(value: Any) -> str:
    """A value as YAML has it, on one line."""
    plain = json.dumps(value) if isinstance(value, bool | dict | list) or value is None else str(value)
    return escape_control_characters(plain)


def is_number(value: Any) -> bool:
    """Whether a value is a number, which true is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
