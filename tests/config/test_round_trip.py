"""Every group of settings comes out of a spec as it went in, and every valid value of it can be used."""

from __future__ import annotations

import json
from typing import Annotated, Any, get_args, get_origin

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticUndefined
from torch import nn

from helpers import small_batch, small_network
from robustmia.config.registry import METHODS, NETWORKS, OPTIMIZERS, SCHEDULES, SIGNALS, SOURCES, classes
from robustmia.methods.base import Progress
from robustmia.models.networks.base import build_network
from robustmia.settings import Settings, chosen, instantiate

REGISTRIES = (SOURCES, METHODS, SIGNALS, NETWORKS, OPTIMIZERS, SCHEDULES)
KINDS = [kind for registry in REGISTRIES for kind in classes(registry)]
NEEDED: dict[str, Any] = {
    "epsilon": 0.1,
    "path": "faces",
    "inverse_gamma": 0.1,
    "learning_rate": 0.1,
    "epochs": (1.0,),
    "factors": (0.5,),
}
LARGEST = {"steps": 3, "restarts": 2, "width": 4, "projections": 5}  # so that a test is quick
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def name_of(kind: type[Settings]) -> str:
    return get_args(kind.model_fields["name"].annotation)[0]


def required(kind: type[Settings]) -> dict[str, Any]:
    """The fields without a default."""
    fields = {key for key, field in kind.model_fields.items() if field.is_required()} - {"name"}
    return {"name": name_of(kind)} | {key: NEEDED[key] for key in fields}


def values_of(key: str, annotation: Any, metadata: tuple[Any, ...] = ()) -> st.SearchStrategy:
    """Values of a field, most of them valid."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return values_of(key, inner, (*metadata, *more))
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return raw_settings(annotation)
    low = max(
        [
            0.0,
            *(bound for part in metadata for name in ("ge", "gt") if (bound := getattr(part, name, None)) is not None),
        ]
    )
    if annotation is int:
        return st.integers(int(low), LARGEST.get(key, 40))
    if annotation is float:
        return st.one_of(
            st.sampled_from([low, 1e-6, 0.003, 0.25, 0.5, 1.0, 3.0]), st.floats(low, 1.0, allow_subnormal=False)
        )
    if annotation is bool:
        return st.booleans()
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)
        if inner[-1] is Ellipsis:
            return st.lists(values_of(key, inner[0]), max_size=3)
        return st.tuples(*(values_of(key, part) for part in inner))
    choices = get_args(annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return st.sampled_from(choices)
    if type(None) in choices:
        return st.one_of(st.none(), *(values_of(key, part, metadata) for part in choices if part is not type(None)))
    return st.sampled_from(["faces", "a/b.zip"])  # a path or a text


def raw_settings(kind: type[Settings]) -> st.SearchStrategy:
    """Settings of a kind as a configuration has them: some given, the others left to their defaults."""
    fields = {
        key: values_of(key, field.annotation, tuple(field.metadata))
        for key, field in kind.model_fields.items()
        if key != "name"
    }
    needed = {key: values for key, values in fields.items() if kind.model_fields[key].is_required()}
    optional = {key: values for key, values in fields.items() if key not in needed}
    named = {"name": st.just(name_of(kind))} if "name" in kind.model_fields else {}
    return st.fixed_dictionaries(needed | named, optional=optional)


def drawn(kind: type[Settings], data: st.DataObject) -> Any:
    """Valid settings of a kind."""
    try:
        return kind(**data.draw(raw_settings(kind)))
    except ValidationError:
        assume(False)


def through_a_spec(group: Settings) -> Any:
    return instantiate(json.loads(json.dumps(chosen(group))))


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_defaults_come_out_of_a_spec_as_they_went_in(kind):
    group = kind(**required(kind))
    assert through_a_spec(group) == group
    assert all(
        field.default is PydanticUndefined or getattr(group, key) == field.default
        for key, field in kind.model_fields.items()
    )


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
@given(data=st.data())
@FEW
def test_valid_values_come_out_of_a_spec_as_they_went_in(kind, data):
    group = drawn(kind, data)
    assert through_a_spec(group) == group


@pytest.mark.parametrize("kind", classes(METHODS), ids=name_of)
@given(data=st.data())
@FEW
def test_every_valid_method_has_a_loss_and_a_gradient(kind, data):
    method, (images, labels) = drawn(kind, data), small_batch(count=3)
    network, generator = small_network(), torch.Generator().manual_seed(0)
    for epoch in (0.0, 0.5, method.warmup_ends):
        step = method.loss(network.train(), images, labels, Progress(epoch, 100), generator)
        step.loss.backward()
    assert step.loss.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("kind", classes(SIGNALS), ids=name_of)
@given(data=st.data())
@FEW
def test_every_valid_signal_has_finite_logits(kind, data):
    signal, (images, labels) = drawn(kind, data), small_batch(count=3)
    network, generator = small_network().eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        logits = signal.for_model(network, images, None).logits(network, images, labels, generator)
    assert logits.isfinite().all()
    assert signal.in_words()


@pytest.mark.parametrize("kind", classes(OPTIMIZERS), ids=name_of)
@given(data=st.data())
@FEW
def test_every_valid_optimizer_makes_a_step(kind, data):
    layer = nn.Linear(2, 1)
    optimizer = drawn(kind, data).build(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("kind", classes(SCHEDULES), ids=name_of)
@given(data=st.data())
@FEW
def test_every_valid_schedule_has_a_factor_at_every_time(kind, data):
    schedule = drawn(kind, data)
    assert all(0.0 <= schedule.factor(epoch, 10) < float("inf") for epoch in (0.0, 0.1, 5.0, 9.99, 10.0))


@pytest.mark.parametrize("kind", classes(NETWORKS), ids=name_of)
@given(data=st.data())
@settings(FEW, max_examples=8)
def test_every_valid_network_has_logits(kind, data):
    network = drawn(kind, data)
    assume(len(network.input_mean) in (0, 1))
    module = build_network(network, (1, 8, 8), 3, seed=0).eval()
    with torch.no_grad():
        assert module(torch.rand(2, 1, 8, 8)).isfinite().all()
