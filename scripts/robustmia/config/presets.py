"""How a data set of the configuration differs from the paper's protocol, which the overlays in `configs/paper/` have."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from robustmia.config.reading import read_config
from robustmia.config.schema import DatasetSettings

IN_PAPER = ("yale", "fashion_mnist", "cifar10")
PRESETS = Path(__file__).parents[3] / "configs" / "paper"


def differences_from_paper(dataset: DatasetSettings) -> dict[str, list[str]]:
    """Which settings of each run are not the paper's, in words such as `training epochs 60 (210)`: ours, and in brackets the paper's.

    Returns:
        By run, for those whose method the paper applies to this data set; empty for other data sets than the paper's.
    """
    if dataset.source.name not in IN_PAPER:
        return {}
    preset = read_preset(dataset.source.name)
    theirs = {run.method.name: _settings(preset, name) for name, run in preset.runs.items()}
    return {
        name: list(dict.fromkeys(_differences((), _settings(dataset, name), theirs[run.method.name])))
        for name, run in dataset.runs.items()
        if run.method.name in theirs
    }


@cache
def read_preset(source: str) -> DatasetSettings:
    """The data set of an overlay in `configs/paper/`, by the name of its source."""
    raw = yaml.safe_load((PRESETS / f"{source}.yaml").read_text(encoding="utf-8"))["datasets"]
    return read_config({"datasets": {source: raw[source]}}).datasets[source]


def _settings(dataset: DatasetSettings, name: str) -> dict[str, Any]:
    """What decides the results of a run, as plain values."""
    run = dataset.runs[name]
    return {
        "images": dataset.source.model_dump(mode="json", exclude={"path"}),
        "threat_model": dataset.threat_model.model_dump(mode="json"),
        "split": dataset.split.model_dump(mode="json"),
        "network": (run.architecture or dataset.architecture).model_dump(mode="json"),
        "training": (run.training or dataset.training).model_dump(mode="json", exclude={"monitor"}),
        "method": run.method.model_dump(mode="json"),
        "engine": dataset.engine.model_dump(mode="json", include={"precision"}),
        "evaluation_attack": dataset.signals["adversarial"].model_dump(mode="json"),
    }


def _differences(path: tuple[str, ...], ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if ours.get("name") != theirs.get("name"):
            yield from _differences(path, ours.get("name"), theirs.get("name"))
            return
        for key in ours:
            yield from _differences((*path, key), ours[key], theirs.get(key))
    elif ours != theirs:
        between = " x " if path[-1] == "size" else ", "
        yield f"{' '.join(path).replace('_', ' ')} {_in_words(ours, between)} ({_in_words(theirs, between)})"


def _in_words(value: Any, between: str = ", ") -> str:
    if value is None:
        return "not set"
    if isinstance(value, list):
        return between.join(map(_in_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
