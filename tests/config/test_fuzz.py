"""Random mistakes in the configuration, a few hundred of them; `make fuzz` looks at as many as there is time for."""

from __future__ import annotations

import random

import fuzz
import pytest


def test_random_mistakes_are_planned_or_refused_in_clear_lines():
    found = list(fuzz.faults(seed=0, seconds=15, most=400))
    assert not found, "\n".join(problem for problem, _ in found[:5])


def test_the_fuzz_sees_a_fault(monkeypatch):
    def broken(raw):
        raise KeyError(len(raw))

    monkeypatch.setattr(fuzz, "read_config", broken)
    problem, _ = next(fuzz.faults(seed=0, seconds=15))
    assert problem.startswith("KeyError")


@pytest.mark.parametrize("seed", range(3))
def test_a_mutation_changes_the_copy_alone(seed):
    raw = {"a": {"b": [1, 2]}, "c": 3}
    fuzz.mutated(raw, random.Random(seed))
    assert raw == {"a": {"b": [1, 2]}, "c": 3}
