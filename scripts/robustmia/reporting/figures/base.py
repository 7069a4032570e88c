"""What a figure is: its settings, and a function that draws it from files.

Figure modules import matplotlib inside their functions only, so that the Snakefile can read their settings without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, field_validator

from robustmia.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData

Inches = Annotated[float, Field(ge=1.0, le=50.0)]
PALETTES = ("deep", "muted", "bright", "pastel", "dark", "colorblind")


class Figure(Settings):
    """How one figure looks; a change redraws that figure and nothing else. A subclass defines `draw`."""

    table: ClassVar[str | None] = None
    """The table of a data set that the figure is drawn from, without `.csv`; None: it is drawn from other files."""
    content: ClassVar[str]
    """What it shows, in a few words, for the report and the configuration."""
    is_sorted_by_leakage: ClassVar[bool] = False
    """Whether it needs the conclusions, which say how much each run leaks."""
    shows_images: ClassVar[bool] = False
    """Whether it needs the images of the data set."""
    shows_examples: ClassVar[bool] = False
    """Whether it needs the perturbed images of every run."""
    quotes: ClassVar[tuple[str, ...]] = ("adversarial", "verified")
    """The signals whose settings its caption quotes; a change of theirs draws it again."""
    needs_signal: ClassVar[str | None] = None
    """A signal without which there is no such figure."""
    needs_shadow_models: ClassVar[bool] = False
    """Whether there is such a figure with shadow models only."""
    needs_monitor: ClassVar[bool] = False
    """Whether there is such a figure only where some training has a monitor."""
    needs_published: ClassVar[bool] = False
    """Whether there is such a figure for the paper's data sets only."""

    width: Inches = Field(3.4, description="inches; 3.4 is a column of a two-column paper")
    height: Inches = Field(
        2.8,
        description="inches; a figure that has a row for each run is higher or lower if rows would not fit or be too high",
    )
    font_size: Annotated[float, Field(ge=4.0, le=30.0)] = Field(8.0, description="points; tick labels are one smaller")
    palette: str = Field("colorblind", description="a seaborn palette")

    @field_validator("palette")
    @classmethod
    def _known(cls, palette: str) -> str:
        """Seaborn is asked only for other palettes than its own six, since its import takes longer than all else here."""
        if palette not in PALETTES:
            import seaborn

            try:
                seaborn.color_palette(palette, 2)
            except ValueError:
                raise ValueError(f"{palette!r} is no palette of seaborn's; use one of {', '.join(PALETTES)}") from None
        return palette

    def draw(self, data: FigureData) -> Drawing:
        """The figure, as a matplotlib figure."""
        raise TypeError(f"{type(self).__name__} does not define draw()")
