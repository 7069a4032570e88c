"""What each job needs to know, and nothing more: the specs, and where files are. The Snakefile asks only here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from robustmia.audit.settings import PredictionsAudit
from robustmia.code import code_digest
from robustmia.config import CheckpointAuditOfDataset, Config
from robustmia.errors import UserError
from robustmia.figure_settings import FiguresSettings
from robustmia.registry import METHODS, SIGNALS, SOURCES
from robustmia.settings import PerturbationSettings, StrongAttacksSettings
from robustmia.signals.base import Signal

Spec = dict[str, Any]
"""Nested dict of plain values: everything that decides a job's result."""
Target = tuple[str, str, int]
"""Data set, run and seed."""
STAGES = {"inference": "infer", "strong": "strong_infer", "examples": "attack_examples"}
"""The rule that has to be done for a target to be shown, by what shows it; the first two are folders of results as well."""
MISSING = "ROBUSTMIA_MISSING"
"""The environment variable that names the missing targets, as `Plan.missing` in JSON."""


def missing_targets(said: str) -> dict[str, frozenset[Target]]:
    """What the environment variable says; an empty text says that nothing is missing."""
    return {stage: frozenset(map(tuple, targets)) for stage, targets in json.loads(said or "{}").items()}


# Figures that a change of the evaluation attack, or of the verified signal, leaves as they are.
NO_ATTACK = ("training_curves", "margin_histogram", "exposed", "exposure_agreement", "attacks")
NO_BOUNDS = ("training_curves", "examples", "leakage_and_gap", "exposed", "exposure_agreement", "attacks")
STRONG_FIGURES = ("attacks", "exposed", "exposure_agreement")
"""Drawn for `strong_attacks` alone."""


def _plain(settings: BaseModel) -> Spec:
    return settings.model_dump(mode="json")


def _named(registry: dict[str, str], settings: Any) -> Spec:
    """Settings with the class that reads them, so that the job needs no registry."""
    return {"class": registry[settings.name], "settings": _plain(settings)}


def digest(*values: Any) -> str:
    """A short digest of plain values, the same for equal values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Plan:
    """Specs and paths of every job of one configuration."""

    config: Config
    missing: Mapping[str, frozenset[Target]] = field(default_factory=dict)
    """By stage of `STAGES`, targets that have no results, since jobs failed: what puts targets together goes without them."""

    # ------------------------------------------------------------ what there is

    @property
    def datasets(self) -> list[str]:
        """Data sets with results to show."""
        return [dataset for dataset in self.config.datasets if self.common_seeds(dataset)]

    @property
    def results(self) -> str:
        return str(self.config.results_dir)

    def runs(self, dataset: str) -> list[str]:
        """Runs in the order of the registry's methods, then as configured: overlays upset the order of a file's keys."""
        runs, order = self.config.datasets[dataset].runs, list(METHODS)
        return sorted(runs, key=lambda run: order.index(runs[run].method.name))

    def _is_missing(self, dataset: str, run: str, seed: int, stage: str) -> bool:
        return (dataset, run, seed) in self.missing.get(stage, ())

    def shown_runs(self, dataset: str, stage: str = "inference") -> list[str]:
        """Runs of which at least one seed has results."""
        seeds = self.config.seeds
        return [run for run in self.runs(dataset) if not all(self._is_missing(dataset, run, s, stage) for s in seeds)]

    def common_seeds(self, dataset: str, stage: str = "inference") -> list[int]:
        """Seeds that every shown run has results of: what runs are compared over."""
        runs = self.shown_runs(dataset, stage)
        return [s for s in self.config.seeds if runs and not any(self._is_missing(dataset, r, s, stage) for r in runs)]

    def missing_words(self, dataset: str, stage: str = "inference") -> list[str]:
        """What has no results, a few words for each run."""
        lost = {
            run: [seed for seed in self.config.seeds if self._is_missing(dataset, run, seed, stage)]
            for run in self.runs(dataset)
        }
        return [
            run if len(seeds) == len(self.config.seeds) else f"seed {', '.join(map(str, seeds))} of {run}"
            for run, seeds in lost.items()
            if seeds
        ]

    def everything_missing(self, stage: str) -> dict[str, list[str]]:
        """What has no results, by data set."""
        words = {dataset: self.missing_words(dataset, stage) for dataset in self.config.datasets}
        return {dataset: lost for dataset, lost in words.items() if lost}

    def missing_targets(self, dataset: str, stage: str = "inference") -> dict[str, Spec]:
        """The identities of targets without results, by their places among all targets."""
        targets = [(dataset, run, seed) for run in self.runs(dataset) for seed in self.config.seeds]
        lost = {place: target for place, target in enumerate(targets) if self._is_missing(*target, stage)}
        return {str(place): self.identity(*target) for place, target in lost.items()}

    def each_target(self, pattern: str, dataset: str | None = None, stage: str = "inference") -> list[str]:
        """`pattern` with {dataset}, {run} and {seed} filled in for every target model with results, of one data set or of all."""
        return [
            pattern.format(dataset=name, run=run, seed=seed)
            for name in ([dataset] if dataset else self.datasets)
            for run in self.runs(name)
            for seed in self.config.seeds
            if not self._is_missing(name, run, seed, stage)
        ]

    def judged(self, dataset: str, stage: str) -> list[str]:
        """The judged records of the targets that are compared: all seeds of the first run, then of the next."""
        return [
            f"{self.results}/{stage}/{dataset}/{run}/seed{seed}/judged.npz"
            for run in self.shown_runs(dataset, stage)
            for seed in self.common_seeds(dataset, stage)
        ]

    @property
    def known_signals(self) -> list[str]:
        return list(SIGNALS)

    def each_dataset(self, pattern: str) -> list[str]:
        """`pattern` with {dataset} filled in for every data set."""
        return [pattern.format(dataset=dataset) for dataset in self.datasets]

    def each_verified_dataset(self, pattern: str) -> list[str]:
        """`pattern` with {dataset} filled in for every data set that has the verified signal."""
        return [
            pattern.format(dataset=name) for name in self.datasets if "verified" in self.config.datasets[name].signals
        ]

    def each_figure(self, pattern: str) -> list[str]:
        """`pattern` with {dataset} and {figure} filled in for every figure of every data set."""
        special = {"margin_histogram": self.each_verified_dataset, "examples": self._each_dataset_with_examples}
        return [
            path.format(figure=figure)
            for figure in FiguresSettings.model_fields
            if figure not in STRONG_FIGURES
            for path in special.get(figure, self.each_dataset)(pattern.replace("{figure}", "{{figure}}"))
        ]

    def _each_dataset_with_examples(self, pattern: str) -> list[str]:
        return [pattern.format(dataset=dataset) for dataset in self.datasets if self._runs_with_examples(dataset)]

    def _runs_with_examples(self, dataset: str) -> list[str]:
        seed = self.config.seeds[0]
        return [run for run in self.runs(dataset) if not self._is_missing(dataset, run, seed, "examples")]

    def examples(self, dataset: str) -> list[str]:
        """The attacked images of every run, of the first seed."""
        folder, seed = f"{self.results}/signals/{dataset}", self.config.seeds[0]
        return [f"{folder}/{run}/seed{seed}/examples.npz" for run in self._runs_with_examples(dataset)]

    def signals_of(self, dataset: str, run: str, seed: int) -> list[str]:
        """The files of every signal of one target model, but for those of the strong attacks alone."""
        return self._signal_files(dataset, run, seed, self._signals(dataset))

    def _signal_files(self, dataset: str, run: str, seed: int, signals: list[str]) -> list[str]:
        return [f"{self.results}/signals/{dataset}/{run}/seed{seed}/{signal}.npz" for signal in signals]

    def _signals(self, dataset: str, strong: bool = False) -> list[str]:
        """Names of a data set's signals; those that only the strong attacks ask for are left out elsewhere."""
        signals = self.config.datasets[dataset].signals
        return [name for name in SIGNALS if name in signals and (strong or not signals[name].strong)]

    def every_signal(self) -> list[str]:
        """The files of every signal of every target model."""
        targets = ((d, run, seed) for d in self.datasets for run in self.runs(d) for seed in self.config.seeds)
        return [path for target in targets for path in self.signals_of(*target)]

    # ------------------------------------------------------------ specs

    def fetch(self, dataset: str) -> Spec:
        return {"dataset": dataset, "source": _named(SOURCES, self.config.datasets[dataset].source)}

    def split(self, dataset: str, seed: int) -> Spec:
        return {"dataset": dataset, "split": _plain(self.config.datasets[dataset].split), "seed": seed}

    def identity(self, dataset: str, run: str, seed: int) -> Spec:
        """The columns that name a target model in every table."""
        method = self.config.datasets[dataset].runs[run].method.name
        return {"dataset": dataset, "run": run, "method": method, "seed": seed}

    def train(self, dataset: str, run: str, seed: int) -> Spec:
        settings = self.config.datasets[dataset]
        run_settings = settings.runs[run]
        return {
            "dataset": self.fetch(dataset),
            "split": self.split(dataset, seed)["split"],
            "run": run,
            "architecture": self._architecture(dataset, run),
            "method": _named(METHODS, run_settings.method),
            "training": _plain(run_settings.training or settings.training),
            "seed": seed,
        }

    def signal(self, dataset: str, run: str, seed: int, signal: str) -> Spec:
        settings = self.config.datasets[dataset].signals[signal]
        return {"architecture": self._architecture(dataset, run), "signal": _named(SIGNALS, settings), "seed": seed}

    def attack_examples(self, dataset: str, run: str, seed: int) -> Spec:
        return self.signal(dataset, run, seed, "adversarial")

    def evaluation_attack(self, dataset: str) -> Spec:
        """The settings of the adversarial signal, which notes and captions quote."""
        return _plain(self.config.datasets[dataset].signals["adversarial"])

    def verified_ball(self, dataset: str) -> Spec | None:
        """The settings of the verified signal, which notes and captions quote; None where there is none."""
        verified = self.config.datasets[dataset].signals.get("verified")
        return None if verified is None else verified.model_dump(mode="json", exclude={"memory_mib"})

    def infer(self, dataset: str, run: str, seed: int) -> Spec:
        """What inference needs: the model's verifier of its own, and which signals stay in the verified ball, to hold it to them."""
        settings = self.config.datasets[dataset]
        return {
            "identity": self.identity(dataset, run, seed),
            "signals": self._signals(dataset),
            "own_verifier": settings.runs[run].method.verifier,
            "in_verified_ball": self._in_verified_ball(dataset),
        }

    def _in_verified_ball(self, dataset: str) -> list[str]:
        """Clean images, and attacks of the same radius or less: an l2 ball lies in the l-inf ball of its radius."""
        signals = self.config.datasets[dataset].signals
        verified = signals.get("verified")
        if verified is None:
            return []

        def stays(signal: Signal) -> bool:
            return signal.name == "benign" or (
                isinstance(signal, PerturbationSettings) and signal.epsilon <= verified.epsilon
            )

        return [name for name in self._signals(dataset) if stays(signals[name])]

    def figure(self, dataset: str, figure: str) -> Spec:
        """The settings of a figure, the runs it shows, and what its caption quotes."""
        stage = "strong" if figure in STRONG_FIGURES else "examples" if figure == "examples" else "inference"
        spec: Spec = {
            "figure": figure,
            "dataset": dataset,
            "runs": self._runs_with_examples(dataset) if stage == "examples" else self.shown_runs(dataset, stage),
            "missing": self.missing_words(dataset, stage),
            "settings": _plain(getattr(self.config.figures, figure)),
        }
        if figure not in NO_ATTACK:
            spec["evaluation_attack"] = self.evaluation_attack(dataset)
        if figure not in NO_BOUNDS:
            spec["verified"] = self.verified_ball(dataset)
        return spec

    def _architecture(self, dataset: str, run: str) -> Spec:
        settings = self.config.datasets[dataset]
        return _plain(settings.runs[run].architecture or settings.architecture)

    # ------------------------------------------------------------ strong attacks

    @property
    def strong_datasets(self) -> list[str]:
        """The data sets that have strong attacks."""
        strong = [name for name, settings in self.config.datasets.items() if settings.strong_attacks]
        return [name for name in strong if self.common_seeds(name, "strong")]

    def each_strong_target(self, pattern: str) -> list[str]:
        """`pattern` with {dataset}, {run} and {seed} filled in for every target of the strong attacks."""
        return [path for dataset in self.strong_datasets for path in self.each_target(pattern, dataset, "strong")]

    def each_strong_dataset(self, pattern: str) -> list[str]:
        """`pattern` with {dataset} filled in for every data set that has strong attacks."""
        return [pattern.format(dataset=dataset) for dataset in self.strong_datasets]

    def _shadow_settings(self, dataset: str) -> StrongAttacksSettings:
        settings = self.config.datasets[dataset].strong_attacks
        if settings is None:
            raise UserError(f"datasets.{dataset}.strong_attacks is empty; give it settings, such as shadow_models: 8")
        return settings

    def shadow_batches(self, dataset: str) -> list[int]:
        """Numbers of the jobs that train a run's shadow models."""
        return list(range(len(self._shadow_jobs(dataset))))

    def _shadow_jobs(self, dataset: str) -> list[list[int]]:
        """The models of each job: of twice as many as fit into one, those of even and those of odd number, whose halves are of
        one size.
        """
        settings = self._shadow_settings(dataset)
        models, size = settings.shadow_models, 2 * settings.models_per_job
        groups = [list(range(first, min(first + size, models))) for first in range(0, models, size)]
        return [group[odd::2] for group in groups for odd in (0, 1)]

    def every_shadow_model(self, pattern: str) -> list[str]:
        """`pattern` with {dataset}, {run} and {batch} filled in for every job that trains shadow models."""
        return [
            pattern.format(dataset=dataset, run=run, batch=batch)
            for dataset in self.strong_datasets
            for run in self.runs(dataset)
            for batch in self.shadow_batches(dataset)
        ]

    def shadow_train(self, dataset: str, run: str, batch: int) -> Spec:
        """What the target's training has, without its split and seed, and without the monitor, which decides nothing."""
        spec = self.train(dataset, run, 0)
        del spec["split"], spec["seed"]
        spec["training"] |= {"monitor": None}
        stacked = self._shadow_settings(dataset).stacked
        return spec | {"models": self._shadow_jobs(dataset)[batch], "stacked": stacked}

    def shadow_signal(self, dataset: str, run: str, batch: int, signal: str) -> Spec:
        spec = self.signal(dataset, run, 0, signal)
        del spec["seed"]
        return spec | {"models": self._shadow_jobs(dataset)[batch]}

    def strong_signals_of(self, dataset: str, run: str, seed: int) -> list[str]:
        """The files of every signal of one target model."""
        return self._signal_files(dataset, run, seed, self._signals(dataset, strong=True))

    def shadow_signals_of(self, dataset: str, run: str) -> list[str]:
        """The files of every signal of a run's shadow models: all jobs of the first signal, then of the next."""
        return [
            f"{self.results}/shadow/{dataset}/{run}/batch{batch}/{signal}.npz"
            for signal in self._signals(dataset, strong=True)
            for batch in self.shadow_batches(dataset)
        ]

    def strong_infer(self, dataset: str, run: str, seed: int) -> Spec:
        """What the strong attacks need beside files."""
        return {
            "identity": self.identity(dataset, run, seed),
            "signals": self._signals(dataset, strong=True),
            "batches": len(self.shadow_batches(dataset)),
            "classifier": self._shadow_settings(dataset).classifier,
        }

    def comparison(self, dataset: str, stage: str) -> Spec:
        """What compares the runs of a data set: their methods in order, and the seeds."""
        runs, natural = self.shown_runs(dataset, stage), self._natural(dataset)
        return {
            "dataset": dataset,
            "methods": {run: self.config.datasets[dataset].runs[run].method.name for run in runs},
            "seeds": self.common_seeds(dataset, stage),
            "natural": natural if natural in runs else None,
            "missing": self.missing_words(dataset, stage),
        }

    def _natural(self, dataset: str) -> str | None:
        """The run that defenses are compared with: the first one that is trained naturally."""
        runs = self.config.datasets[dataset].runs
        return next((run for run in self.runs(dataset) if runs[run].method.name == "natural"), None)

    def natural_of(self, dataset: str, run: str, seed: int) -> list[str]:
        """The judged records of the natural target that a target is compared with; none for that one itself."""
        natural = self._natural(dataset)
        if natural is None or natural == run or self._is_missing(dataset, natural, seed, "strong"):
            return []
        return [f"{self.results}/strong/{dataset}/{natural}/seed{seed}/judged.npz"]

    def each_strong_figure(self, pattern: str) -> list[str]:
        """`pattern` with {dataset} and {figure} filled in for every figure of the strong attacks."""
        return [pattern.format(dataset=d, figure=figure) for d in self.strong_datasets for figure in STRONG_FIGURES]

    def shadow_checkpoint(self, dataset: str, run: str, batch: int) -> str:
        """What the names of the checkpoints of a job's shadow models begin with: a key for each spec and code, whatever the job."""
        spec = self.shadow_train(dataset, run, batch)
        del spec["models"]
        key = digest(spec, self.code("shadow_train", dataset, run))
        return str(Path(self.results) / "checkpoints" / f"{dataset}-{run}-shadow-{key}.pt")

    # ------------------------------------------------------------ audits

    def audits(self, kind: type | None = None) -> list[str]:
        """Names of the audits, of one kind or of all."""
        return [name for name, audit in self.config.audits.items() if kind is None or isinstance(audit, kind)]

    def audit(self, name: str) -> Spec:
        """The settings of an audit without its data set, whose images come as a file."""
        return {"audit": name, "settings": self.config.audits[name].model_dump(mode="json", exclude={"dataset"})}

    def audit_infer(self, name: str) -> Spec:
        audit = self.config.audits[name]
        dataset = audit.dataset.name if isinstance(audit, CheckpointAuditOfDataset) else None
        return self.audit(name) | {"identity": {"dataset": dataset, "run": name, "method": "audited", "seed": None}}

    def audited_source(self, name: str) -> Spec:
        return {"source": _named(SOURCES, self._checkpoint_audit(name).dataset)}

    def audited_files(self, name: str) -> list[str]:
        """The files that a checkpoint's audit reads, beside the data set: a change of theirs audits again."""
        audit = self._checkpoint_audit(name)
        files = [audit.weights, audit.split]
        if isinstance(audit.model, str):  # the module of their function, where it is a file from here
            files.append(Path(*audit.model.partition(":")[0].split(".")).with_suffix(".py"))
        return [str(path) for path in files if path is not None and path.is_file()]

    def audited_predictions(self, name: str) -> str:
        audit = self.config.audits[name]
        assert isinstance(audit, PredictionsAudit)
        return str(audit.predictions)

    def _checkpoint_audit(self, name: str) -> CheckpointAuditOfDataset:
        audit = self.config.audits[name]
        assert isinstance(audit, CheckpointAuditOfDataset)
        return audit

    # ------------------------------------------------------------ code and checkpoints

    def code(
        self,
        script: str,
        dataset: str | None = None,
        run: str | None = None,
        signal: str | None = None,
        audit: str | None = None,
    ) -> str:
        """The digest of the modules that a script uses, with the one that the data set, run, signal or audit chooses."""
        chosen = []
        if script == "fetch" and audit:
            chosen.append(SOURCES[self._checkpoint_audit(audit).dataset.name])
        if script == "fetch" and dataset:
            chosen.append(SOURCES[self.config.datasets[dataset].source.name])
        if script in ("train", "shadow_train") and dataset and run:
            chosen.append(METHODS[self.config.datasets[dataset].runs[run].method.name])
        if script in ("compute_signal", "shadow_signal") and signal:
            chosen.append(SIGNALS[signal])
        return code_digest(script, *(path.partition(":")[0] for path in chosen))

    @staticmethod
    def captions(folder: Path) -> str:
        """A digest of the texts of the report."""
        return digest(*(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.rst"))))

    def checkpoint(self, dataset: str, run: str, seed: int) -> str:
        """Where a training keeps its state: a path of its own for each spec and code, not one that Snakemake deletes."""
        key = digest(self.train(dataset, run, seed), self.code("train", dataset, run))
        return str(Path(self.results) / "checkpoints" / f"{dataset}-{run}-seed{seed}-{key}.pt")
