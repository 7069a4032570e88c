"""What a group of settings takes from the groups around it, filled in before the configuration is checked.

A run takes the data set's `architecture` and `training`, key by key. Whatever has a threat model (a method, the monitor,
early stopping, an attack, a verifier) takes `norm` and `epsilon` of the data set's.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

from robustmia.config.registry import METHODS, SIGNALS

OVERRIDES = ("architecture", "training")


def inherit_in_dataset(raw: dict[str, Any]) -> dict[str, Any]:
    """A data set in full: its runs, signals, monitor and early stopping with all that they take from it."""
    threat_model, full = raw.get("threat_model"), dict(raw)
    if "training" in raw:
        full["training"] = _with_attacks(raw["training"], threat_model)
    if isinstance(raw.get("signals"), dict):
        full["signals"] = name_by_key(without_null(raw["signals"]), SIGNALS, threat_model)
    if isinstance(raw.get("runs"), dict):
        full["runs"] = {name: _run(run, full, threat_model) for name, run in without_null(raw["runs"]).items()}
    return full


def _with_attacks(training: Any, threat_model: Any) -> Any:
    """The monitor and early stopping with the threat model around them."""
    groups = ("monitor", "early_stopping")
    if not isinstance(training, dict):
        return training
    attacking = {key: _filled(threat_model, training[key]) for key in groups if isinstance(training.get(key), dict)}
    return training | attacking


def _run(run: Any, dataset: dict[str, Any], threat_model: Any) -> Any:
    if not isinstance(run, dict):
        return run
    full = run | {key: merge(dataset.get(key), run[key]) for key in OVERRIDES if run.get(key) is not None}
    if "training" in full:
        full["training"] = _with_attacks(full["training"], threat_model)
    if isinstance(run.get("method"), dict):
        full["method"] = inherit(METHODS.get(str(run["method"].get("name"))), threat_model, run["method"])
    return full


def name_by_key(groups: Any, registry: dict[str, str], around: Any) -> Any:
    """Give each group the name that it stands under, and what it takes from the groups around it."""
    if not isinstance(groups, dict):
        return groups
    return {
        name: inherit(registry.get(name), around, group | {"name": name}) if isinstance(group, dict) else group
        for name, group in groups.items()
    }


def inherit(path: str | None, around: Any, group: dict[str, Any]) -> dict[str, Any]:
    """A group of settings with those keys around it that its class has and that it does not give itself.

    Args:
        path: "module:Class" of the group; None: it is not known, which is reported elsewhere.
    """
    if path is None or not isinstance(around, dict):
        return group
    fields = resolve_name(path).model_fields
    return _filled({key: value for key, value in around.items() if key in fields}, group)


def _filled(around: Any, group: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(around, dict):
        return group
    return around | {key: value for key, value in group.items() if value is not None or key not in around}


def without_null(raw: Any) -> Any:
    """Entries that are set to null are left out."""
    return {name: value for name, value in raw.items() if value is not None} if isinstance(raw, dict) else raw


def merge(base: Any, change: Any) -> Any:
    """`change` laid over `base`, key by key; a group whose `name` differs replaces the other whole."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    if "name" in change and change["name"] != base.get("name"):
        return change
    return base | {key: merge(base.get(key), value) for key, value in change.items()}
