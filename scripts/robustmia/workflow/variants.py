"""Runs of data sets, as configured and as studies change them, and the names under which the results of each of their stages are.

A stage is what one rule makes of one target model. Where everything that decides its result is as configured, its results are those of
the run itself, `results/models/digits/pgd/seed0`. Where a study changes it, a digest of what decides it follows the name:
`results/models/digits/pgd@3f0c6b1d/seed0`. So points of studies share whatever is equal, with the runs and with each other, and
adding or removing points leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

from robustmia.config.registry import COLUMNS, METHODS, SIGNALS, STRATEGIES
from robustmia.config.schema import Config, DatasetSettings, RunSettings
from robustmia.config.studies import Point
from robustmia.inference.settings import AttackSettings
from robustmia.methods.base import Method
from robustmia.settings import chosen
from robustmia.signals.base import Signal
from robustmia.studies.settings import Study, Transfer
from robustmia.training.settings import PrivacySettings, TrainingSettings
from robustmia.workflow.code_digest import digest

Content = dict[str, Any]
"""What decides the result of a stage, but for the seed: plain values, a part of the job's spec."""

DATA_STAGES = ("fetch", "split")
"""Those of a data set, whatever the run: their digest follows the data set's name."""
STAGES = (*DATA_STAGES, "train", "signals", "shadow_train", "shadow_signals", "infer")
"""In the order of the rules; `infer` is the last that is of one target model."""


@dataclass(frozen=True, eq=False)
class Variant:
    """A run of a data set, as configured or as it is at a point of a study."""

    dataset: str
    run: str
    settings: DatasetSettings
    """Of the data set."""
    seeds: tuple[int, ...]
    shadow_models: int
    is_of_study: bool = False
    other_records: bool = False
    """Whether shadow models are trained on records that are neither members nor non-members of the target."""

    @property
    def method(self) -> Method:
        return self.settings.runs[self.run].method

    @property
    def training(self) -> TrainingSettings:
        return self.settings.runs[self.run].training or self.settings.training

    @property
    def privacy(self) -> PrivacySettings | None:
        """Of differentially private training."""
        return self.training.privacy

    # ------------------------------------------------------------ names

    @property
    def signals(self) -> list[str]:
        """Signals in the order of the registry."""
        return [name for name in SIGNALS if name in self.settings.signals]

    @property
    def signal_jobs(self) -> list[str]:
        """The signals that each job computes, with a plus sign between them: the wildcard {signals}."""
        names, size = self.signals, self.settings.resources.signals_per_job
        return ["+".join(names[first : first + size]) for first in range(0, len(names), size)]

    @property
    def shadow_jobs(self) -> list[list[int]]:
        """The numbers of the shadow models of a target that each job trains."""
        return chunks(self.shadow_models, self.settings.resources.shadow_models_per_job)

    # ------------------------------------------------------------ what decides each stage

    def fetch(self) -> Content:
        return {"source": chosen(self.settings.source)}

    def split(self) -> Content:
        return {"split": self.settings.split.model_dump(mode="json")}

    def train(self) -> Content:
        """Without a monitor in a study, which shows no training curves."""
        training = self.training.as_spec()
        return {
            **self.fetch(),
            **self.split(),
            **self.network(),
            "method": chosen(self.method),
            "training": training | {"monitor": None} if self.is_of_study else training,
        }

    def _weights(self) -> Content:
        """What decides the weights: the monitor does not."""
        content = self.train()
        return content | {"training": content["training"] | {"monitor": None}}

    def signal_settings(self, names: Iterable[str]) -> Content:
        """Of a job of some signals."""
        signals = {name: chosen(self.settings.signals[name]) for name in names}
        content = {**self.network(), "signals": signals}
        own_verifier = self.method.verifier
        return content | {"own_verifier": own_verifier} if own_verifier and "verified" in signals else content

    def shadow_train(self) -> Content:
        """What the target's training has, but for the monitor."""
        return self._weights() | self.shadow_splits()

    def shadow_splits(self) -> Content:
        """What decides the records that shadow models are trained on; their number only where it may keep them from the target's."""
        split, stopping = self.settings.split, self.training.early_stopping
        held_out = {"held_out": stopping.records} if stopping else {}
        other = {"other_records": True} if self.other_records else {}
        halves = split.member_fraction == 0.5 and split.max_members is None  # which any number of models is trained on
        number = {} if halves and not held_out and not other else {"shadow_models": self.shadow_models}
        return {**self.split(), **held_out, **other, **number}

    def infer(self) -> Content:
        return {
            "signals": self.signals,
            "shadow_models": self.shadow_models,
            "own_verifier": self.method.verifier,
            "in_verified_ball": in_verified_ball(self.settings.signals),
            **inference(self.settings.attacks),
        }

    def network(self) -> Content:
        """What the run trains, and how it is run."""
        architecture = self.settings.runs[self.run].architecture or self.settings.architecture
        return {"architecture": chosen(architecture), "engine": self.settings.engine.model_dump(mode="json")}

    def deciding(self, stage: str) -> list[Content]:
        """What decides the results of a stage, with all stages before it."""
        if stage in DATA_STAGES:
            return [self.fetch(), self.split()] if stage == "split" else [self.fetch()]
        has_shadows = "shadow" in stage or (stage == "infer" and self.shadow_models)
        shadows = [self.shadow_train(), {"shadow_models": self.shadow_models}] if has_shadows else []
        signals = [self.signal_settings(self.signals)] if stage in ("signals", "shadow_signals", "infer") else []
        targets = [] if "shadow" in stage else [self._weights()]
        return [*targets, *shadows, *signals, *([self.infer()] if stage == "infer" else [])]


class Variants:
    """Every variant of a configuration, by the names that the results of its stages have."""

    def __init__(self, config: Config, points: dict[str, list[Point]]):
        self.runs = {
            (name, run): Variant(name, run, settings, config.seeds, config.shadow_models)
            for name, settings in config.datasets.items()
            for run in settings.runs
        }
        self.of_studies = {
            study: [_at(point, config, config.studies[study]) for point in of_study]
            for study, of_study in points.items()
        }
        self._digests: dict[tuple[str, Variant], str] = {}
        self._by_name = dict(self.runs)
        self._by_dataset = {name: variant for (name, _), variant in reversed(self.runs.items())}
        self._places: dict[tuple[str, str], str] = {}
        for study, of_study in self.of_studies.items():
            for point, of_point in zip(points[study], of_study, strict=True):
                place = ", ".join(filter(None, (f"study {study}", point.name)))
                for stage, variant in product(STAGES, of_point):
                    self._keep(stage, variant, place)

    def _keep(self, stage: str, variant: Variant, place: str) -> None:
        names = self.names(stage, variant)
        self._places.setdefault((names["dataset"], names["run"]), place)
        self._by_dataset.setdefault(names["dataset"], variant)
        self._by_name.setdefault((names["dataset"], names["run"]), variant)

    def find(self, dataset: str, run: str | None = None) -> Variant:
        """One of those whose results of some stage have these names."""
        return self._by_name[dataset, run] if run else self._by_dataset[dataset]

    def place(self, dataset: str, run: str) -> str | None:
        """The first study and point whose results have these names; None for those of a run as configured."""
        return None if (dataset, run) in self.runs else self._places.get((dataset, run))

    def names(self, stage: str, variant: Variant) -> dict[str, str]:
        """What the wildcards {dataset} and {run} stand for in the paths of a stage's results."""
        names, configured = {"dataset": variant.dataset, "run": variant.run}, self.runs[variant.dataset, variant.run]
        if variant is configured:
            return names
        own, theirs = self._digest(stage, variant), self._digest(stage, configured)
        changed = "dataset" if stage in DATA_STAGES else "run"
        return names if own == theirs else names | {changed: f"{names[changed]}@{own[:8]}"}

    def _digest(self, stage: str, variant: Variant) -> str:
        if (stage, variant) not in self._digests:
            self._digests[stage, variant] = digest(stage, *variant.deciding(stage))
        return self._digests[stage, variant]


def _at(point: Point, config: Config, study: Study) -> list[Variant]:
    """The runs of a study at one of its points, in order; of a transfer study each once for every kind of records of its shadow models."""
    seeds = config.seeds if study.seeds is None else study.seeds
    shadow_models = config.shadow_models if study.shadow_models is None else study.shadow_models
    shadows_of = (False, True) if isinstance(study, Transfer) and study.other_records else (False,)
    return [
        Variant(study.dataset, run, point.settings, seeds, shadow_models, is_of_study=True, other_records=other_records)
        for run in in_order(point.settings.runs)
        for other_records in shadows_of
    ]


def chunks(count: int, size: int) -> list[list[int]]:
    """The numbers below a count, so many at a time."""
    return [list(range(first, min(first + size, count))) for first in range(0, count, size)]


def in_order(runs: dict[str, RunSettings]) -> list[str]:
    """Runs in the order of the registry's methods, then as configured: overlays change the order of a file's keys."""
    order = list(METHODS)
    return sorted(runs, key=lambda run: order.index(runs[run].method.name))


def inference(attacks: AttackSettings) -> Content:
    """The lists of what inference runs and writes, so that the job needs no registry."""
    return {
        "strategies": list(STRATEGIES.values()),
        "columns": list(COLUMNS.values()),
        "attacks": attacks.model_dump(mode="json"),
    }


def in_verified_ball(signals: dict[str, Signal]) -> list[str]:
    """The signals whose images all lie in the ball of the verified one, so that inference can check the bounds against them."""
    epsilon = getattr(signals.get("verified"), "epsilon", None)
    return [name for name, signal in signals.items() if epsilon is not None and signal.stays_within(epsilon)]
