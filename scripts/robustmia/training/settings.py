"""How a model is optimised, whatever its method."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from robustmia.settings import PerturbationSettings, Settings, chosen, instantiate
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

    every: PositiveInt = Field(10, description="epochs between two evaluations; the last epoch is always evaluated")
    records: PositiveInt = Field(256, description="members, and as many non-members, that are evaluated")


class TrainingSettings(Settings):
    """How a model is optimised, whatever its method."""

    epochs: PositiveInt = Field(description="passes over the members")
    batch_size: PositiveInt = Field(128, description="images per step; the last batch of an epoch may be smaller")
    optimizer: Optimizer = Field(description="`sgd` or `adam`, with its settings")
    schedule: Schedule = Field(
        Constant(name="constant"),
        description="learning rate over time: `constant`, `piecewise`, `cosine` or `one_cycle`",
    )
    gradient_clip: PositiveFloat | None = Field(
        None, description="largest norm of the whole gradient; empty: not clipped"
    )
    augmentation: AugmentationSettings = Field(AugmentationSettings(), description="random crops and flips")
    monitor: MonitorSettings | None = Field(None, description="accuracies recorded while training; empty: none")

    @field_validator("optimizer", "schedule", mode="wrap")
    @classmethod
    def _instantiated(cls, raw: Any, validate: Any) -> Any:
        """Take what `as_spec` wrote."""
        return instantiate(raw) if isinstance(raw, dict) and "class" in raw else validate(raw)

    def as_spec(self) -> dict[str, Any]:
        """Plain values, with the classes of the optimiser and the schedule."""
        classes = {"optimizer": chosen(self.optimizer), "schedule": chosen(self.schedule)}
        return self.model_dump(mode="json", exclude={"optimizer", "schedule"}) | classes
