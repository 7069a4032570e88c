"""How a figure looks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat

from robustmia.settings import Settings


class FigureSettings(Settings):
    """One figure's look. A change redraws that figure and nothing else."""

    width: PositiveFloat = Field(3.4, description="inches; 3.4 is a column of a two-column paper")
    height: PositiveFloat = Field(2.8, description="inches")
    font_size: Annotated[float, Field(ge=4.0, le=30.0)] = Field(8.0, description="points; tick labels are one smaller")
    palette: str = Field("colorblind", description="a seaborn palette")


def _height(inches: float) -> FigureSettings:
    return FigureSettings(height=inches)


class FiguresSettings(Settings):
    """Every figure of the pipeline."""

    inference_accuracy: FigureSettings = Field(
        _height(4.2), description="inference accuracy of each run with intervals"
    )
    accuracies: FigureSettings = Field(_height(3.6), description="clean, adversarial and verified accuracy of each run")
    roc: FigureSettings = Field(_height(6.6), description="log-log ROC curves with bands")
    loss_histogram: FigureSettings = Field(_height(6.8), description="losses of members and non-members")
    margin_histogram: FigureSettings = Field(_height(6.8), description="margin bounds of members and non-members")
    leakage_and_gap: FigureSettings = Field(_height(3.2), description="leakage against the robust generalisation gap")
    training_curves: FigureSettings = Field(_height(5.4), description="accuracies while training")
    examples: FigureSettings = Field(_height(4.6), description="images, perturbations and predictions")
    attacks: FigureSettings = Field(
        FigureSettings(width=4.6, height=7.6), description="AUC of every strategy on every signal (strong attacks only)"
    )
    exposed: FigureSettings = Field(
        _height(4.6), description="members that each defense exposes most (strong attacks only)"
    )
    exposure_agreement: FigureSettings = Field(
        _height(3.2), description="whether runs and seeds agree on who is exposed (strong attacks only)"
    )
