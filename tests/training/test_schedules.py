"""The learning rate over time."""

from __future__ import annotations

import numpy as np
import pytest

from robustmia.training.schedules import Constant, Cosine, OneCycle, Piecewise
from training_helpers import tiny_spec, trainer


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Constant(name="constant"), [1, 1, 1, 1]),
        (Piecewise(name="piecewise", epochs=[2.5, 7.5], factors=[0.1, 0.01]), [1, 0.1, 0.1, 0.01]),
        (Cosine(name="cosine"), [1, 0.853553, 0.5, 0.146447]),
        (OneCycle(name="one_cycle", start=0.2, peak=0.5), [0.2, 0.6, 1.0, 0.5]),
    ],
)
def test_schedules(schedule, expected):
    factors = [schedule.factor(epoch, epochs=10) for epoch in (0, 2.5, 5, 7.5)]
    assert factors == pytest.approx(expected, abs=1e-6)


def test_the_learning_rate_of_the_schedule_is_the_optimizers(tmp_path):
    settings = {"schedule": {"name": "piecewise", "epochs": [2], "factors": [0.1]}}
    _, history = trainer(tiny_spec("natural", **settings), tmp_path / "c.pt").run()
    assert history.learning_rate.tolist() == pytest.approx([0.05, 0.05, 0.005, 0.005])


def test_a_schedule_moves_with_every_step(tmp_path):
    """The last of an epoch's four steps stands three quarters into it."""
    _, history = trainer(tiny_spec("natural", schedule={"name": "cosine"}), tmp_path / "c.pt").run()
    expected = [0.05 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in (0.75, 1.75, 2.75, 3.75)]
    assert history.learning_rate.tolist() == pytest.approx(expected)
