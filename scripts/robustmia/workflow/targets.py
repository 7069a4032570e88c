"""Which files there are to make: the data sets, runs, seeds, signals, figures and so on of one configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, product
from pathlib import Path
from typing import cast

from robustmia.audit.predictions_settings import PredictionsAudit
from robustmia.config.registry import FIGURES, classes
from robustmia.config.schema import CheckpointAuditOfDataset, Config
from robustmia.config.studies import Point
from robustmia.reporting.figures.base import Figure
from robustmia.studies.settings import Sensitivity
from robustmia.workflow.paths import Paths, filled
from robustmia.workflow.variants import Variant, Variants, chunks, in_order

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

    def studies(self, kind: str | None = None) -> list[str]:
        """Studies, of one kind or of all."""
        return [name for name, study in self.config.studies.items() if kind in (None, study.kind)]

    def study_files(self, study: str) -> list[str]:
        """The page and the figure of a study, with which everything else of it is made."""
        figure = filled(self.paths.study_figure, figure=self.config.studies[study].kind)
        files = ((self.paths.study_page, "md"), (figure, "pdf"))
        return [filled(file, study=study, form=form) for file, form in files]

    def study_results(self, study: str) -> list[str]:
        """The results of every record of all target models of a study, each once, as points may share some."""
        variants = chain(*self.variants.of_studies[study])
        return list(dict.fromkeys(chain(*(self.files(self.paths.record_results, variant) for variant in variants))))

    def private_histories(self, study: str) -> list[str]:
        """Of the trainings of a study that are differentially private: that of the first seed of each run at each point, once."""
        private = [variant for variant in chain(*self.variants.of_studies[study]) if variant.privacy]
        return list(dict.fromkeys(self.first_history(variant) for variant in private))

    def first_history(self, variant: Variant) -> str:
        """The history of the training of the first seed."""
        return self.files(self.paths.history, variant, seed=[str(variant.seeds[0])])[0]

    @property
    def transferred(self) -> dict[str, str]:
        """What a transfer study reads of every target, by the name of the input."""
        return {"split": self.paths.split, "signals": self.paths.signals, "shadows": self.paths.shadow_signals}

    def transfer_inputs(self, study: str) -> dict[str, list[str]]:
        """The files of a transfer study, each once."""
        variants = list(chain(*self.variants.of_studies[study]))
        return {
            name: list(dict.fromkeys(chain(*(self.files(pattern, variant) for variant in variants))))
            for name, pattern in self.transferred.items()
        }

    def output_inputs(self, study: str) -> dict[str, list[str]]:
        """The files of a study of outputs: those of a transfer study, and the distances to the boundary, each run with its seeds."""
        variants = self.variants.of_studies[study][0]
        distances = [
            filled(self.paths.boundary, study=study, run=variant.run, seed=seed)
            for variant in variants
            for seed in variant.seeds
        ]
        return self.transfer_inputs(study) | {"boundary": distances}

    def of_run(self, pattern: str, study: str, run: str, seed: str) -> str:
        """A file of a run at a study's first point."""
        variant = next(one for one in self.variants.of_studies[study][0] if one.run == run)
        return self.files(pattern, variant, seed=[seed])[0]

    def of_first_seed(self, study: str, pattern: str) -> list[str]:
        """A file of each run of a study at its first point, of its first seed."""
        variants = self.variants.of_studies[study][0]
        return [file for own in variants for file in self.files(pattern, own, seed=[str(own.seeds[0])])]

    def retraining_jobs(self, study: str) -> dict[str, list[list[int]]]:
        """The numbers of the models that each job trains again: `without` a record each, or `again` with all."""
        settings = self.config.studies[study]
        assert isinstance(settings, Sensitivity)
        left_out = settings.random + settings.most_at_risk + settings.least_at_risk
        size = self.points[study][0].settings.resources.shadow_models_per_job
        return {"without": chunks(left_out, size), "again": chunks(settings.retrainings, size)}

    def retrained(self, study: str) -> list[str]:
        """The files of all retrainings of a study, run by run."""
        return [
            filled(self.paths.retrained, study=study, run=variant.run, kind=kind, batch=batch)
            for variant in self.variants.of_studies[study][0]
            for kind, jobs in self.retraining_jobs(study).items()
            for batch in range(len(jobs))
        ]

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


def combined(pattern: str, names: Mapping[str, Iterable[object]]) -> Iterator[str]:
    """The pattern with every combination of names for its wildcards."""
    wildcards = re.findall(r"{(\w+)}", pattern)
    for combination in product(*(names[wildcard] for wildcard in wildcards)):
        yield filled(pattern, **dict(zip(wildcards, combination, strict=True)))
