"""The one schedule of epsilon against the four that it replaced, and settings that survive the way to a job."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from helpers import refused, small_batch, small_network
from robustmia.config.registry import METHODS, classes
from robustmia.methods.abstract_interpretation import AbstractInterpretation
from robustmia.methods.base import BallMethod, EpsilonSchedule, Method, Progress
from robustmia.methods.duality import Duality
from robustmia.methods.ibp import IBP
from robustmia.methods.pgd import PGD
from robustmia.settings import chosen, instantiate

BY_NAME: dict[str, type[Method]] = dict(zip(METHODS, classes(METHODS), strict=True))
BALL_METHODS = [name for name, method in BY_NAME.items() if issubclass(method, BallMethod)]
REQUIRED = {"epsilon": 0.1, "inverse_gamma": 0.05}
EPOCHS = [step / 8 for step in range(8 * 100)]


def method_of(name: str, **given: Any) -> Method:
    """With the values of REQUIRED where a method has no defaults."""
    fields = BY_NAME[name].model_fields
    required = {key: value for key, value in REQUIRED.items() if key in fields and fields[key].is_required()}
    return BY_NAME[name](name=name, **(required | given))


def radii(method: BallMethod, epochs: list[float]) -> list[float]:
    return [method.epsilon_at(epoch) for epoch in epochs]


# ---------------------------------------------------------------- the four old spellings


def old_warmup(epsilon: float, epsilon_warmup_epochs: float, epoch: float) -> float:
    """Of pgd."""
    return epsilon * (min(1.0, epoch / epsilon_warmup_epochs) if epsilon_warmup_epochs else 1.0)


def old_ramp(epsilon: float, start: float, length: float, epoch: float) -> float:
    """Of ibp and abstract_interpretation."""
    if epoch < start:
        return 0.0
    return epsilon * (min(1.0, (epoch - start) / length) if length else 1.0)


def old_rise(epsilon: float, starting_epsilon: float, rise_epochs: int, epoch: float) -> float:
    """Of duality."""
    risen = min(1.0, int(epoch) / (rise_epochs - 1)) if rise_epochs > 1 else 1.0
    return starting_epsilon + risen * (epsilon - starting_epsilon)


@pytest.mark.parametrize("warmup", [0.0, 0.3, 4.0, 10.0])
def test_the_schedule_gives_the_radii_of_pgds_warm_up(warmup):
    method = PGD(name="pgd", epsilon=0.3, epsilon_schedule=EpsilonSchedule(rise_epochs=warmup))
    assert radii(method, EPOCHS) == pytest.approx([old_warmup(0.3, warmup, epoch) for epoch in EPOCHS], abs=1e-15)
    assert method.warmup_ends == warmup


@pytest.mark.parametrize(("name", "method"), [("ibp", IBP), ("abstract_interpretation", AbstractInterpretation)])
@pytest.mark.parametrize(("start", "length"), [(0.0, 0.0), (2.0, 4.0), (3.5, 0.0), (0.0, 7.5), (11.25, 60.5)])
def test_the_schedule_gives_the_radii_of_ramps(name, method, start, length):
    made = method(name=name, epsilon=0.2, epsilon_schedule=EpsilonSchedule(start_epoch=start, rise_epochs=length))
    assert radii(made, EPOCHS) == pytest.approx([old_ramp(0.2, start, length, epoch) for epoch in EPOCHS], abs=1e-15)
    assert made.warmup_ends == start + length


def test_clean_epochs_are_those_of_the_old_warm_up():
    """abstract_interpretation's radius may begin to rise in them, and the later of both ends counts."""
    schedule = EpsilonSchedule(start_epoch=1.0, rise_epochs=4.0)
    early, late = (
        AbstractInterpretation(
            name="abstract_interpretation", epsilon=0.2, clean_epochs=epochs, epsilon_schedule=schedule
        )
        for epochs in (3.0, 9.0)
    )
    assert radii(early, EPOCHS) == radii(late, EPOCHS)
    assert (early.warmup_ends, late.warmup_ends) == (5.0, 9.0)


@pytest.mark.parametrize(("starting", "rise"), [(0.0001, 80), (0.0, 2), (0.01, 9), (0.06275, 5)])
def test_the_schedule_gives_the_radii_of_dualitys_rise(starting, rise):
    schedule = EpsilonSchedule(initial_epsilon=starting, rise_epochs=rise - 1, update="epoch")
    method = Duality(name="duality", epsilon=0.06275, epsilon_schedule=schedule)
    expected = [old_rise(0.06275, starting, rise, epoch) for epoch in EPOCHS]
    assert radii(method, EPOCHS) == pytest.approx(expected, rel=1e-12)
    assert method.warmup_ends == rise - 1


def test_dualitys_radius_takes_equally_spaced_values_one_for_each_epoch():
    """Of the paper's Yale model: 80 values from 0.0001 to 0.06275, then 0.06275."""
    schedule = EpsilonSchedule(initial_epsilon=0.0001, rise_epochs=79, update="epoch")
    method = Duality(name="duality", epsilon=0.06275, epsilon_schedule=schedule)
    values = [method.epsilon_at(epoch) for epoch in range(100)]
    assert values[:80] == pytest.approx(torch.linspace(0.0001, 0.06275, 80, dtype=torch.float64).tolist())
    assert set(values[80:]) == {0.06275}
    assert method.epsilon_at(12.9) == method.epsilon_at(12.0)
    assert Duality(name="duality", epsilon=0.1).epsilon_at(0.0) == 0.1


def test_dualitys_loss_is_that_of_the_radius_in_force():
    model, (images, labels) = small_network(), small_batch()
    schedule = EpsilonSchedule(initial_epsilon=0.02, rise_epochs=4, update="epoch")
    rising = Duality(name="duality", epsilon=0.1, projections=None, epsilon_schedule=schedule)
    constant = Duality(name="duality", epsilon=0.04, projections=None)
    progress, generator = Progress(1.7, 10), torch.Generator()
    torch.testing.assert_close(
        rising.loss(model, images, labels, progress, generator).loss,
        constant.loss(model, images, labels, progress, generator).loss,
    )


# ---------------------------------------------------------------- the schedule, for every method with an epsilon


def test_the_methods_with_an_epsilon_are_those_with_a_schedule():
    assert [name for name, method in BY_NAME.items() if "epsilon" in method.model_fields] == BALL_METHODS
    assert [name for name, method in BY_NAME.items() if "epsilon_schedule" in method.model_fields] == BALL_METHODS
    assert set(BALL_METHODS) == {"pgd", "trades", "duality", "abstract_interpretation", "ibp"}


@pytest.mark.parametrize("name", BALL_METHODS)
@pytest.mark.parametrize("update", ["step", "epoch"])
def test_every_method_rises_by_the_same_schedule(name, update):
    schedule = EpsilonSchedule(start_epoch=2.0, rise_epochs=4.0, initial_epsilon=0.1, update=update)
    method = method_of(name, epsilon=0.3, epsilon_schedule=schedule)
    epochs = [0.0, 1.99, 2.0, 3.0, 3.5, 5.99, 6.0, 50.0]
    expected = {
        "step": [0.1, 0.1, 0.1, 0.15, 0.175, 0.2995, 0.3, 0.3],
        "epoch": [0.1, 0.1, 0.1, 0.15, 0.15, 0.25, 0.3, 0.3],
    }[update]
    assert radii(method, epochs) == pytest.approx(expected)
    assert method.warmup_ends == 6.0


@pytest.mark.parametrize("name", BALL_METHODS)
def test_every_method_begins_at_its_full_radius_without_a_schedule(name):
    method = method_of(name, epsilon=0.3)
    assert set(radii(method, EPOCHS)) == {0.3}
    assert method.warmup_ends == 0.0


def test_a_schedule_rises_once():
    schedule = EpsilonSchedule(start_epoch=2.0, rise_epochs=4.0)
    fractions = [schedule.fraction(epoch) for epoch in (0, 1.99, 2, 3, 5.5, 6, 50)]
    assert fractions == pytest.approx([0, 0, 0, 0.25, 0.875, 1, 1])
    assert [EpsilonSchedule(start_epoch=1.0).fraction(epoch) for epoch in (0.5, 1.0)] == [0.0, 1.0]


SCHEDULES = st.builds(
    EpsilonSchedule,
    start_epoch=st.floats(0, 30),
    rise_epochs=st.floats(0.01, 30),
    initial_epsilon=st.floats(0, 0.1),
    update=st.sampled_from(["step", "epoch"]),
) | st.builds(EpsilonSchedule, start_epoch=st.floats(0, 30), update=st.sampled_from(["step", "epoch"]))


@settings(deadline=None, derandomize=True)
@given(schedule=SCHEDULES, name=st.sampled_from(BALL_METHODS), times=st.lists(st.floats(0, 80), min_size=2))
def test_a_radius_never_falls_and_is_full_once_the_warm_up_ends(schedule, name, times):
    method = method_of(name, epsilon=0.1, epsilon_schedule=schedule)
    values = radii(method, sorted(times))
    assert all(earlier <= later for earlier, later in pairwise(values))
    assert all(schedule.initial_epsilon <= value <= 0.1 + 1e-15 for value in values)
    ends = method.warmup_ends
    assert radii(method, [ends + 1e-9, ends + 1, 1000.0]) == pytest.approx([0.1] * 3, rel=1e-6)
    assert method.epsilon_at(0.0) == pytest.approx(schedule.initial_epsilon) or not schedule.start_epoch
    if schedule.update == "epoch":
        assert values == radii(method, [float(math.floor(epoch)) for epoch in sorted(times)])


def test_a_start_that_would_have_no_effect_is_refused():
    with refused("initial_epsilon", "rise_epochs", error=ValidationError):
        EpsilonSchedule(initial_epsilon=0.01)


@pytest.mark.parametrize("name", BALL_METHODS)
def test_a_radius_that_would_fall_is_refused(name):
    with refused("initial_epsilon", "epsilon", error=ValidationError):
        method_of(name, epsilon=0.1, epsilon_schedule=EpsilonSchedule(initial_epsilon=0.2, rise_epochs=3))


@pytest.mark.parametrize(
    ("key", "value"),
    [("start_epoch", -1.0), ("rise_epochs", -1.0), ("initial_epsilon", -0.1), ("update", "batch"), ("length", 1.0)],
)
def test_a_schedule_that_means_nothing_names_its_key(key, value):
    with refused(key, error=ValidationError):
        EpsilonSchedule(**{key: value})


# ---------------------------------------------------------------- the way to a job


POSITIVE, WHOLE = st.floats(1e-6, 1e3), st.integers(1, 500)
VALUES: dict[str, st.SearchStrategy] = {
    "epsilon": st.floats(0.1, 1),
    "steps": WHOLE,
    "step_size": st.none() | st.floats(1e-6, 1),
    "random_start": st.booleans(),
    "adversarial_fraction": st.floats(0, 1),
    "beta": st.floats(0, 100),
    "detach_clean": st.booleans(),
    "inverse_gamma": POSITIVE,
    "clip_pixels": st.booleans(),
    "projections": st.none() | WHOLE,
    "clean_epochs": st.floats(0, 100),
    "verified_weight": st.floats(0, 100),
    "weight_rises": st.booleans(),
    "nominal_weight": st.floats(0, 1),
    "label_smoothing": st.floats(0, 1),
    "weight_perturbation": st.floats(0, 1),
    "loss_variance": st.floats(0, 10),
    "epsilon_schedule": SCHEDULES,
}


def as_a_job_gets_it(method: Method) -> Method:
    """Through the text of a specification."""
    return instantiate(json.loads(json.dumps(chosen(method))))


def random_methods(name: str) -> st.SearchStrategy[Method]:
    fields = BY_NAME[name].model_fields
    norms = ["linf", "l2"] if name in ("pgd", "trades") else ["linf"]
    values = VALUES | {"norm": st.sampled_from(norms)}
    assert set(fields) - {"name"} <= set(values)
    drawn = {key: values[key] for key in fields if key != "name"}
    needed = {key: value for key, value in drawn.items() if key in REQUIRED}
    given_keys = st.fixed_dictionaries(
        needed, optional={key: value for key, value in drawn.items() if key not in needed}
    )
    return given_keys.map(lambda given: BY_NAME[name](name=name, **given))


@pytest.mark.parametrize("name", METHODS)
def test_defaults_survive_the_way_to_a_job(name):
    method = method_of(name)
    again = as_a_job_gets_it(method)
    assert type(again) is BY_NAME[name]
    assert again == method


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_settings_survive_the_way_to_a_job(name, data):
    method = data.draw(random_methods(name))
    again = as_a_job_gets_it(method)
    assert again == method
    assert chosen(again) == chosen(method)
    assert (again.warmup_ends, again.verifier, again.batchable) == (
        method.warmup_ends,
        method.verifier,
        method.batchable,
    )
    if isinstance(method, BallMethod):
        assert radii(again, EPOCHS[::5]) == radii(method, EPOCHS[::5])
