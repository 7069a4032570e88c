"""Two images before and after the evaluation attack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustmia.reporting.figures.base import Figure, Inches

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from robustmia.files.signals import Examples as ExampleImages
    from robustmia.reporting.figures.data import FigureData

RECORDS = 2  # as many as are large enough in the width of a column


class Examples(Figure):
    """Two images before and after the evaluation attack."""

    content = "images, perturbations and predictions"
    shows_examples = True
    shows_images = True
    quotes = ("adversarial",)
    height: Inches = 7.0

    def draw(self, data: FigureData) -> Drawing:
        """Non-members above; for each run what the attack adds to them, the result, and what the model says before and after."""
        import numpy as np

        from robustmia.reporting.figures.style import fit_height, grid, show_image, wrapped

        examples, class_names = data.examples, data.records.class_names
        first = next(iter(examples.values()))
        records = range(min(RECORDS, len(first.rows)))
        changes = {run: (part.adversarial - part.images).mean(axis=1) for run, part in examples.items()}
        largest = max(float(np.abs(change[: len(records)]).max()) for change in changes.values()) or 1.0
        drawing, axes = grid(1 + len(examples), 2 * len(records), self)
        fit_height(drawing, 1 + len(examples), least=0.7, most=1.0, rest=0.6)
        for record in records:
            image, text = axes[0, 2 * record : 2 * record + 2]
            _show_record(image, text, first.images[record], class_names[first.labels[record]])
            for row, (run, example) in enumerate(examples.items(), 1):
                change, adversarial = axes[row, 2 * record : 2 * record + 2]
                colors = change.imshow(changes[run][record], cmap="RdBu_r", vmin=-largest, vmax=largest)
                change.set(xticks=[], yticks=[])
                show_image(adversarial, example.adversarial[record])
                _write_predictions(adversarial, example, record, class_names, self.font_size - 1.5)
            axes[1, 2 * record].set_title("perturbation", fontsize=self.font_size - 1.0)
            axes[1, 2 * record + 1].set_title("adversarial", fontsize=self.font_size - 1.0)
        for axis, run in zip(axes[1:, 0], examples, strict=True):
            axis.set_ylabel(wrapped(run, 15), fontsize=self.font_size - 1.0)
        bar = drawing.colorbar(colors, ax=axes, location="bottom", shrink=0.6, aspect=30, pad=0.02)
        bar.set_ticks([-largest, 0, largest], labels=[f"−{largest:.2g}", "0", f"+{largest:.2g}"])
        bar.set_label("added to pixels of [0, 1]")
        return drawing


def _show_record(image_axis: Axes, text_axis: Axes, image: np.ndarray, class_name: str) -> None:
    """A clean image, and its true class beside it."""
    from robustmia.reporting.figures.style import shortened, show_image

    show_image(image_axis, image)
    image_axis.set_title("clean")
    text_axis.set_axis_off()
    text_axis.text(0, 0.5, f"true class:\n{shortened(class_name, 12)}", transform=text_axis.transAxes, va="center")


def _write_predictions(
    axis: Axes, example: ExampleImages, record: int, class_names: Sequence[str], size: float
) -> None:
    """The predicted classes of the clean and of the adversarial image below both panels; a wrong one has a cross."""
    from robustmia.reporting.figures.style import RED, shortened

    label = example.labels[record]
    predicted = (example.predictions[record], example.adversarial_predictions[record])
    names = [shortened(class_names[name], 10) + ("" if name == label else " ✗") for name in predicted]
    is_wrong = any(name != label for name in predicted)
    axis.set_xlabel(" → ".join(names), x=0, labelpad=2, color=RED if is_wrong else "black", fontsize=size)
