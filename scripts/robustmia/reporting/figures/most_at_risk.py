"""The members that each defense puts most at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


IMAGES = 5  # of each run


class MostAtRisk(Figure):
    """The members that each defense puts most at risk."""

    table = "record_risk"
    content = "the members that each defense puts most at risk"
    shows_images = True
    quotes = ()
    needs_shadow_models = True
    height: Inches = 5.4

    def draw(self, data: FigureData) -> Drawing:
        """The members whose risk each defense raises most over natural training, of the first seed: risk there, and here."""
        from robustmia.reporting.figures.style import GREY, ending, fit_height, grid, shortened, show_image, wrapped

        table, runs, records = data.table, data.runs, data.records
        record_names = records.names if records.names is not None else [f"{row}" for row in range(len(records.labels))]
        first = table[(table.seed == table.seed.iloc[0]) & table.member].dropna(subset=["risk_change"])
        shown = [run for run in runs if (first.run == run).any()]
        drawing, axes = grid(max(1, len(shown)), IMAGES, self)
        fit_height(drawing, max(1, len(shown)), least=0.75, most=1.1, rest=0.3)
        drawing.set_layout_engine("constrained", h_pad=0.06)
        for axis in axes.flat:
            axis.set_axis_off()
        for row, run in enumerate(shown):
            most = first[first.run == run].nlargest(IMAGES, "risk_change", keep="first")
            for axis, record in zip(axes[row], most.itertuples(), strict=False):
                axis.set_axis_on()
                show_image(axis, records.images[record.record] / 255.0)
                named = f"{shortened(records.class_names[record.label], 9)}\n{ending(record_names[record.record])}"
                axis.set_title(named, pad=2, fontsize=self.font_size - 2.0)
                before = record.risk - record.risk_change
                axis.set_xlabel(
                    f"{abs(100 * before):.0f} → {100 * record.risk:.0f}", labelpad=1, fontsize=self.font_size - 1.0
                )
            axes[row, 0].set_ylabel(wrapped(run, 15), fontsize=self.font_size - 1.0)
        drawing.supxlabel("risk under natural training → under the defense (%)", fontsize=self.font_size)
        if not shown:
            axes[0, 0].text(0.0, 0.5, "no defense beside natural training", color=GREY)
        return drawing
