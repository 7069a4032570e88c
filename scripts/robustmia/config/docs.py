"""What is written from other files of the project: docs/configuration.md, the JSON schema for editors, and the paper's data sets in one file.

`python -m robustmia.config.docs configuration > docs/configuration.md`
`python -m robustmia.config.docs schema > config.schema.json`
`python -m robustmia.config.docs paper > configs/paper/all.yaml`
"""

from __future__ import annotations

import json
import sys
from typing import Any

from robustmia.audit.predictions_settings import PredictionsAudit
from robustmia.config.presets import IN_PAPER, PRESETS
from robustmia.config.registry import METHODS, NETWORKS, OPTIMIZERS, SCHEDULES, SIGNALS, SOURCES, STUDIES, classes
from robustmia.config.schema import (
    CheckpointAuditOfDataset,
    Config,
    DatasetSettings,
    FiguresSettings,
    ResourceSettings,
    RunSettings,
    Training,
)
from robustmia.inference.settings import AttackSettings
from robustmia.methods.base import EpsilonSchedule
from robustmia.models.engine import Engine
from robustmia.reporting.figures.base import Figure
from robustmia.settings import Settings, SplitSettings, ThreatModel
from robustmia.training.settings import AugmentationSettings, EarlyStoppingSettings, MonitorSettings, PrivacySettings

HEAD = """# Configuration

Every key of `config.yaml` and of the overlays in `configs/`. Written by `make docs` from the settings models; a test
checks that the two agree. Editors that know JSON schemas complete and check keys with `config.schema.json`.

- `--configfile FILE` lays a file over `config.yaml`, key by key; `--config key=value` lays one key over both.
- A data set, a run or a signal set to `null` is left out. So is a setting of another member of a named group, which an overlay
  would otherwise inherit: `optimizer: {name: adam, momentum: null}`.
- A run inherits `architecture` and `training` of its data set, key by key. A group whose `name` differs replaces the other whole.
- `norm` and `epsilon` of methods, of the monitor, of early stopping and of signals are inherited from the data set's `threat_model`
  where they are not given.
- An unknown key, a wrong type or a value out of range is one line that names the key, before any job starts.
- `~` and environment variables in paths are expanded: `data_dir: $SCRATCH/data`.
- Pixels are in [0, 1] wherever a radius, a step or a mean is given.
- The device is not a setting: a GPU is used where there is one; `CUDA_VISIBLE_DEVICES=` (empty) hides it.
"""

PAPER_HEAD = """# The three data sets of Song et al. (2019) with their settings, from yale.yaml, fashion_mnist.yaml and cifar10.yaml, which say more.
# Written by `make docs`; edit those. Meant for GPUs.
seeds: [0]

datasets:
  digits: null
"""

INHERITED = ("norm", "epsilon")

SECTIONS: dict[str, tuple[type[Settings], ...]] = {
    "Top level": (Config,),
    "datasets.NAME": (DatasetSettings,),
    "datasets.NAME.source": classes(SOURCES),
    "datasets.NAME.threat_model": (ThreatModel,),
    "datasets.NAME.split": (SplitSettings,),
    "datasets.NAME.architecture": classes(NETWORKS),
    "datasets.NAME.training": (Training,),
    "training.optimizer": classes(OPTIMIZERS),
    "training.schedule": classes(SCHEDULES),
    "training.augmentation": (AugmentationSettings,),
    "training.early_stopping": (EarlyStoppingSettings,),
    "training.privacy": (PrivacySettings,),
    "training.monitor": (MonitorSettings,),
    "datasets.NAME.engine": (Engine,),
    "datasets.NAME.signals": classes(SIGNALS),
    "datasets.NAME.attacks": (AttackSettings,),
    "datasets.NAME.resources": (ResourceSettings,),
    "datasets.NAME.runs.NAME": (RunSettings,),
    "runs.NAME.method": classes(METHODS),
    "method.epsilon_schedule": (EpsilonSchedule,),
    "audits.NAME, of predictions": (PredictionsAudit,),
    "audits.NAME, of a checkpoint": (CheckpointAuditOfDataset,),
    "studies.NAME": classes(STUDIES),
    "figures": (FiguresSettings,),
    "figures.NAME": (Figure,),
}


def configuration_page() -> str:
    """The whole page docs/configuration.md."""
    parts = [HEAD]
    for title, models in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += [_model(model, named=len(models) > 1) for model in models]
    return "\n".join(parts)


def all_of_paper() -> str:
    """The whole file configs/paper/all.yaml."""
    beginning = "datasets:\n  digits: null\n"
    texts = [(PRESETS / f"{name}.yaml").read_text(encoding="utf-8") for name in IN_PAPER]
    return PAPER_HEAD + "\n".join(text.partition(beginning)[2] for text in texts)


def editor_schema() -> dict[str, Any]:
    """A JSON schema of `config.yaml` and of overlays: any key may be absent, inherited or null, but none may be unknown."""
    full = Config.model_json_schema()
    definitions = full.pop("$defs")
    schema = _relaxed(full, definitions) | {"$defs": {k: _relaxed(v, definitions) for k, v in definitions.items()}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | {"title": "robustmia configuration"}


def _relaxed(part: Any, definitions: dict[str, Any]) -> Any:
    """A schema in which no key is required and every value may be null."""
    if isinstance(part, list):
        return [_relaxed(inner, definitions) for inner in part]
    if not isinstance(part, dict):
        return part
    if "oneOf" in part:
        return _relaxed(_joined([_resolved(member, definitions) for member in part["oneOf"]]), definitions)
    dropped = ("required", "default", "minProperties", "discriminator")
    relaxed = {key: _relaxed(value, definitions) for key, value in part.items() if key not in dropped}
    for key in ("properties", "patternProperties"):
        if key in relaxed:
            relaxed[key] = {name: _or_null(value) for name, value in relaxed[key].items()}
    if isinstance(relaxed.get("additionalProperties"), dict):
        relaxed["additionalProperties"] = _or_null(relaxed["additionalProperties"])
    return relaxed


def _resolved(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return definitions[part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def _joined(members: list[dict[str, Any]]) -> dict[str, Any]:
    """One schema for all members of a named group: an overlay may leave the name out, and set keys of another member to null."""
    if any("properties" not in member for member in members):
        return {"anyOf": members}
    properties: dict[str, Any] = {}
    for member in members:
        for key, value in member["properties"].items():
            properties.setdefault(key, {"anyOf": []})["anyOf"].append(value)
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    described = {key: schema[key] for key in ("description", "title") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in described}
    return described | {"anyOf": [rest, {"type": "null"}]}


def _model(model: type[Settings], named: bool) -> str:
    schema = model.model_json_schema()
    told_by = "kind" if "kind" in schema["properties"] else "name"
    heading = f"### `{schema['properties'][told_by]['const']}`\n\n" if named else ""
    summary = " ".join((model.__doc__ or "").split())
    shared = model is not ThreatModel
    rows = [
        _row(key, field, schema, inherited=shared and key in INHERITED)
        for key, field in schema["properties"].items()
        if not (named and key == told_by)
    ]
    table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""]) if rows else ""
    return f"{heading}{summary}\n\n{table}"


def _row(key: str, field: dict[str, Any], schema: dict[str, Any], inherited: bool) -> str:
    default = "needed" if key in schema.get("required", []) else _default(field.get("default"))
    default = "the threat model's" if inherited else default
    return f"| `{key}` | {_type(field)} | {default} | {field.get('description', '')} |"


def _default(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict) and value:
        return "its own defaults"
    return f"`{json.dumps(value)}`"


def _type(field: dict[str, Any]) -> str:
    """A JSON schema's type in words."""
    if "anyOf" in field:
        return " or ".join("empty" if part == {"type": "null"} else _type(part) for part in field["anyOf"])
    if "enum" in field:
        return " or ".join(f"`{value if isinstance(value, str) else json.dumps(value)}`" for value in field["enum"])
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
    written = {
        "configuration": configuration_page,
        "schema": lambda: json.dumps(editor_schema(), indent=1) + "\n",
        "paper": all_of_paper,
    }
    sys.stdout.write(written[sys.argv[1]]())
