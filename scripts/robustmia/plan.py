"""What each job needs to know, and nothing more: the specs, and where files are. The Snakefile asks only here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from robustmia.code import code_digest
from robustmia.config import Config
from robustmia.figure_settings import FiguresSettings
from robustmia.registry import METHODS, SIGNALS, SOURCES
from robustmia.settings import PerturbationSettings

Spec = dict[str, Any]
"""Nested dict of plain values: everything that decides a job's result."""
# Figures that a change of the evaluation attack, or of the verified signal, leaves as they are.
NO_ATTACK = ("training_curves", "margin_histogram")
NO_BOUNDS = ("training_curves", "examples", "leakage_and_gap")


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

    # ------------------------------------------------------------ what there is

    @property
    def datasets(self) -> list[str]:
        return list(self.config.datasets)

    @property
    def results(self) -> str:
        return str(self.config.results_dir)

    def runs(self, dataset: str) -> list[str]:
        """Runs in the order of the registry's methods, then as configured: overlays upset the order of a file's keys."""
        runs, order = self.config.datasets[dataset].runs, list(METHODS)
        return sorted(runs, key=lambda run: order.index(runs[run].method.name))

    def each_target(self, pattern: str, dataset: str | None = None) -> list[str]:
        """`pattern` with {dataset}, {run} and {seed} filled in for every target model, of one data set or of all."""
        return [
            pattern.format(dataset=name, run=run, seed=seed)
            for name in ([dataset] if dataset else self.datasets)
            for run in self.runs(name)
            for seed in self.config.seeds
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
        verified = {"margin_histogram": self.each_verified_dataset}
        return [
            path.format(figure=figure)
            for figure in FiguresSettings.model_fields
            for path in verified.get(figure, self.each_dataset)(pattern.replace("{figure}", "{{figure}}"))
        ]

    def examples(self, dataset: str) -> list[str]:
        """The attacked images of every run, of the first seed."""
        seed = self.config.seeds[0]
        return [f"{self.results}/signals/{dataset}/{run}/seed{seed}/examples.npz" for run in self.runs(dataset)]

    def signals_of(self, dataset: str, run: str, seed: int) -> list[str]:
        """The files of every signal of one target model."""
        folder = f"{self.results}/signals/{dataset}/{run}/seed{seed}"
        return [f"{folder}/{signal}.npz" for signal in self.config.datasets[dataset].signals]

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
            "signals": list(settings.signals),
            "own_verifier": settings.runs[run].method.verifier,
            "in_verified_ball": self._in_verified_ball(dataset),
        }

    def _in_verified_ball(self, dataset: str) -> list[str]:
        """Clean images, and attacks of the same radius or less: an l2 ball lies in the l-inf ball of its radius."""
        signals = self.config.datasets[dataset].signals
        verified = signals.get("verified")
        if verified is None:
            return []
        return [
            name
            for name, signal in signals.items()
            if name == "benign" or (isinstance(signal, PerturbationSettings) and signal.epsilon <= verified.epsilon)
        ]

    def figure(self, dataset: str, figure: str) -> Spec:
        """The settings of a figure, the runs it shows, and what its caption quotes."""
        spec: Spec = {
            "figure": figure,
            "dataset": dataset,
            "runs": self.runs(dataset),
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

    # ------------------------------------------------------------ code and checkpoints

    def code(self, script: str, dataset: str | None = None, run: str | None = None, signal: str | None = None) -> str:
        """The digest of the modules that a script uses, with the one that the data set, run or signal chooses."""
        chosen = []
        if script == "fetch" and dataset:
            chosen.append(SOURCES[self.config.datasets[dataset].source.name])
        if script == "train" and dataset and run:
            chosen.append(METHODS[self.config.datasets[dataset].runs[run].method.name])
        if script == "compute_signal" and signal:
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
