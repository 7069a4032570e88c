"""Which files there are to make: the data sets, runs, seeds, signals, figures and so on of one configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import cast

from robustmia.audit.predictions_settings import PredictionsAudit
from robustmia.config.registry import FIGURES, METHODS, SIGNALS, classes
from robustmia.config.schema import CheckpointAuditOfDataset, Config
from robustmia.reporting.figures.base import Figure
from robustmia.workflow.paths import filled

TABLES = ("membership_inference", "robustness", "roc", "loss_histogram", "verification", "margin_histogram")
"""Those that inference writes for each target model, and that are put together for each data set."""
JOINED_TABLES = ("membership_inference", "robustness")
"""Those that are put together for all data sets, too."""


class Targets:
    """The names that wildcards stand for, in one configuration."""

    def __init__(self, config: Config):
        self.config = config
        self.datasets = list(config.datasets)

    def runs(self, dataset: str) -> list[str]:
        """Runs in the order of the registry's methods, then as configured: overlays change the order of a file's keys."""
        runs, order = self.config.datasets[dataset].runs, list(METHODS)
        return sorted(runs, key=lambda run: order.index(runs[run].method.name))

    def natural(self, dataset: str) -> str | None:
        """The run that defenses are compared with: the first one that is trained naturally."""
        runs = self.config.datasets[dataset].runs
        return next((run for run in self.runs(dataset) if runs[run].method.name == "natural"), None)

    def signals(self, dataset: str) -> list[str]:
        """Signals in the order of the registry."""
        return [name for name in SIGNALS if name in self.config.datasets[dataset].signals]

    def signal_jobs(self, dataset: str) -> list[str]:
        """The signals that each job computes, with a plus sign between them: the wildcard {signals}."""
        names, size = self.signals(dataset), self.config.datasets[dataset].resources.signals_per_job
        return ["+".join(names[first : first + size]) for first in range(0, len(names), size)]

    def adversarial_job(self, dataset: str) -> str:
        """The one of them that computes the adversarial signal, which every data set has."""
        return next(names for names in self.signal_jobs(dataset) if "adversarial" in names.split("+"))

    def shadow_jobs(self, dataset: str) -> list[list[int]]:
        """The numbers of the shadow models of a target that each job trains."""
        count, size = self.config.shadow_models, self.config.datasets[dataset].resources.shadow_models_per_job
        return [list(range(first, min(first + size, count))) for first in range(0, count, size)]

    def figures(self, dataset: str) -> list[str]:
        """Figures that the data set's signals, and the shadow models if there are any, allow."""
        signals, shadows = self.config.datasets[dataset].signals, self.config.shadow_models
        return [
            name
            for name, kind in zip(FIGURES, cast("tuple[type[Figure], ...]", classes(FIGURES)), strict=True)
            if (kind.needs_signal is None or kind.needs_signal in signals) and (shadows or not kind.needs_shadow_models)
        ]

    def tables(self, dataset: str) -> list[str]:
        """Tables of a data set that people read as pages."""
        verified = ["verification"] if "verified" in self.config.datasets[dataset].signals else []
        return ["paper", *verified, "conclusions"]

    def audits(self, kind: type | None = None) -> list[str]:
        """Audits, of one kind or of all."""
        return [name for name, audit in self.config.audits.items() if kind is None or isinstance(audit, kind)]

    @property
    def checkpoint_audits(self) -> list[str]:
        return self.audits(CheckpointAuditOfDataset)

    @property
    def prediction_audits(self) -> list[str]:
        return self.audits(PredictionsAudit)

    def expand(self, pattern: str, **given: str | list[str]) -> list[str]:
        """A path for every combination of names that its wildcards may stand for.

        Args:
            pattern: with any of {dataset}, {run}, {seed}, {signals}, {batch}, {figure} and {table}.
            given: names for some of the wildcards, in place of all that there are.
        """
        fixed = {name: [value] if isinstance(value, str) else value for name, value in given.items()}
        wildcards = re.findall(r"{(\w+)}", pattern)
        datasets = fixed.get("dataset", self.datasets) if {"dataset", *wildcards} - {"audit"} else [""]
        paths = [path for dataset in datasets for path in self._expanded(pattern, wildcards, str(dataset), fixed)]
        return list(dict.fromkeys(paths))

    def _expanded(self, pattern: str, wildcards: list[str], dataset: str, fixed: dict[str, list[str]]) -> Iterator[str]:
        names = {
            "dataset": lambda: [dataset],
            "run": lambda: self.runs(dataset),
            "seed": lambda: self.config.seeds,
            "signals": lambda: self.signal_jobs(dataset),
            "batch": lambda: range(len(self.shadow_jobs(dataset))),
            "figure": lambda: self.figures(dataset),
            "table": lambda: self.tables(dataset),
        }
        values = [fixed[name] if name in fixed and name != "dataset" else names[name]() for name in wildcards]
        for combination in product(*values):
            yield filled(pattern, **dict(zip(wildcards, combination, strict=True)))

    def natural_files(self, pattern: str, dataset: str, run: str, seed: str) -> list[str]:
        """The file of the natural target model that a target model is compared with; none for that one itself."""
        natural = self.natural(dataset)
        return [] if natural in (None, run) else [filled(pattern, dataset=dataset, run=natural, seed=seed)]

    def audited_files(self, name: str) -> list[str]:
        """The files that a checkpoint's audit reads, beside the data set: if one of them changes, the audit runs again."""
        audit = self.checkpoint_audit(name)
        files = [audit.weights, audit.split]
        if isinstance(audit.model, str):  # the module of their function, where it is a file from here
            files.append(Path(*audit.model.partition(":")[0].split(".")).with_suffix(".py"))
        return [str(path) for path in files if path is not None and path.is_file()]

    def audited_predictions(self, name: str) -> str:
        """The file that a predictions' audit reads."""
        audit = self.config.audits[name]
        assert isinstance(audit, PredictionsAudit)
        return str(audit.predictions)

    def checkpoint_audit(self, name: str) -> CheckpointAuditOfDataset:
        """The settings of a checkpoint's audit."""
        audit = self.config.audits[name]
        assert isinstance(audit, CheckpointAuditOfDataset)
        return audit
