"""Changed outputs: what they do to attackers who know of it, and who do not; and the distance to the boundary."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

from helpers import small_batch, small_network
from robustmia.config.registry import STRATEGIES
from robustmia.inference.attacks.base import load_attacks
from robustmia.inference.over_seeds import measure
from robustmia.inference.scores import log_odds
from robustmia.inference.settings import AttackSettings
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.outputs import draw_outputs
from robustmia.reporting.figures.style import style
from robustmia.reporting.outputs import outputs_text, outputs_text_table
from robustmia.studies.boundary import boundary_distance
from robustmia.studies.outputs import (
    QUANTITIES,
    Seen,
    calibration_error,
    label_only,
    outputs,
    outputs_table,
    probabilities,
    rounded,
)
from robustmia.studies.settings import OF_OUTPUTS
from synthetic import ShadowedSignals, evaluated

WAYS = outputs(temperatures=[3.0], decimals=[2])


def attacks() -> list:
    return load_attacks([STRATEGIES[name] for name in OF_OUTPUTS], AttackSettings())


def seen(shadows: bool = True) -> Seen:
    drawn = ShadowedSignals.draw({"benign": 0.3, "adversarial": 0.9})
    distances = np.abs(
        log_odds(
            np.concatenate([drawn.target["benign"].members, drawn.target["benign"].nonmembers]), drawn.records.labels
        )
    )
    return Seen(np.arange(600), drawn.target, distances, drawn.shadows if shadows else None)


def numbers(output: int, aware: bool) -> dict[str, float]:
    found = seen().attacked(WAYS[output], aware, attacks())
    there = [*found.attacks, *found.thresholded]
    return {
        name: measure(found, key).value for name, key in QUANTITIES.items() if "/".join(filter(None, key[:3])) in there
    }


def test_unchanged_outputs_are_attacked_as_ever():
    drawn = ShadowedSignals.draw({"benign": 0.3, "adversarial": 0.9})
    _, expected = evaluated(drawn.target, shadows=drawn.shadows)
    for name, value in numbers(0, aware=False).items():
        if not name.startswith("distance"):
            assert value == measure(expected, QUANTITIES[name]).value, name
    assert numbers(0, aware=True) == numbers(0, aware=False)


def test_a_temperature_is_nothing_to_an_attacker_who_knows_it():
    assert numbers(1, aware=True) == numbers(0, aware=True)


def test_a_temperature_keeps_answers_and_the_order_of_margins():
    """And so the ROC curve of an attack on margins, whether or not it is known; the log odds of two classes, too."""
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(500, 5)), random.integers(5, size=500)
    cooled = WAYS[1].apply(logits)
    margins = [
        z[np.arange(500), labels] - np.where(np.eye(5)[labels], -np.inf, z).max(axis=1) for z in (logits, cooled)
    ]
    np.testing.assert_array_equal(*(np.argsort(margin, kind="stable") for margin in margins))
    np.testing.assert_array_equal(logits.argmax(1), cooled.argmax(1))
    two = [log_odds(z[:, :2].astype(np.float32), labels % 2) for z in (logits, cooled)]
    assert (np.argsort(two[0], kind="stable") == np.argsort(two[1], kind="stable")).mean() > 0.99


def test_a_temperature_misleads_thresholds_of_unchanged_shadow_models():
    """Which a temperature of 3 moves to where few records are."""
    unaware, unchanged = numbers(1, aware=False), numbers(0, aware=False)
    name = "adversarial inputs, shadow threshold"
    assert unaware[name] < unchanged[name] - 0.02


def test_probabilities_are_rounded():
    logits = np.log([[0.704, 0.292, 0.004], [0.9996, 0.0003, 0.0001]])
    np.testing.assert_allclose(np.exp(rounded(logits, 2)), [[0.70, 0.29, 0.005], [1.0, 0.005, 0.005]])
    np.testing.assert_allclose(probabilities(logits).sum(axis=1), 1.0)


def test_of_the_label_only_the_likeliest_class_is_left():
    logits = np.random.default_rng(0).normal(size=(20, 4, 3))
    only = label_only(logits)
    assert (only.argmax(-1) == logits.argmax(-1)).all()
    assert np.unique(only).tolist() == [-10.0, 0.0]
    found = seen().attacked(WAYS[-1], True, attacks())
    assert list(found.attacks) == ["benign/correctness", "adversarial/correctness", "boundary/distance"]


@pytest.mark.parametrize(("confidence", "correct", "error"), [(0.8, 0.8, 0.0), (0.9, 0.6, 0.3), (0.55, 1.0, 0.45)])
def test_the_calibration_error_is_that_of_one_bin(confidence, correct, error):
    logits = np.log(np.tile([confidence, 1 - confidence], (100, 1)))
    labels = (np.arange(100) >= round(100 * correct)).astype(int)
    assert calibration_error(logits, labels) == pytest.approx(error, abs=1e-9)


def test_the_calibration_error_sums_over_bins():
    random = np.random.default_rng(0)
    logits, labels = 2 * random.normal(size=(400, 3)), random.integers(3, size=400)
    p = probabilities(logits)
    confidence, right = p.max(1), p.argmax(1) == labels
    edges = np.linspace(0, 1, 16)
    expected = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    assert calibration_error(logits, labels) == pytest.approx(expected)


@pytest.mark.parametrize("shadows", [True, False])
def test_the_table_words_and_figure_have_every_way(shadows):
    table = outputs_table({"natural": [seen(shadows)] * 2, "pgd": [seen(shadows)] * 2}, WAYS, attacks(), 600)
    assert set(table.output) == {way.name for way in WAYS}
    assert ("adversarial inputs, RMIA AUC" in set(table.quantity)) == shadows
    assert table[(table.output == "unchanged")].difference.isna().all()
    text = outputs_text_table(table)
    assert len(text) == 2 * len(WAYS)
    assert ("shadow threshold" in text) == shadows
    words = " ".join(outputs_text(table))
    assert "A temperature. Against an attacker who does not know of it:" in words
    assert ("weaker thresholds from shadow models on natural with temperature 3" in words) == shadows
    assert "the distance to the boundary" in words
    with style(Figure()):
        drawing = draw_outputs(table)
        drawing.canvas.draw()
    assert [label.get_text() for label in drawing.axes[0].get_yticklabels()] == [way.name for way in WAYS]
    assert len(drawing.axes) == (5 if shadows else 3)
    plt.close(drawing)


# ---------------------------------------------------------------- the distance to the boundary


@pytest.mark.parametrize(("norm", "factor"), [("linf", 1.0), ("l2", 3.0**0.5)])
def test_of_a_linear_network_the_distance_is_the_margin_over_the_dual_norm(norm, factor):
    """The margin is the sum of three pixels less 1.5: it goes to the next radius that is tried, and what is farther to the one after the last."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
        model[1].bias.copy_(torch.tensor([-1.5, 0.0]))
    brighter = torch.tensor([0.055, 0.125, 0.4])
    images = (0.5 + brighter).view(3, 1, 1, 1).expand(3, 1, 1, 3)
    search = {"norm": norm, "farthest": 0.35, "radii": 35, "steps": 10}
    found = boundary_distance(model, images, torch.zeros(3, dtype=torch.long), **search)
    expected = [0.01 * np.ceil(100 * factor * float(far)) for far in brighter[:2]] + [0.36]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_records_that_are_classified_wrongly_have_distance_0():
    model, (images, labels) = small_network(), small_batch(count=16)
    with torch.no_grad():
        wrong = model(images).argmax(1) != labels
    found = boundary_distance(model, images, labels, norm="linf", farthest=0.2, radii=4, steps=3)
    assert wrong.any()
    assert ((found == 0) == wrong).all()
    places = found[~wrong] / 0.05
    torch.testing.assert_close(places, places.round())
    assert places.min() >= 1
    assert places.max() <= 5
