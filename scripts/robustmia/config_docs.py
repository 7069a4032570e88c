"""docs/configuration.md, written from the settings models: `python -m robustmia.config_docs > docs/configuration.md`."""

from __future__ import annotations

import json
import sys
from typing import Any

from robustmia.audit.settings import PredictionsAudit
from robustmia.config import CheckpointAuditOfDataset, Config, DatasetSettings, RunSettings
from robustmia.figure_settings import FigureSettings, FiguresSettings
from robustmia.methods.base import RampSettings
from robustmia.registry import METHODS, SIGNALS, SOURCES, classes
from robustmia.settings import (
    AdamSettings,
    AugmentationSettings,
    ConstantScheduleSettings,
    CosineScheduleSettings,
    FashionMNISTNetSettings,
    MonitorSettings,
    OneCycleScheduleSettings,
    PiecewiseScheduleSettings,
    Settings,
    SGDSettings,
    SmallCNNSettings,
    SplitSettings,
    StrongAttacksSettings,
    TrainingSettings,
    WideResNetSettings,
    YaleNetSettings,
)

HEAD = """# Configuration

Every key of `config.yaml` and of the overlays in `configs/`. Written by `make docs` from the settings models; a test
holds the two together.

- `--configfile FILE` lays a file over `config.yaml`, key by key; `--config key=value` lays one key over both.
- A data set or a run set to `null` is left out. So is a setting of another member of a named group, which an overlay
  would otherwise inherit: `optimizer: {name: adam, momentum: null}`.
- A run's `architecture` and `training` are laid over its data set's, key by key. A group whose `name` differs replaces
  the other whole.
- An unknown key, a wrong type or a value out of range is one line that names the key, before any job starts.
- Pixels are in [0, 1] wherever a radius, a step or a mean is given.
- The device is not a setting: a GPU is used where there is one; `CUDA_VISIBLE_DEVICES=` (empty) hides it.
"""

SECTIONS: dict[str, tuple[type[Settings], ...]] = {
    "Top level": (Config,),
    "datasets.NAME": (DatasetSettings,),
    "datasets.NAME.source": classes(SOURCES),
    "datasets.NAME.split": (SplitSettings,),
    "datasets.NAME.architecture": (SmallCNNSettings, YaleNetSettings, FashionMNISTNetSettings, WideResNetSettings),
    "datasets.NAME.training": (TrainingSettings,),
    "training.optimizer": (SGDSettings, AdamSettings),
    "training.schedule": (
        ConstantScheduleSettings,
        PiecewiseScheduleSettings,
        CosineScheduleSettings,
        OneCycleScheduleSettings,
    ),
    "training.augmentation": (AugmentationSettings,),
    "training.monitor": (MonitorSettings,),
    "datasets.NAME.signals": classes(SIGNALS),
    "datasets.NAME.runs.NAME": (RunSettings,),
    "runs.NAME.method": classes(METHODS),
    "method.ramp": (RampSettings,),
    "datasets.NAME.strong_attacks": (StrongAttacksSettings,),
    "audits.NAME, of predictions": (PredictionsAudit,),
    "audits.NAME, of a checkpoint": (CheckpointAuditOfDataset,),
    "figures": (FiguresSettings,),
    "figures.NAME": (FigureSettings,),
}


def configuration_page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, models in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += [_model(model, named=len(models) > 1) for model in models]
    return "\n".join(parts)


def _model(model: type[Settings], named: bool) -> str:
    schema = model.model_json_schema()
    heading = f"### `{schema['properties']['name']['const']}`\n\n" if named else ""
    summary = " ".join((model.__doc__ or "").split())
    rows = [_row(key, field, schema) for key, field in schema["properties"].items() if not (named and key == "name")]
    table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""]) if rows else ""
    return f"{heading}{summary}\n\n{table}"


def _row(key: str, field: dict[str, Any], schema: dict[str, Any]) -> str:
    default = "needed" if key in schema.get("required", []) else _default(field.get("default"))
    return f"| `{key}` | {_type(field)} | {default} | {field.get('description', '')} |"


def _default(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "its own defaults"
    return f"`{json.dumps(value)}`"


def _type(field: dict[str, Any]) -> str:
    """A JSON schema's type in words."""
    if "anyOf" in field:
        return " or ".join("empty" if part == {"type": "null"} else _type(part) for part in field["anyOf"])
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = field.get("type")
    if kind == "array":
        parts = field.get("prefixItems")
        return f"list of {len(parts)}: {_type(parts[0])}" if parts else f"list: {_type(field['items'])}"
    if kind in ("integer", "number"):
        return ("whole number" if kind == "integer" else "number") + _bounds(field)
    if kind == "string":
        return "path" if field.get("format") == "path" else "text"
    return "`true` or `false`" if kind == "boolean" else "group"


def _bounds(field: dict[str, Any]) -> str:
    words = {"exclusiveMinimum": "above", "minimum": "at least", "exclusiveMaximum": "below", "maximum": "at most"}
    bounds = [f"{word} {field[key]:g}" for key, word in words.items() if key in field]
    return f", {' and '.join(bounds)}" if bounds else ""


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
