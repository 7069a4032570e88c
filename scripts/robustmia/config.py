"""The whole configuration as settings models, and one line for each mistake in it. Free of torch: the Snakefile reads it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from functools import reduce
from operator import or_
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from robustmia.audit.settings import CheckpointAudit, PredictionsAudit
from robustmia.data.source import Source
from robustmia.errors import UserError, visible
from robustmia.figure_settings import FiguresSettings
from robustmia.methods.base import Method
from robustmia.registry import METHODS, SIGNALS, SOURCES, classes
from robustmia.settings import (
    AnyNetworkSettings,
    Settings,
    SplitSettings,
    StrongAttacksSettings,
    TrainingSettings,
)
from robustmia.signals.base import Signal

if TYPE_CHECKING:
    AnySignal: TypeAlias = Signal
    AnySource: TypeAlias = Source
    AnyMethod: TypeAlias = Method
else:
    AnySignal = Annotated[reduce(or_, classes(SIGNALS)), Field(discriminator="name")]
    AnySource = Annotated[reduce(or_, classes(SOURCES)), Field(discriminator="name")]
    AnyMethod = Annotated[reduce(or_, classes(METHODS)), Field(discriminator="name")]

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=60)]
WANTED = {
    "path_type": "a path",
    "model_type": "a group of settings",
    "model_attributes_type": "a group of settings",
    "dict_type": "a group of settings",
    "tuple_type": "a list",
    "too_short": "given, with at least one entry",
    "string_too_long": "at most 60 characters long",
}
OVERRIDES = ("architecture", "training")


class RunSettings(Settings):
    """One way to train on a data set. `architecture` and `training` change what the data set says, key by key."""

    method: AnyMethod = Field(description="`name` and the settings of one training method")
    architecture: AnyNetworkSettings | None = Field(None, description="changes to the data set's network; empty: none")
    training: TrainingSettings | None = Field(None, description="changes to the data set's training; empty: none")


class DatasetSettings(Settings):
    """A data set and what is trained on it."""

    source: AnySource = Field(description="`name` and the settings of one data set")
    split: SplitSettings = Field(SplitSettings(), description="who is a member")
    architecture: AnyNetworkSettings = Field(description="the network that every run trains")
    training: TrainingSettings = Field(description="how every run is trained")
    signals: dict[Name, AnySignal] = Field(
        description="what the attacker sees, by name, each with its settings; `benign` and `adversarial` are needed"
    )
    strong_attacks: StrongAttacksSettings | None = Field(
        None, description="shadow models and what they are for; empty: this data set has no strong attacks"
    )
    runs: dict[Name, RunSettings] = Field(
        min_length=1, description="what is trained, by name; a run set to null is left out"
    )

    @field_validator("signals", mode="before")
    @classmethod
    def _name_signals(cls, raw: Any) -> Any:
        """Give each signal the name it stands under, and leave out those set to null."""
        if not isinstance(raw, dict):
            return raw
        present = {name: value for name, value in raw.items() if value is not None}
        return {name: value | {"name": name} if isinstance(value, dict) else value for name, value in present.items()}

    @field_validator("signals")
    @classmethod
    def _have_signals(cls, signals: dict[str, Signal]) -> dict[str, Signal]:
        if lacking := [name for name in ("benign", "adversarial") if name not in signals]:
            raise ValueError(f"{' and '.join(lacking)} missing; the tables and figures need benign and adversarial")
        return signals

    @model_validator(mode="after")
    def _long_enough(self) -> DatasetSettings:
        """A radius that never gets to its full size would train another defense than the one asked for."""
        for name, run in self.runs.items():
            epochs = (run.training or self.training).epochs
            if run.method.settled_after >= epochs:
                raise ValueError(
                    f"runs.{name}.method is at its full radius and weights after {run.method.settled_after:g} epochs only, "
                    f"but trains for {epochs}; shorten its warm-up, ramp or rise, or raise training.epochs"
                )
        return self

    @model_validator(mode="before")
    @classmethod
    def _complete_runs(cls, raw: Any) -> Any:
        """Leave out runs set to null, and fill up what a run changes with what the data set says."""
        if not isinstance(raw, dict) or not isinstance(raw.get("runs"), dict):
            return raw
        runs = {}
        for name, run in raw["runs"].items():
            if isinstance(run, dict):
                changed = {key: _merge(raw.get(key), run[key]) for key in OVERRIDES if run.get(key) is not None}
                run = run | changed
            if run is not None:
                runs[name] = run
        return raw | {"runs": runs}


class CheckpointAuditOfDataset(CheckpointAudit):
    """A checkpoint's audit, and the data set that its model was trained on."""

    dataset: AnySource = Field(description="a data set by name, or `name` and its settings")

    @model_validator(mode="before")
    @classmethod
    def _name_dataset(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and isinstance(raw.get("dataset"), str):
            return raw | {"dataset": {"name": raw["dataset"]}}
        return raw


def _kind_of_audit(raw: Any) -> str:
    given = raw if isinstance(raw, dict) else vars(raw)
    return "<predictions>" if "predictions" in given else "<checkpoint>"


AnyAudit = Annotated[
    Annotated[PredictionsAudit, Tag("<predictions>")] | Annotated[CheckpointAuditOfDataset, Tag("<checkpoint>")],
    Discriminator(_kind_of_audit),
]


class Config(Settings):
    """The top level of `config.yaml`."""

    data_dir: Path = Field(Path("data"), description="where data sets are kept, in the layout of their own tools")
    results_dir: Path = Field(Path("results"), description="where everything that the pipeline makes goes")
    audits: dict[Name, AnyAudit] = Field(
        {}, description="of other people's models, by a name of your own: `snakemake audit`; docs/audit.md"
    )
    seeds: tuple[Seed, ...] = Field(
        (0,), min_length=1, description="each run is trained once for each seed, which also draws the split"
    )
    datasets: dict[Name, DatasetSettings] = Field(
        min_length=1, description="by a name of your own; a data set set to null is left out"
    )
    figures: FiguresSettings = Field(FiguresSettings(), description="how figures look")

    @field_validator("datasets", mode="before")
    @classmethod
    def _leave_out(cls, raw: Any) -> Any:
        return {name: value for name, value in raw.items() if value is not None} if isinstance(raw, dict) else raw

    @field_validator("results_dir")
    @classmethod
    def _no_wildcard(cls, folder: Path) -> Path:
        if set("{}") & set(str(folder)):
            raise ValueError(f"{folder} has a brace, which Snakemake takes for a wildcard; name another folder")
        return folder

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is given twice")
        return seeds


def _merge(base: Any, change: Any) -> Any:
    """`change` laid over `base`, key by key; a group whose `name` differs replaces the other whole."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    if "name" in change and change["name"] != base.get("name"):
        return change
    return base | {key: _merge(base.get(key), value) for key, value in change.items()}


# ---------------------------------------------------------------- reading


def read_config(raw: dict[str, Any]) -> Config:
    """Check a configuration.

    Raises:
        UserError: one line for each mistake, with the key and what to do.
    """
    known = _known_keys([Config, *classes(SOURCES), *classes(METHODS), *classes(SIGNALS)])
    raw = _without_foreign_nulls(raw, known)
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        problems = error.errors()
        places = {problem["loc"] for problem in problems}
        inner = [
            problem
            for problem in problems
            if not any(_inside(other, problem) for other in problems) and _of_data_set(problem["loc"]) not in places
        ]
        lines = dict.fromkeys(visible(_line(dict(problem), raw, sorted(known))) for problem in inner)
        raise UserError("\n".join(lines)) from None
    _require_writable(config.results_dir)
    return config


def check_sources(config: Config) -> None:
    """Raise `UserError` for a data set whose files are missing, unless the results hold it already."""
    for name, dataset in config.datasets.items():
        folder = config.results_dir / "data" / name
        if not ((folder / "dataset.npz").exists() and _fetched(folder / "dataset.spec.json") == dataset.source):
            dataset.source.check(config.data_dir)


def check_audits(config: Config) -> None:
    """Raise `UserError` for an audit whose files are missing."""
    for name, audit in config.audits.items():
        try:
            audit.check()
            if isinstance(audit, CheckpointAuditOfDataset):
                audit.dataset.check(config.data_dir)
        except UserError as error:
            raise UserError(f"config: audits.{name}.{error}") from None


def _fetched(spec: Path) -> Source | None:
    """The source that a fetched data set came from; None where nothing says so."""
    try:
        source = json.loads(spec.read_text(encoding="utf-8"))["spec"]["source"]
        return resolve_name(source["class"])(**source["settings"])
    except (OSError, ValueError, KeyError, AttributeError, ImportError):  # not there, or of another version
        return None


def _require_writable(results_dir: Path) -> None:
    """Try it: permissions alone do not tell a full or read-only disk, and root may do anything else."""
    probe = results_dir / ".writable"
    try:
        results_dir.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink(missing_ok=True)  # another workflow may have tried at the same time
    except OSError as error:
        raise UserError(
            f"results_dir: {results_dir} cannot be written ({error.strerror}); free it or name another folder"
        ) from None


def _without_foreign_nulls(raw: Any, known: set[str]) -> Any:
    """Leave out empty settings of another member of a named group: so an overlay says `{name: adam, momentum: null}`."""
    if not isinstance(raw, dict):
        return raw
    named = "name" in raw
    kept = {key: value for key, value in raw.items() if not (named and value is None and key in known)}
    return {key: _without_foreign_nulls(value, known) for key, value in kept.items()}


def _inside(other: Any, problem: Any) -> bool:
    """Whether another problem is within the same value, and says more."""
    length = len(problem["loc"])
    return len(other["loc"]) > length and other["loc"][:length] == problem["loc"]


def _of_data_set(location: tuple[int | str, ...]) -> tuple[int | str, ...] | None:
    """Where a run's setting stands for its whole data set: a mistake there is passed on to runs that change something."""
    return (*location[:2], *location[4:]) if location[2:3] == ("runs",) else None


def _known_keys(models: Iterable[Any]) -> set[str]:
    """The names of all settings in these models and in the models inside them."""
    keys: set[str] = set()
    todo, seen = list(models), set()
    while todo:
        kind = todo.pop()
        if kind in seen:
            continue
        seen.add(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, field in kind.model_fields.items():
                keys.add(name)
                todo.append(field.annotation)
        else:
            todo += getattr(kind, "__args__", ())
    return keys


def _line(problem: dict[str, Any], raw: dict[str, Any], known: list[str]) -> str:
    """One line for one mistake that pydantic found."""
    path = _path_in(raw, problem["loc"])
    given, kind, context = problem["input"], problem["type"], problem.get("ctx", {})
    key = ".".join(path) or "the configuration"
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(path[-1], known, n=1)
        if path[-1] in known:
            return f"config: {key}: not a setting of this group; remove it, or set it to null in an overlay"
        return f"config: {key}: unknown key; " + (
            f"did you mean {close[0]}?" if close else "remove it (docs/configuration.md lists all keys)"
        )
    if kind == "missing":
        return f"config: {key}: missing; add it (docs/configuration.md says what it is)"
    if kind == "union_tag_invalid":
        where = key if path[-1] == context["tag"] else f"{key}.name"
        return f"config: {where}: unknown name {context['tag']!r}; use one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"config: {key}: needs a name; give it as {path[-1]}: {{name: ...}}"
    if kind == "string_pattern_mismatch":
        return f"config: {key}: a name starts with a letter and has letters, digits, '_', '.' and '-' only; rename {given!r}"
    if kind == "value_error":
        return f"config: {key}: {context['error']}"
    what = WANTED.get(kind) or problem["msg"].removeprefix("Input should be ")
    shown = repr(given) if len(repr(given)) < 60 else f"{repr(given)[:57]}..."
    return f"config: {key}: {shown} will not do; it should be {what}"


def _path_in(raw: Any, location: tuple[int | str, ...]) -> list[str]:
    """A problem's location without what pydantic adds to it: the tags of unions and the marks of dictionary keys."""
    path: list[str] = []
    here = raw
    for part in location:
        inside = part in here if isinstance(here, dict) else isinstance(here, list | tuple)
        tag = isinstance(here, dict) and part in (here.get("name"), *path[-1:])  # signals are named by their key
        if part == "[key]" or str(part).startswith("<") or (tag and not inside):
            continue
        path.append(str(part))
        here = here[part] if inside else None
    return path
