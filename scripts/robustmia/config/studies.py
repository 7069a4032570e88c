"""The points of studies: the configuration of a data set, with the settings of each point in place of its own."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from robustmia.config.inheritance import without_null
from robustmia.config.reading import read_config
from robustmia.config.registry import METHODS
from robustmia.config.schema import Config, DatasetSettings
from robustmia.errors import UserError
from robustmia.studies.settings import OF_RUNS, Changes, Study, Transfer, is_number, written


@dataclass(frozen=True)
class Point:
    """One point of a study."""

    name: str
    values: Changes
    """What is changed at this point, and not at every one."""
    settings: DatasetSettings
    """Of the data set as it is at this point, with the study's runs alone."""

    @property
    def plain_values(self) -> dict[str, float | str]:
        """What is changed, for the columns of a table."""
        return {key: value if is_number(value) else written(value) for key, value in self.values.items()}


def read_points(raw: dict[str, Any], config: Config) -> dict[str, list[Point]]:
    """The points of every study, by the study's name.

    Args:
        raw: what `read_config` read.
        config: what it gave.

    Raises:
        UserError: a study names a data set or run that there is not, or changes what cannot be changed so: a line for each mistake.
    """
    points: dict[str, list[Point]] = {}
    mistakes = []
    for name, study in config.studies.items():
        try:
            points[name] = _points(raw, name, study, config)
        except UserError as error:
            mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(mistakes))
    return points


def _points(raw: dict[str, Any], name: str, study: Study, config: Config) -> list[Point]:
    where = f"config: studies.{name}"
    if isinstance(study, Transfer) and not (
        config.shadow_models if study.shadow_models is None else study.shadow_models
    ):
        raise UserError(f"{where}.shadow_models: a transfer study needs shadow models; give 8, say")
    dataset = without_null(raw["datasets"]).get(study.dataset)
    if dataset is None:
        raise UserError(f"{where}.dataset: there is no data set {study.dataset!r}; use a name under datasets")
    there = without_null(dataset["runs"])
    runs = study.runs or tuple(there)
    if unknown := [run for run in runs if run not in there]:
        raise UserError(
            f"{where}.runs: {study.dataset} has no run {unknown[0]!r}; use names under datasets.{study.dataset}.runs"
        )
    base = dataset | {"runs": {run: there[run] for run in runs}}
    points = []
    for point, changes in study.changes().items():
        given = f"{where}, point {point}" if point else where
        changed = _changed(base, study.change | changes, given)
        points.append(Point(point, changes, _settings(raw, study.dataset, changed, given)))
    if isinstance(study, Transfer):
        _require_one_source(points, where)
    if isinstance(study, Transfer) and study.other_records:
        _require_other_records(points, where)
    return points


def _require_other_records(points: list[Point], where: str) -> None:
    for point in points:
        split = point.settings.split
        if not (split.max_members or split.max_nonmembers or split.classes):
            raise UserError(
                f"{where}.other_records: all records are members or non-members{f' at point {point.name}' if point.name else ''}; set "
                "split.max_members and split.max_nonmembers, or split.classes, under change or points"
            )


def _require_one_source(points: list[Point], where: str) -> None:
    if any(point.settings.source != points[0].settings.source for point in points):
        raise UserError(
            f"{where}: shadow models of one source are of no use for the records of another; vary something else"
        )
    if any(set(point.settings.signals) != set(points[0].settings.signals) for point in points):
        raise UserError(f"{where}: all points have to have the same signals")
    if any(point.settings.attacks != points[0].settings.attacks for point in points):
        raise UserError(f"{where}: all points have to have the same settings of attacks")


def _settings(raw: dict[str, Any], name: str, dataset: dict[str, Any], where: str) -> DatasetSettings:
    try:
        return read_config(raw | {"studies": {}, "audits": {}, "datasets": {name: dataset}}).datasets[name]
    except UserError as error:
        lines = {re.sub(r"\.runs\.[^.]+\.", ".", line): line for line in reversed(str(error).splitlines())}
        said = [
            f"{where}: {line.removeprefix('config: ')}" for line in reversed(lines.values())
        ]  # of all runs alike, once
        raise UserError("\n".join(said)) from None


def _changed(dataset: dict[str, Any], changes: Changes, where: str) -> dict[str, Any]:
    """A data set with new values under dotted keys; those of `method` change the runs whose method has such a setting."""
    changed = copy.deepcopy(dataset)
    for key, value in changes.items():
        for group, parts in _groups(changed, key, f"{where}: {key}"):
            _put(group, parts, value, f"{where}: {key}")
    return changed


def _groups(dataset: dict[str, Any], key: str, where: str) -> list[tuple[dict[str, Any], list[str]]]:
    """The groups of settings that a dotted key is about, each with the parts of the key from there on."""
    first, runs, parts = key.partition(".")[0], dataset["runs"], key.split(".")
    if first == "resources":
        raise UserError(f"{where}: the size of jobs changes no result; set it under datasets, for all studies alike")
    if first == "runs":
        named = [run for run in runs if key.startswith(f"runs.{run}.")]
        if not named:
            example = f"runs.{next(iter(runs))}.method.epsilon"
            raise UserError(f"{where}: name a setting of one of the study's runs, as in {example}")
        run = max(named, key=len)
        return [(runs[run], key.removeprefix(f"runs.{run}.").split("."))]
    if first not in OF_RUNS:
        return [(dataset, parts)]
    having = [run for run in runs.values() if first != "method" or _has(run, parts)]
    if not having:
        raise UserError(f"{where}: no method of these runs has this setting; correct the key, or name other runs")
    return [(run, parts) for run in having]


def _has(run: Any, parts: list[str]) -> bool:
    """Whether the method of a run has a setting."""
    method = run.get("method") if isinstance(run, dict) else None
    path = METHODS.get(str(method.get("name"))) if isinstance(method, dict) else None
    return path is None or parts[1:2] == [] or parts[1] in resolve_name(path).model_fields


def _put(group: Any, parts: list[str], value: Any, where: str) -> None:
    for part in parts[:-1]:
        if group.get(part) is None:
            group[part] = {}
        group = group[part]
        if not isinstance(group, dict):
            raise UserError(f"{where}: {part} is no group of settings; correct the key")
    group[parts[-1]] = copy.deepcopy(value)
