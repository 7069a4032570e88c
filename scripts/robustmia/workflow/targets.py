"""Which files there are to make: the data sets, runs, seeds, signals, figures and so on of one configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import cast

from robustmia.audit.predictions_settings import PredictionsAudit
from robustmia.config.presets import differences_from_paper
from robustmia.config.registry import FIGURES, classes
from robustmia.config.schema import CheckpointAuditOfDataset, Config
from robustmia.config.studies import Point
from robustmia.reporting.figures.base import Figure
from robustmia.workflow.paths import Paths, filled
from robustmia.workflow.variants import Variant, Variants, in_order

TABLES = ("membership_inference", "robustness", "roc", "loss_histogram", "verification", "margin_histogram")
"""Those that inference writes for each target model, and that are put together for each data set."""
JOINED_TABLES = ("membership_inference", "robustness")
"""Those that are put together for all data sets, too."""


class Targets:
    """The names that wildcards stand for, in one configuration."""

    def __init__(self, config: Config, paths: Paths, points: dict[str, list[Point]] | None = None):
        self.config, self.paths = config, paths
        self.datasets = list(config.datasets)
        self.points = points or {}
        self.variants = Variants(config, self.points)

    def runs(self, dataset: str) -> list[str]:
        """Runs in order."""
        return in_order(self.config.datasets[dataset].runs)

    def natural(self, dataset: str) -> str | None:
        """The run that defenses are compared with: the first one that is trained naturally."""
        runs = self.config.datasets[dataset].runs
        return next((run for run in self.runs(dataset) if runs[run].method.name == "natural"), None)

    def adversarial_job(self, dataset: str) -> str:
        """The signals of the job that computes the adversarial one, which every data set has."""
        return next(names for names in self.variants.find(dataset).signal_jobs if "adversarial" in names.split("+"))

    def figures(self, dataset: str) -> list[str]:
        """Figures that the data set, its signals and trainings, and the shadow models if there are any, allow."""
        settings, shadows = self.config.datasets[dataset], self.config.shadow_models
        monitored = any((run.training or settings.training).monitor for run in settings.runs.values())
        published = self.differences_from_paper(dataset)
        return [
            name
            for name, kind in zip(FIGURES, cast("tuple[type[Figure], ...]", classes(FIGURES)), strict=True)
            if (kind.needs_signal is None or kind.needs_signal in settings.signals)
            and (monitored or not kind.needs_monitor)
            and (shadows or not kind.needs_shadow_models)
            and (published or not kind.needs_published)
        ]

    def differences_from_paper(self, dataset: str) -> dict[str, list[str]]:
        """What each run that can be compared with published numbers does otherwise than the paper; none of other data sets."""
        return differences_from_paper(self.config.datasets[dataset])

    def tables(self, dataset: str) -> list[str]:
        """Tables of a data set that people read as pages."""
        verified = ["verification"] if "verified" in self.config.datasets[dataset].signals else []
        published = ["published"] if self.differences_from_paper(dataset) else []
        return ["paper", *verified, "conclusions", *published]

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
            given: names for some of the wildcards, in place of all that there are; that of a run may be one of a job, of any stage.
        """
        fixed = {name: [value] if isinstance(value, str) else value for name, value in given.items()}
        datasets = fixed.pop("dataset", self.datasets)
        paths = [path for dataset in datasets for path in self._expanded(pattern, dataset, fixed)]
        return list(dict.fromkeys(paths))

    def _expanded(self, pattern: str, dataset: str, fixed: dict[str, list[str]]) -> Iterator[str]:
        if "{run}" not in pattern:
            names = {"seed": self.config.seeds, "figure": self.figures(dataset), "table": self.tables(dataset)}
            yield from combined(pattern, names | fixed | {"dataset": [dataset]})
            return
        for run in fixed.get("run", self.runs(dataset)):
            yield from self.files(pattern, self.variants.find(dataset, run), **fixed)

    def located(self, pattern: str, dataset: str, run: str | None = None, **wildcards: str) -> str:
        """The file of a pattern that a job reads.

        Args:
            pattern: of an earlier stage.
            dataset: of the job, as the wildcards after it; of a target model with its run.
        """
        names = self.variants.names(self.paths.stage(pattern), self.variants.find(dataset, run))
        return filled(pattern, **(wildcards | names))

    def files(self, pattern: str, variant: Variant, **fixed: list[str]) -> list[str]:
        """The paths of a variant's results, one for each combination of names that the wildcards may stand for."""
        names = self.variants.names(self.paths.stage(pattern), variant)
        found = {"seed": variant.seeds, "signals": variant.signal_jobs, "batch": range(len(variant.shadow_jobs))}
        return list(combined(pattern, found | fixed | {name: [value] for name, value in names.items()}))

    def natural_files(self, pattern: str, dataset: str, run: str, seed: str) -> list[str]:
        """The file of the natural target model that a target model is compared with; none for that one itself."""
        natural = self.natural(dataset)
        return [] if natural in (None, run) else [filled(pattern, dataset=dataset, run=natural, seed=seed)]

    def audited_files(self, name: str) -> list[str]:
        """The files that a checkpoint's audit reads, beside the data set: if one of them changes, the audit runs again."""
        audit = self.checkpoint_audit(name)
        files = [audit.weights, audit.split]
        if isinstance(audit.model, str):  # the module or package of their function, where it is a file from here
            module = Path(*audit.model.partition(":")[0].split("."))
            files += [module.with_suffix(".py"), module / "__init__.py"]
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


def combined(pattern: str, names: Mapping[str, Iterable[object]]) -> Iterator[str]:
    """The pattern with every combination of names for its wildcards."""
    wildcards = re.findall(r"{(\w+)}", pattern)
    for combination in product(*(names[wildcard] for wildcard in wildcards)):
        yield filled(pattern, **dict(zip(wildcards, combination, strict=True)))
