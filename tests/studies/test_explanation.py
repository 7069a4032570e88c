"""What goes with leakage: on tables whose relation is known."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from robustmia.reporting.explanation import explanation_table, explanation_text
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.explanation import draw_explanation
from robustmia.reporting.figures.style import style
from robustmia.studies.explanation import correlations, joined
from robustmia.studies.sweep import MARGIN, STRONGEST


def sweep(seed: int, points: int = 12, slope: float = 0.5) -> pd.DataFrame:
    """Leakage is half the adversarial gap; the benign one is noise; nothing is verified; margins fall with the leak."""
    random = np.random.default_rng(seed)
    rows = []
    for point in range(points):
        gap = random.uniform(0, 0.3)
        found = {
            STRONGEST: 0.5 + slope * gap + 0.003 * random.normal(),
            "benign gap": random.uniform(0, 0.05),
            "adversarial gap": gap,
            "benign test accuracy": 0.9,
            MARGIN: -10 * gap + random.normal(),
        }
        rows += [
            {"point": f"{point}", "run": "pgd", "method": "pgd", "quantity": quantity, "mean": value}
            for quantity, value in found.items()
        ]
    return pd.DataFrame(rows)


SWEEPS = {name: sweep(seed) for seed, name in enumerate("abcde")}


def test_of_few_studies_there_is_no_interval():
    """A bootstrap that draws four studies would tell little."""
    found = correlations(joined(dict(list(SWEEPS.items())[:4])))
    assert found.low.isna().all()
    assert (found.studies == 4).all()
    assert "(" not in explanation_table(found)["rank correlation with leakage (95 % CI)"][0]
    assert explanation_text(found, 4)[0].startswith("No correlation is shown with the ")


def test_every_run_and_point_is_a_row_once():
    rows = joined({"a": sweep(0), "b": sweep(1), "again": sweep(0)})
    assert rows.study.value_counts().to_dict() == {"a": 12, "b": 12}
    assert rows["verified gap"].isna().all()


def test_leakage_that_is_the_same_everywhere_goes_with_nothing():
    equal = {
        study: rows.assign(mean=rows["mean"].where(rows.quantity != STRONGEST, 0.5)) for study, rows in SWEEPS.items()
    }
    assert correlations(joined(equal)).empty


def test_what_goes_with_leakage_is_found_with_its_line():
    found = correlations(joined(SWEEPS)).set_index("quantity")
    assert "verified gap" not in found.index
    gap = found.loc["adversarial gap"]
    assert gap.rank_correlation > 0.95
    assert 0.8 < gap.low <= gap.rank_correlation <= gap.high
    assert (gap.slope, gap.intercept) == (pytest.approx(0.5, abs=0.03), pytest.approx(0.5, abs=0.01))
    assert found.loc["benign gap"].low < 0 < found.loc["benign gap"].high
    assert found.loc[MARGIN].high < 0


def test_words_name_what_is_shown_alone():
    found = correlations(joined(SWEEPS))
    words = explanation_text(found, 5)
    assert words[0].startswith("Leakage goes with the adversarial train - test accuracy (+")
    assert words[0].endswith("No correlation is shown with the clean train - test accuracy.")
    assert len(explanation_table(found)) == 3
    nothing = correlations(joined({"a": sweep(3, points=6, slope=0.0)}))
    nothing = nothing.assign(low=-1.0, high=1.0)
    assert explanation_text(nothing, 1)[0].startswith(
        "No correlation is shown with the clean train - test accuracy and the "
    )
    assert "too few" in explanation_text(correlations(joined({"a": sweep(0, points=2)})), 1)[0]


@pytest.mark.parametrize("points", [2, 12])
def test_the_figure_has_a_panel_for_each(points):
    rows = joined({"a": sweep(0, points=points)})
    found = correlations(rows)
    with style(Figure()):
        drawing = draw_explanation(rows, found)
        drawing.canvas.draw()
    assert sum(axis.get_visible() for axis in drawing.axes) == len(found)
    plt.close(drawing)
