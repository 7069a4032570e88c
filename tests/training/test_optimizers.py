"""The optimisers with the settings given."""

from __future__ import annotations

import pytest

from training_helpers import tiny_spec, trainer


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (
            {"name": "sgd", "learning_rate": 0.1, "momentum": 0.7, "weight_decay": 0.02},
            {"momentum": 0.7, "weight_decay": 0.02},
        ),
        ({"name": "adam", "learning_rate": 0.1, "weight_decay": 0.03}, {"betas": (0.9, 0.999), "weight_decay": 0.03}),
    ],
)
def test_the_optimizer_has_the_settings_given(tmp_path, optimizer, expected):
    training = trainer(tiny_spec("natural", optimizer=optimizer), tmp_path / "c.pt")
    group = training.optimizer.param_groups[0]
    assert {key: group[key] for key in expected} == expected
    assert type(training.optimizer).__name__.lower() == optimizer["name"]
