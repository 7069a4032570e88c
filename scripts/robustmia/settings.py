"""Settings that jobs work with: networks, perturbations, optimisers, schedules. Free of torch, so that the Snakefile may read them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
OpenFraction = Annotated[float, Field(gt=0.0, lt=1.0)]
AtLeastTwo = Annotated[int, Field(ge=2)]
Norm = Literal["linf", "l2"]
Verifier = Literal["interval", "zonotope", "interval_dual", "dual"]


class Settings(BaseModel):
    """A group of settings: an unknown key is an error, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_as_number(cls, raw: Any) -> Any:
        """YAML's true is Python's 1: refuse it where a number is meant."""
        for key, value in raw.items() if isinstance(raw, dict) else ():
            truths = any(isinstance(part, bool) for part in (value if isinstance(value, list) else [value]))
            if truths and key in cls.model_fields and cls.model_fields[key].annotation is not bool:
                raise ValueError(f"{key} is {str(value).lower()}; give a number or a text")
        return raw


# ---------------------------------------------------------------- perturbations


class PerturbationSettings(Settings):
    """A ball around each image, in pixels in [0, 1], and the gradient steps taken inside it."""

    norm: Norm = Field("linf", description="the ball's norm: `linf` or `l2`")
    epsilon: NonNegativeFloat = Field(description="radius of the ball, for pixels in [0, 1]")
    steps: PositiveInt = Field(10, description="gradient steps")
    step_size: PositiveFloat | None = Field(
        None, description="length of a step in the ball's norm; empty: 2.5 epsilon / steps"
    )

    @property
    def resolved_step_size(self) -> float:
        """The step size in force: the one given, or 2.5 epsilon / steps as in the paper's evaluation."""
        return 2.5 * self.epsilon / self.steps if self.step_size is None else self.step_size


# ---------------------------------------------------------------- networks


class NetworkSettings(Settings):
    """What every network takes. Input normalisation is its first layer, so epsilon always means pixels in [0, 1]."""

    input_mean: tuple[float, ...] = Field(
        (), description="subtracted from each channel inside the network; empty: nothing"
    )
    input_std: tuple[PositiveFloat, ...] = Field(
        (), description="divides each channel inside the network; empty: nothing"
    )

    @model_validator(mode="after")
    def _pair(self) -> NetworkSettings:
        if len(self.input_mean) != len(self.input_std):
            raise ValueError("input_mean and input_std need one number per channel each, or both stay empty")
        return self


class SmallCNNSettings(NetworkSettings):
    """Two convolutions and a hidden layer: enough for 8 x 8 digits."""

    name: Literal["small_cnn"]
    width: PositiveInt = Field(32, description="channels of the first convolution")


class YaleNetSettings(NetworkSettings):
    """The paper's Yale Face network: eight convolutions of width to 8 width channels and a hidden layer of 200."""

    name: Literal["yale_net"]
    width: PositiveInt = Field(8, description="channels of the first convolution; the paper has 8")


class FashionMNISTNetSettings(NetworkSettings):
    """The paper's Fashion-MNIST network: six convolutions of width and 2 width channels and a hidden layer of 200."""

    name: Literal["fashion_mnist_net"]
    width: PositiveInt = Field(256, description="channels of the first convolution; the paper has 256")


class WideResNetSettings(NetworkSettings):
    """A pre-activation wide residual network (Zagoruyko and Komodakis 2016)."""

    name: Literal["wide_resnet"]
    depth: PositiveInt = Field(
        34,
        description="layers: 6 n + 4, as 16, 28 or 34; the paper has five units in each of three groups, which is 34",
    )
    width: PositiveInt = Field(10, description="the widening factor; the paper has 10")

    @model_validator(mode="after")
    def _whole_units(self) -> WideResNetSettings:
        if self.depth < 10 or (self.depth - 4) % 6:
            raise ValueError(f"depth {self.depth} is not 6 n + 4 (10, 16, 22, 28, 34, ...)")
        return self


AnyNetworkSettings = Annotated[
    SmallCNNSettings | YaleNetSettings | FashionMNISTNetSettings | WideResNetSettings, Field(discriminator="name")
]


# ---------------------------------------------------------------- optimisers and schedules


class SGDSettings(Settings):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"]
    learning_rate: PositiveFloat = Field(description="the schedule's factor 1")
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.9, description="momentum; 0: none")
    weight_decay: NonNegativeFloat = Field(0.0, description="L2 term added to the gradient of every parameter")


class AdamSettings(Settings):
    """Adam (Kingma and Ba 2015)."""

    name: Literal["adam"]
    learning_rate: PositiveFloat = Field(description="the schedule's factor 1")
    weight_decay: NonNegativeFloat = Field(
        0.0, description="L2 term added to the gradient of every parameter (coupled)"
    )


AnyOptimizerSettings = Annotated[SGDSettings | AdamSettings, Field(discriminator="name")]


class ConstantScheduleSettings(Settings):
    """The same learning rate throughout."""

    name: Literal["constant"]


class PiecewiseScheduleSettings(Settings):
    """A factor that changes at given epochs."""

    name: Literal["piecewise"]
    epochs: tuple[PositiveFloat, ...] = Field(description="epochs, rising, after which the next factor holds")
    factors: tuple[PositiveFloat, ...] = Field(
        description="the factor after each of those epochs; before the first it is 1"
    )

    @model_validator(mode="after")
    def _match(self) -> PiecewiseScheduleSettings:
        if len(self.epochs) != len(self.factors):
            raise ValueError(f"{len(self.epochs)} epochs need as many factors, not {len(self.factors)}")
        if list(self.epochs) != sorted(set(self.epochs)):
            raise ValueError("epochs must rise")
        return self


class CosineScheduleSettings(Settings):
    """From 1 to 0 along half a cosine."""

    name: Literal["cosine"]


class OneCycleScheduleSettings(Settings):
    """Linear from `start` to 1 at `peak`, then linear to 0 (Smith 2018)."""

    name: Literal["one_cycle"]
    start: Fraction = Field(0.1, description="the factor at the first step")
    peak: OpenFraction = Field(0.3, description="where the factor is 1, as a fraction of the training")


AnyScheduleSettings = Annotated[
    ConstantScheduleSettings | PiecewiseScheduleSettings | CosineScheduleSettings | OneCycleScheduleSettings,
    Field(discriminator="name"),
]


# ---------------------------------------------------------------- training


class AugmentationSettings(Settings):
    """Random changes to training images, made on the device."""

    crop_padding: NonNegativeInt = Field(
        0, description="zero pixels added on each side before a random crop; 0: no crop"
    )
    horizontal_flip: bool = Field(False, description="mirror each image with probability 1/2")


class MonitorSettings(PerturbationSettings):
    """A look at members and non-members while training, for the training curves only: nothing is chosen by it."""

    every: PositiveInt = Field(10, description="epochs between two looks; the last epoch is always looked at")
    records: PositiveInt = Field(256, description="members, and as many non-members, that are looked at")


class TrainingSettings(Settings):
    """How a model is optimised, whatever its method."""

    epochs: PositiveInt = Field(description="passes over the members")
    batch_size: PositiveInt = Field(128, description="images per step; the last batch of an epoch may be smaller")
    optimizer: AnyOptimizerSettings = Field(description="`sgd` or `adam`, with its settings")
    schedule: AnyScheduleSettings = Field(
        ConstantScheduleSettings(name="constant"),
        description="learning rate over time: `constant`, `piecewise`, `cosine` or `one_cycle`",
    )
    gradient_clip: PositiveFloat | None = Field(
        None, description="largest norm of the whole gradient; empty: not clipped"
    )
    augmentation: AugmentationSettings = Field(AugmentationSettings(), description="random crops and flips")
    monitor: MonitorSettings | None = Field(None, description="accuracies recorded while training; empty: none")


# ---------------------------------------------------------------- split


class SplitSettings(Settings):
    """Who is a member. Without `member_fraction` and `members_per_class` the data set's own training and test sets are used."""

    member_fraction: OpenFraction | None = Field(
        None, description="this part of each class becomes members, the rest non-members"
    )
    members_per_class: PositiveInt | None = Field(
        None, description="this many images of each class become members, the rest non-members"
    )
    max_members: AtLeastTwo | None = Field(
        None, description="at most this many members; the others go to the shadow pool"
    )
    max_nonmembers: AtLeastTwo | None = Field(
        None, description="at most this many non-members; the others go to the shadow pool"
    )

    @model_validator(mode="after")
    def _one_rule(self) -> SplitSettings:
        if self.member_fraction is not None and self.members_per_class is not None:
            raise ValueError("give member_fraction or members_per_class, not both")
        return self


# ---------------------------------------------------------------- strong attacks


class StrongAttacksSettings(Settings):
    """Membership inference with shadow models: for `snakemake strong_attacks` only."""

    shadow_models: Annotated[int, Field(ge=6, multiple_of=2)] = Field(
        8, description="models trained for each run, each on half of all records; even, 6 or more"
    )
    models_per_job: PositiveInt = Field(4, description="how many of them one job trains and asks")
    stacked: bool = Field(
        False,
        description="train those of one job at once where the method allows it (natural, pgd, trades): faster for small networks "
        "and on GPUs",
    )
    classifier: Literal["logistic", "random_forest", "neural_network"] = Field(
        "logistic", description="of I_T, one for each class: `logistic`, `random_forest` or `neural_network`"
    )
