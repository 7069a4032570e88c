"""A few images before and after the evaluation attack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from robustmia.reporting.figures.data import FigureData


class Examples(Figure):
    """A few images before and after the evaluation attack."""

    content = "images, perturbations and predictions"
    shows_examples = True
    shows_images = True
    quotes = ("adversarial",)
    height: Inches = 4.6

    def draw(self, data: FigureData) -> Drawing:
        """Non-members, what the attack adds to them (magnified) and what each run's model then says."""
        import numpy as np

        from robustmia.reporting.figures.style import RED, grid, shortened, show_image

        shown, class_names = data.examples, data.records.class_names
        records = len(next(iter(shown.values())).rows)
        drawing, axes = grid(len(shown), 3 * records, self)
        for row, (run, example) in enumerate(shown.items()):
            for record in range(records):
                clean, attacked = example.images[record], example.adversarial[record]
                change = attacked - clean
                magnify = 0.5 / max(float(np.abs(change).max()), 1e-6)
                panels = (clean, 0.5 + magnify * change, attacked)
                predicted = (example.predictions[record], None, example.adversarial_predictions[record])
                for axis, pixels, prediction in zip(
                    axes[row, 3 * record : 3 * record + 3], panels, predicted, strict=True
                ):
                    show_image(axis, pixels)
                    if prediction is None:
                        axis.set_xlabel(f"× {magnify:.0f}", labelpad=1)
                    else:
                        right = prediction == example.labels[record]
                        axis.set_xlabel(
                            shortened(class_names[prediction]),
                            labelpad=1,
                            color="black" if right else RED,
                            fontweight="normal" if right else "bold",
                        )
            axes[row, 0].set_ylabel(run.replace("_", "\n"), fontsize=self.font_size - 1.5)
        for record in range(records):
            for axis, title in zip(axes[0, 3 * record :], ("clean", "change", "adv."), strict=False):
                axis.set_title(title)
        return drawing
