"""Configurations of version 0.1, whose keys have moved: refused in one line that says what to write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from robustmia.errors import UserError, escape_control_characters

# The path of each old key, with * for any name, and what to write.
MOVED = {
    "datasets.*.strong_attacks": "`shadow_models: 8` at the top level, `attacks` and `resources` in the data set",
    "datasets.*.targeted_classifier": "`attacks: {targeted_classifier: ...}`",
    "datasets.*.signals.verified.memory_mib": "nothing: the memory is found by itself",
    "datasets.*.runs.*.method.domain": "nothing: boxes are the only domain",
    "datasets.*.runs.*.method.coefficient": "`inverse_gamma`",
    "datasets.*.runs.*.method.epsilon_warmup_epochs": "`epsilon_schedule: {rise_epochs: ...}`",
    "datasets.*.runs.*.method.ramp": "`epsilon_schedule: {start_epoch: ..., rise_epochs: ...}`",
    "datasets.*.runs.*.method.warmup_epochs": "`clean_epochs`",
    "datasets.*.runs.*.method.starting_epsilon": "`epsilon_schedule: {initial_epsilon: ...}`",
    "datasets.*.runs.*.method.rise_epochs": "`epsilon_schedule: {rise_epochs: one less, update: epoch}`",
    "audits.*.epsilon": "`threat_model: {epsilon: ...}`",
    "audits.*.steps": "`signals: {adversarial: {steps: ...}, ...}`",
    "audits.*.clip_pixels": "`signals: {verified: {clip_pixels: ...}, ...}`",
    "audits.*.verifiers": "`signals: {verified: {verifiers: ...}, ...}`",
    "figures.attacks": "`figures.attack_auc`",
    "figures.loss_histogram": "`figures.loss_distribution`",
    "figures.margin_histogram": "`figures.margin_distribution`",
    "figures.exposed": "`figures.most_at_risk`",
    "figures.exposure_agreement": "`figures.risk_agreement`",
}


def refuse_old_form(raw: Any) -> None:
    """Raise `UserError` for a configuration with keys of version 0.1, in one line, or for data sets without a threat model."""
    found = [f"{path}: write {new}" for pattern, new in MOVED.items() for path in _matches(raw, pattern.split("."))]
    lacking = [
        f"{path}.threat_model: write `threat_model: {{norm: linf, epsilon: ...}}`, which methods, monitor and signals inherit"
        for path in _matches(raw, ["datasets", "*"])
        if isinstance(dataset := raw["datasets"][path.partition(".")[2]], dict) and "threat_model" not in dataset
    ]
    if found:
        line = f"config: this is the form of version 0.1; {'; '.join([*found, *lacking])}"
        raise UserError(escape_control_characters(line))
    if lacking:
        raise UserError("\n".join(escape_control_characters(f"config: {line}") for line in lacking))


def _matches(raw: Any, pattern: list[str], path: str = "") -> Iterator[str]:
    """The paths of keys that are there and match."""
    if not isinstance(raw, dict):
        return
    for key, value in raw.items():
        if pattern[0] in ("*", key):
            here = f"{path}.{key}" if path else str(key)
            if len(pattern) == 1:
                yield here
            else:
                yield from _matches(value, pattern[1:], here)
