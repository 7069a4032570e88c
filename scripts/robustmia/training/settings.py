"""How a model is optimised, whatever its method."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from robustmia.settings import FROM_SPEC, OpenFraction, PerturbationSettings, Settings, chosen
from robustmia.training.optimizers import Optimizer
from robustmia.training.schedules import Constant, Schedule


class AugmentationSettings(Settings):
    """Random changes to training images, made on the device."""

    crop_padding: Annotated[int, Field(ge=0, le=1000)] = Field(
        0, description="zero pixels added on each side before a random crop; 0: no crop"
    )
    horizontal_flip: bool = Field(False, description="mirror each image with probability 1/2")


class MonitorSettings(PerturbationSettings):
    """Accuracies of members and non-members while training, for the training curves only: nothing is chosen by them."""

    every: PositiveInt = Field(
        10, description="epochs between two evaluations; the last of `epochs` is always evaluated"
    )
    records: PositiveInt = Field(256, description="members, and as many non-members, that are evaluated")


class EarlyStoppingSettings(PerturbationSettings):
    """Which epoch's weights are kept: those of the highest adversarial accuracy on held-out records (Rice et al. 2020)."""

    every: PositiveInt = Field(
        1, description="epochs between two evaluations; the last of `epochs` is always evaluated"
    )
    records: PositiveInt = Field(
        200, description="held out: neither members nor non-members; `split.max_nonmembers` leaves some"
    )


class PrivacySettings(Settings):
    """Differentially private training, DP-SGD (Abadi et al. 2016), by the methods `natural` and `pgd`."""

    noise_multiplier: PositiveFloat = Field(
        description="standard deviation of the noise in units of max_gradient_norm; more is more private"
    )
    max_gradient_norm: PositiveFloat = Field(1.0, description="norm to which the gradient of each image is clipped")
    delta: OpenFraction = Field(
        1e-4, description="of (epsilon, delta)-differential privacy: has to be well below 1 / members"
    )


class TrainingSettings(Settings):
    """How a model is optimised, whatever its method."""

    epochs: PositiveInt = Field(description="passes over the members")
    stop_after: PositiveInt | None = Field(
        None,
        description="end after so many epochs, with the learning rates and radii of a training of `epochs`, which may not have reached their full size; empty: all",
    )
    batch_size: PositiveInt = Field(128, description="most images of a step; the members are shared out evenly")
    optimizer: Annotated[Optimizer, FROM_SPEC] = Field(description="`sgd` or `adam`, with its settings")
    schedule: Annotated[Schedule, FROM_SPEC] = Field(
        Constant(name="constant"),
        description="learning rate over time: `constant`, `piecewise`, `cosine` or `one_cycle`",
    )
    gradient_clip: PositiveFloat | None = Field(
        None, description="largest norm of the whole gradient; empty: not clipped"
    )
    augmentation: AugmentationSettings = Field(AugmentationSettings(), description="random crops and flips")
    early_stopping: EarlyStoppingSettings | None = Field(
        None, description="keep the weights of the epoch that is most robust on held-out records; empty: the last one's"
    )
    privacy: PrivacySettings | None = Field(None, description="differentially private training; empty: none")
    monitor: MonitorSettings | None = Field(None, description="accuracies recorded while training; empty: none")

    @model_validator(mode="after")
    def _stops_in_time(self) -> TrainingSettings:
        if self.stop_after is not None and self.stop_after > self.epochs:
            raise ValueError(f"stop_after {self.stop_after} is above epochs {self.epochs}")
        if self.stop_after and self.early_stopping and self.stop_after % self.early_stopping.every:
            raise ValueError(
                f"stop_after {self.stop_after} is no multiple of early_stopping.every, {self.early_stopping.every}: the last epoch would not be looked at"
            )
        return self

    @property
    def last_epoch(self) -> int:
        """Epochs that are trained."""
        return self.stop_after or self.epochs

    def as_spec(self) -> dict[str, Any]:
        """Plain values, with the classes of the optimiser and the schedule."""
        classes = {"optimizer": chosen(self.optimizer), "schedule": chosen(self.schedule)}
        return self.model_dump(mode="json", exclude={"optimizer", "schedule"}) | classes
