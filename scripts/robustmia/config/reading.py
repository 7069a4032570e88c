"""The configuration read and checked: one line for each mistake in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from robustmia.config.old_form import refuse_old_form
from robustmia.config.registry import METHODS, NETWORKS, OPTIMIZERS, SCHEDULES, SIGNALS, SOURCES, classes
from robustmia.config.schema import CheckpointAuditOfDataset, Config
from robustmia.data.source import Source
from robustmia.errors import UserError, escape_control_characters

EXPECTED = {
    "path_type": "a path",
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "model_type": "a group of settings",
    "model_attributes_type": "a group of settings",
    "dict_type": "a group of settings",
    "tuple_type": "a list",
    "list_type": "a list",
    "too_short": "given, with at least one entry",
    "string_too_long": "at most 60 characters long",
}
"""What should have been given, by pydantic's type of error, where its own words do not say it well."""

INHERITED_NAMES = {"architecture": NETWORKS, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}


def read_config(raw: dict[str, Any]) -> Config:
    """Check a configuration.

    Raises:
        UserError: one line for each mistake, with the key and what to do.
    """
    _require_text_keys(raw, "")
    refuse_old_form(raw)
    plugins = (SOURCES, METHODS, SIGNALS, NETWORKS, OPTIMIZERS, SCHEDULES)
    known = _known_keys([Config, *(kind for registry in plugins for kind in classes(registry))])
    raw = _without_foreign_nulls(raw, known)
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors()]
        places = {problem["loc"] for problem in problems}
        given = {_mistake(problem) for problem in problems if _is_given(raw, problem)}
        inner = [
            problem
            for problem in problems
            if not any(_inside(other, problem) for other in problems)
            and _of_data_set(problem["loc"]) not in places
            and (_is_given(raw, problem) or _mistake(problem) not in given)  # else it is inherited, and said already
            and not any(_inherited_from(other, problem) for other in problems)
        ]
        lines = dict.fromkeys(escape_control_characters(_line(problem, raw, sorted(known))) for problem in inner)
        raise UserError("\n".join(lines)) from None
    return config


def check_source(source: Source, data_dir: Path, key: str) -> None:
    """Raise `UserError`, with its key in the configuration, for a source whose files are missing."""
    try:
        source.check(data_dir)
    except UserError as error:
        raise UserError(f"config: {key}: {error}") from None


def check_audits(config: Config) -> None:
    """Raise `UserError` for an audit whose files are missing."""
    for name, audit in config.audits.items():
        try:
            audit.check()
        except UserError as error:
            raise UserError(f"config: audits.{name}.{error}") from None
        if isinstance(audit, CheckpointAuditOfDataset):
            check_source(audit.dataset, config.data_dir, f"audits.{name}.dataset")


def _require_text_keys(raw: Any, path: str) -> None:
    """Raise `UserError` for a key that YAML does not take for a text."""
    inner = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in inner:
        if isinstance(raw, dict) and not isinstance(key, str):
            raise UserError(
                f"config: {path or 'the configuration'}: {key!r} is no name; write it in quotes, or rename it"
            )
        _require_text_keys(value, f"{path}.{key}" if path else str(key))


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
    """Where a run's setting stands for its whole data set, which it is laid over."""
    return (*location[:2], *location[4:]) if location[2:3] == ("runs",) else None


def _inherited_from(other: dict[str, Any], problem: dict[str, Any]) -> bool:
    """Whether another problem is the same one of the data set's threat model, which others inherit."""
    here, there = problem["loc"], other["loc"]
    return (
        there[-1:] == ("threat_model",) and here != there and here[:2] == there[:2] and other["msg"] == problem["msg"]
    )


def _mistake(problem: dict[str, Any]) -> tuple[str, str]:
    """What is wrong, wherever it is."""
    return problem["type"], repr(problem["input"])


def _is_given(raw: Any, problem: dict[str, Any]) -> bool:
    """Whether the user gave the value that a problem is about, rather than that it was inherited."""
    here = raw
    for part in _path_in(raw, problem["loc"]):
        if isinstance(here, list | tuple) and int(part) < len(here):
            here = here[int(part)]
        elif isinstance(here, dict) and part in here:
            here = here[part]
        else:
            return False
    return True


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


def _fields_at(path: list[str]) -> set[str]:
    """The names of the settings that a group at this path of the configuration may have, whatever its `name`."""
    here: list[Any] = [Config]
    for part in path:
        here = [inner for kind in here for inner in _inside_of(kind, part)]
    return {name for kind in here for model in _models_in(kind) for name in model.model_fields}


def _inside_of(kind: Any, part: str) -> list[Any]:
    """The types that a key may have in a type: of a model's field, or of a dictionary's values."""
    if getattr(kind, "__origin__", None) is dict:
        return [kind.__args__[1]]
    return [model.model_fields[part].annotation for model in _models_in(kind) if part in model.model_fields]


def _models_in(kind: Any) -> list[type[BaseModel]]:
    """The models that a type may be, through unions and annotations."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    if getattr(kind, "__origin__", None) is dict:
        return []
    inner = [getattr(kind, "__origin__", None), *getattr(kind, "__args__", ())]
    return [model for part in inner if part not in (None, kind) for model in _models_in(part)]


def _line(problem: dict[str, Any], raw: dict[str, Any], known: list[str]) -> str:
    """One line for one mistake that pydantic found."""
    path = _path_in(raw, problem["loc"])
    given, kind, context = problem["input"], problem["type"], problem.get("ctx", {})
    key = ".".join(path) or "the configuration"
    if kind == "extra_forbidden":
        return f"config: {key}: {_unknown_key(path, known)}"
    if (kind == "missing" and isinstance(problem["loc"][-1], int)) or kind == "too_long":
        listed = key.rpartition(".")[0] if kind == "missing" else key
        return (
            f"config: {listed}: {_shown(given)} is a list of the wrong length (docs/configuration.md has the right one)"
        )
    if kind == "missing":
        return f"config: {key}: missing; add it (docs/configuration.md says what it is)"
    if kind == "union_tag_invalid":
        told_by = context["discriminator"].strip("'")
        where = key if path[-1] == context["tag"] else f"{key}.{told_by}"
        return f"config: {where}: unknown name {_shown(context['tag'])}; use one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"config: {key}: needs a name; give it as {path[-1]}: {{name: ...}}"
    if kind == "string_pattern_mismatch":
        marks = "'_' and '-'" if path[:1] == ["studies"] else "'_', '.' and '-'"
        return (
            f"config: {key}: a name starts with a letter and has letters, digits, {marks} only; rename {_shown(given)}"
        )
    if kind == "value_error":
        return f"config: {key}: {context['error']}"
    what = EXPECTED.get(kind) or problem["msg"].removeprefix("Input should be ")
    what = what.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    what = what.replace("True, False", "true, false")  # as YAML has them
    left_out = "; write null to leave it out" if given is False else ""
    return f"config: {key}: {_shown(given)} is not valid; it should be {what}{left_out}"


def _unknown_key(path: list[str], known: list[str]) -> str:
    fields = _fields_at(path[:-1])
    inside = [f"{field}.{path[-1]}" for field in sorted(fields) if path[-1] in _fields_at([*path[:-1], field])]
    if path[-1] not in fields and inside:
        return f"not a setting of this group; did you mean {' or '.join(inside)}?"
    close = difflib.get_close_matches(path[-1], fields or known, n=1)
    if path[-1] not in fields and close:
        return f"unknown key; did you mean {close[0]}?"
    if path[-1] in known:
        return "not a setting of this group; remove it, or set it to null in an overlay"
    return "unknown key; remove it (docs/configuration.md lists all keys)"


def _shown(given: Any) -> str:
    return repr(given) if len(repr(given)) < 60 else f"{repr(given)[:57]}..."


def _path_in(raw: Any, location: tuple[int | str, ...]) -> list[str]:
    """A problem's location without what pydantic adds to it: the tags of unions and the marks of dictionary keys."""
    path: list[str] = []
    here = raw
    for part in location:
        inside = part in here if isinstance(here, dict) else isinstance(here, list | tuple) and part in range(len(here))
        tags = (here.get("name"), here.get("kind", "sweep")) if isinstance(here, dict) else ()
        inherited = (
            INHERITED_NAMES.get(path[-1], ()) if path else ()
        )  # of a group whose name a run leaves to its data set
        tag = isinstance(here, dict) and part in (*tags, *inherited, *path[-1:])  # signals are named by their key
        if part == "[key]" or str(part).startswith("<") or (tag and not inside):
            continue
        path.append(str(part))
        here = here[part] if inside else None
    return path
