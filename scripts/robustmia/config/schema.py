"""The whole configuration as settings models. Free of torch: the Snakefile reads it."""

from __future__ import annotations

from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import (
    Discriminator,
    Field,
    PositiveInt,
    StringConstraints,
    Tag,
    create_model,
    field_validator,
    model_validator,
)

from robustmia.audit.predictions_settings import PredictionsAudit
from robustmia.audit.settings import CheckpointAudit, ModelFunction
from robustmia.config.inheritance import inherit_in_dataset, name_by_key, without_null
from robustmia.config.registry import (
    FIGURES,
    METHODS,
    NETWORKS,
    OPTIMIZERS,
    SCHEDULES,
    SIGNALS,
    SOURCES,
    STUDIES,
    classes,
)
from robustmia.data.source import Source
from robustmia.inference.settings import AttackSettings, enough_shadow_models
from robustmia.methods.base import Method
from robustmia.models.engine import Engine
from robustmia.models.networks.base import Network
from robustmia.settings import FilePath, Settings, SplitSettings, ThreatModel
from robustmia.signals.base import Signal
from robustmia.studies.settings import Study
from robustmia.training.optimizers import Optimizer
from robustmia.training.schedules import Constant, Schedule
from robustmia.training.settings import TrainingSettings

if TYPE_CHECKING:
    AnySignal: TypeAlias = Signal
    AnySource: TypeAlias = Source
    AnyMethod: TypeAlias = Method
    AnyNetwork: TypeAlias = Network
    AnyOptimizer: TypeAlias = Optimizer
    AnySchedule: TypeAlias = Schedule
    AnyStudy: TypeAlias = Study
    FiguresSettings: TypeAlias = Settings
else:

    def _one_of(registry: dict[str, str], told_by: str = "name") -> Any:
        """Any class of a registry, told by its `name`."""
        return Annotated[reduce(or_, classes(registry)), Field(discriminator=told_by)]

    AnySignal, AnySource, AnyMethod = _one_of(SIGNALS), _one_of(SOURCES), _one_of(METHODS)
    AnyNetwork, AnyOptimizer, AnySchedule = _one_of(NETWORKS), _one_of(OPTIMIZERS), _one_of(SCHEDULES)
    AnyStudy = _one_of(STUDIES, told_by="kind")
    FiguresSettings = create_model(
        "FiguresSettings",
        __base__=Settings,
        __doc__="Every figure of the pipeline.",
        **{
            name: (kind, Field(kind(), description=kind.content))
            for name, kind in zip(FIGURES, classes(FIGURES), strict=True)
        },
    )

AnyModel = Annotated[
    Annotated[AnyNetwork, Tag("<ours>")] | Annotated[ModelFunction, Tag("<function>")],
    Discriminator(lambda raw: "<function>" if isinstance(raw, str) else "<ours>"),
]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
StudyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=60)]
"""Also the name of a target, and of a folder beside files with dots in their names."""
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=60)]


class Training(TrainingSettings):
    """How a model is optimised, whatever its method."""

    optimizer: AnyOptimizer = Field(description="`sgd` or `adam`, with its settings")
    schedule: AnySchedule = Field(
        Constant(name="constant"),
        description="learning rate over time: `constant`, `piecewise`, `cosine` or `one_cycle`",
    )


class RunSettings(Settings):
    """One way to train on a data set. `architecture` and `training` change what the data set says, key by key."""

    method: AnyMethod = Field(description="`name` and the settings of one training method")
    architecture: AnyNetwork | None = Field(None, description="changes to the data set's network; empty: none")
    training: Training | None = Field(None, description="changes to the data set's training; empty: none")


class ResourceSettings(Settings):
    """Size of jobs: results are equal up to rounding."""

    signals_per_job: PositiveInt = Field(
        1,
        description="how many signals of a model one job computes, in the order benign, adversarial, targeted, verified: more for small "
        "models, where most of a job is its start; a change of one signal computes all of its job again",
    )
    shadow_models_per_job: PositiveInt = Field(
        4, description="how many shadow models one job trains and computes signals of"
    )
    train_batched: bool = Field(
        False,
        description="train the shadow models of one job at once where the method and the training allow it (docs/inference.md): faster for small networks and on GPUs",
    )


class DatasetSettings(Settings):
    """A data set and what is trained on it."""

    source: AnySource = Field(description="`name` and the settings of one data set")
    threat_model: ThreatModel = Field(
        description="the ball that methods, the monitor, attacks and verifiers share, unless one of them says otherwise"
    )
    split: SplitSettings = Field(SplitSettings(), description="who is a member")
    architecture: AnyNetwork = Field(description="the network that every run trains")
    training: Training = Field(description="how every run is trained")
    engine: Engine = Field(Engine(), description="number format and compilation of networks")
    signals: dict[Name, AnySignal] = Field(
        description="what the attacker sees, by name, each with its settings; `benign` and `adversarial` are needed"
    )
    attacks: AttackSettings = Field(AttackSettings(), description="settings of the attacks that have some")
    resources: ResourceSettings = Field(ResourceSettings(), description="size of jobs, and memory")
    runs: dict[Name, RunSettings] = Field(
        min_length=1, description="what is trained, by name; a run set to null is left out"
    )

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, raw: Any) -> Any:
        """Fill in what runs, signals and the monitor take from the data set."""
        return inherit_in_dataset(raw) if isinstance(raw, dict) else raw

    @field_validator("signals")
    @classmethod
    def _have_signals(cls, signals: dict[str, Signal]) -> dict[str, Signal]:
        if lacking := [name for name in ("benign", "adversarial") if name not in signals]:
            raise ValueError(f"{' and '.join(lacking)} missing; the tables and figures need benign and adversarial")
        return signals

    @model_validator(mode="after")
    def _long_enough(self) -> DatasetSettings:
        """A radius that never gets to its full size would train another defense than the one asked for."""
        for name, run in self.runs.items():
            epochs = (run.training or self.training).epochs
            if run.method.warmup_ends >= epochs:
                raise ValueError(
                    f"runs.{name}.method reaches its full radius and weights only after {run.method.warmup_ends:g} epochs, but "
                    f"trains for {epochs}; shorten its warm-up, or raise training.epochs"
                )
        return self

    @model_validator(mode="after")
    def _private_where_possible(self) -> DatasetSettings:
        for name, run in self.runs.items():
            if (run.training or self.training).privacy and not run.method.trains_privately:
                raise ValueError(
                    f"runs.{name} cannot be trained privately: training.privacy goes with the methods natural and pgd, without label_smoothing, "
                    "weight_perturbation and loss_variance, and with an adversarial_fraction of 0 or 1"
                )
        return self


class CheckpointAuditOfDataset(CheckpointAudit):
    """A checkpoint's audit, and the data set that its model was trained on."""

    dataset: AnySource = Field(
        description="a source by name, such as `digits`, or its `name` and settings; names under `datasets` are not known here"
    )
    model: AnyModel = Field(
        description='"package.module:function", which returns the network, or one of ours: `{name: small_cnn, width: 16}`',
    )
    signals: dict[Name, AnySignal] = Field(
        {},
        description="what is computed, by name, as for a data set, `benign` among them; empty: every signal with its defaults",
    )

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        named = {"dataset": {"name": raw["dataset"]}} if isinstance(raw.get("dataset"), str) else {}
        threat_model = raw.get("threat_model")
        every = ("benign",) if threat_model is None else SIGNALS  # the others would each be said to lack the ball, too
        signals = without_null(raw.get("signals")) or {name: {} for name in every}
        return raw | named | {"signals": name_by_key(signals, SIGNALS, threat_model)}


def _kind_of_audit(raw: Any) -> str:
    given = raw if isinstance(raw, dict) else getattr(raw, "__dict__", {})
    return "<predictions>" if "predictions" in given else "<checkpoint>"


AnyAudit = Annotated[
    Annotated[PredictionsAudit, Tag("<predictions>")] | Annotated[CheckpointAuditOfDataset, Tag("<checkpoint>")],
    Discriminator(_kind_of_audit),
]


class Config(Settings):
    """The top level of `config.yaml`."""

    data_dir: FilePath = Field(Path("data"), description="where data sets are kept, in the layout of their own tools")
    results_dir: FilePath = Field(Path("results"), description="where everything that the pipeline makes goes")
    seeds: tuple[Seed, ...] = Field(
        (0,), min_length=1, description="each run is trained once for each seed, which also draws the split"
    )
    shadow_models: Annotated[int, Field(ge=0, le=10_000)] = Field(
        0,
        description="models trained for each run and seed, each on as many random records as a target, for the attacks that need them; 6 or more, "
        "or 0 for none",
    )
    datasets: dict[Name, DatasetSettings] = Field(
        min_length=1, description="by a name of your own; a data set set to null is left out"
    )
    audits: dict[Name, AnyAudit] = Field(
        {}, description="of other people's models, by a name of your own: `snakemake audit`; docs/how-to/audit.md"
    )
    studies: dict[StudyName, AnyStudy] = Field(
        {}, description="questions that take many models, by a name of your own: docs/studies.md"
    )
    figures: FiguresSettings = Field(FiguresSettings(), description="how figures look")

    @field_validator("studies", mode="before")
    @classmethod
    def _are_sweeps(cls, raw: Any) -> Any:
        """A study of no `kind` is a sweep; one set to null is left out."""
        if not isinstance(raw, dict):
            return raw
        given = without_null(raw).items()
        return {name: {"kind": "sweep"} | study if isinstance(study, dict) else study for name, study in given}

    @field_validator("datasets", mode="before")
    @classmethod
    def _leave_out(cls, raw: Any) -> Any:
        return without_null(raw)

    @field_validator("datasets")
    @classmethod
    def _no_table(cls, datasets: dict[str, DatasetSettings]) -> dict[str, DatasetSettings]:
        if tables := [name for name in datasets if name.endswith(".csv")]:
            raise ValueError(
                f"{tables[0]} would be a folder where a table of that name may be; name the data set otherwise"
            )
        return datasets

    @field_validator("results_dir")
    @classmethod
    def _of_its_own(cls, folder: Path) -> Path:
        if set("{}") & set(str(folder)):
            raise ValueError(f"{folder} has a brace, which Snakemake takes for a wildcard; name another folder")
        if folder.resolve() in (Path.cwd(), *Path.cwd().parents):
            raise ValueError(f"{str(folder)!r} holds other files than results; name a folder of its own")
        return folder

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is given twice")
        return seeds

    @field_validator("shadow_models")
    @classmethod
    def _enough(cls, count: int) -> int:
        return enough_shadow_models(count)
