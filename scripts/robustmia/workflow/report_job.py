"""The job of the report: which files it reads, and the spec that it is given."""

from __future__ import annotations

from os.path import relpath
from pathlib import Path

from robustmia.reporting.figures.base import Figure
from robustmia.workflow.paths import filled
from robustmia.workflow.specs import Spec, Specs
from robustmia.workflow.study_jobs import StudyJobs

TABLE_TITLES = {
    "paper": "Accuracies and inference accuracies, as in the paper",
    "conclusions": "The strongest attack on each run, and differences from natural training",
    "verification": "Verified accuracy under each verifier",
    "published": "The paper's published numbers beside ours",
}
FIRST_FIGURE = "trade_off"


class ReportJob:
    """What the report of one configuration shows."""

    def __init__(self, specs: Specs, study_jobs: StudyJobs):
        self.specs, self.study_jobs = specs, study_jobs
        self.targets, self.config, self.paths = specs.targets, specs.config, specs.paths

    def spec(self) -> Spec:
        """What to show, in order, with every file by its place."""
        studies = [self._study(name) for name in self.study_jobs.names()]
        if self.study_jobs.names("sweep"):
            studies.append(self._explanation())
        return {
            "seeds": list(self.config.seeds),
            "shadow_models": self.config.shadow_models,
            "datasets": {dataset: self._dataset(dataset) for dataset in self.targets.datasets},
            "studies": studies,
        }

    def inputs(self) -> list[str]:
        """Every file that is read."""
        spec = self.spec()
        parts = [*spec["datasets"].values(), *spec["studies"]]
        found = [file for part in parts for file in (*part["tables"].values(), *part["csv"].values())]
        found += [figure["svg"] for part in parts for figure in part["figures"]]
        found += [
            file
            for part in spec["datasets"].values()
            for stages in part["specs"].values()
            for files in stages.values()
            for file in files
        ]
        return list(dict.fromkeys(found))

    def _dataset(self, dataset: str) -> Spec:
        tables = self.targets.tables(dataset)
        csv = {
            name: filled(self.paths.table, dataset=dataset, table=name)
            for name in ("robustness", "membership_inference", "membership_over_seeds", "conclusions")
        }
        files = [*self.targets.expand(filled(self.paths.table), dataset=dataset), *csv.values()]
        return {
            "tables": {
                TABLE_TITLES[name]: filled(self.paths.rendered, dataset=dataset, table=name, form="html")
                for name in tables
            },
            "figures": [self._figure(dataset, name) for name in self.targets.figures(dataset)],
            "csv": csv,
            "specs": {run: self._specs(dataset, run) for run in self.targets.runs(dataset)},
            "files": [self._link(file) for file in dict.fromkeys(files)],
        }

    def _figure(self, dataset: str, name: str) -> Spec:
        kind: type[Figure] = type(getattr(self.config.figures, name))
        path = filled(self.paths.figure, dataset=dataset, figure=name)
        return {
            "name": f"{dataset}-{name}",
            "title": kind.content,
            "is_first": name == FIRST_FIGURE,
            "svg": filled(path, form="svg"),
            "pdf": self._link(filled(path, form="pdf")),
            "caption": {
                "template": name,
                "wildcards": {"dataset": dataset},
                "params": {"spec": self.specs.figure(dataset, name)},
            },
        }

    def _specs(self, dataset: str, run: str) -> Spec:
        """The records of how a run's models and signals came about."""
        patterns = {"train": self.paths.model_spec, "signals": self.paths.signals_spec}
        return {stage: self.targets.expand(pattern, dataset=dataset, run=run) for stage, pattern in patterns.items()}

    def _study(self, name: str) -> Spec:
        kind = self.config.studies[name].kind
        path = filled(self.paths.study_figure, study=name, figure=kind)
        variants = self.study_jobs.first_variants(name)
        spec = {"runs": [variant.run for variant in variants], "seeds": len(variants[0].seeds)}
        table = filled(self.paths.study_table, study=name, table="summary" if kind == "sensitivity" else kind)
        return {
            "name": name,
            "tables": {"Table": filled(self.paths.study_page, study=name, form="html")},
            "figures": [
                self._study_figure(name, path, kind, {"study": name}, {"spec": spec}),
            ],
            "csv": {},
            "files": [self._link(table)],
        }

    def _explanation(self) -> Spec:
        names = self.study_jobs.names("sweep")
        path = filled(self.paths.explanation, name="explanation.{form}")
        files = [filled(self.paths.explanation, name=name) for name in ("explanation.csv", "runs_and_points.csv")]
        return {
            "name": "what goes with leakage",
            "tables": {"Table": filled(path, form="html")},
            "figures": [self._study_figure("explanation", path, "explanation", {}, {"studies": names})],
            "csv": {},
            "files": [self._link(file) for file in files],
        }

    def _study_figure(self, name: str, path: str, template: str, wildcards: Spec, params: Spec) -> Spec:
        return {
            "name": f"study-{name}",
            "title": f"study {name}",
            "is_first": True,
            "svg": filled(path, form="svg"),
            "pdf": self._link(filled(path, form="pdf")),
            "caption": {"template": template, "wildcards": wildcards, "params": params},
        }

    def _link(self, file: str) -> str:
        """A file as the page names it."""
        return Path(relpath(file, self.paths.results)).as_posix()
