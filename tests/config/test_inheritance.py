"""What a group of settings takes from the groups around it."""

from __future__ import annotations

import copy

import pytest

from robustmia.config.inheritance import inherit, inherit_in_dataset, merge, name_by_key, without_null
from robustmia.config.registry import METHODS, SIGNALS

BALL = {"norm": "l2", "epsilon": 0.5}


def dataset(**more: object) -> dict:
    return {
        "threat_model": BALL,
        "architecture": {"name": "small_cnn", "width": 16, "input_mean": []},
        "training": {"epochs": 60, "optimizer": {"name": "sgd", "learning_rate": 0.1}, "monitor": {"every": 10}},
        "signals": {
            "benign": {},
            "adversarial": {"steps": 20},
            "targeted": {"epsilon": 0.1},
            "verified": {"norm": "linf"},
        },
        "runs": {"natural": {"method": {"name": "natural"}}, "pgd": {"method": {"name": "pgd", "steps": 7}}},
    } | more


def test_whatever_has_a_threat_model_takes_that_of_the_data_set_and_may_say_otherwise():
    full = inherit_in_dataset(dataset())
    assert full["signals"] == {
        "benign": {"name": "benign"},
        "adversarial": {"name": "adversarial", "steps": 20, **BALL},
        "targeted": {"name": "targeted", "norm": "l2", "epsilon": 0.1},
        "verified": {"name": "verified", "norm": "linf", "epsilon": 0.5},
    }
    assert full["training"]["monitor"] == {"every": 10, **BALL}
    assert full["runs"]["natural"] == {"method": {"name": "natural"}}
    assert full["runs"]["pgd"] == {"method": {"name": "pgd", "steps": 7, **BALL}}


def test_an_empty_value_is_inherited():
    full = inherit_in_dataset(dataset(signals={"adversarial": {"epsilon": None, "step_size": None}}))
    assert full["signals"] == {"adversarial": {"name": "adversarial", "step_size": None, **BALL}}


def test_a_run_changes_its_data_sets_network_and_training_key_by_key():
    changes = {
        "method": {"name": "natural"},
        "architecture": {"width": 4},
        "training": {"epochs": 5, "optimizer": {"learning_rate": 0.2}, "monitor": {"epsilon": 0.1}},
    }
    run = inherit_in_dataset(dataset(runs={"a": changes}))["runs"]["a"]
    assert run["architecture"] == {"name": "small_cnn", "width": 4, "input_mean": []}
    assert run["training"] == {
        "epochs": 5,
        "optimizer": {"name": "sgd", "learning_rate": 0.2},
        "monitor": {"every": 10, "norm": "l2", "epsilon": 0.1},
    }


def test_a_run_may_have_no_monitor_and_another_optimizer():
    changes = {"method": {"name": "natural"}, "training": {"monitor": None, "optimizer": {"name": "adam"}}}
    training = inherit_in_dataset(dataset(runs={"a": changes}))["runs"]["a"]["training"]
    assert training == {"epochs": 60, "monitor": None, "optimizer": {"name": "adam"}}


def test_a_run_that_changes_nothing_has_nothing_of_its_own():
    changes = {"method": {"name": "natural"}, "architecture": None, "training": None}
    assert inherit_in_dataset(dataset(runs={"a": changes, "b": None}))["runs"] == {"a": changes}


def test_the_memory_of_verifiers_comes_from_the_resources_of_the_data_set():
    signals = inherit_in_dataset(dataset(resources={"verifier_memory_mib": 64}))["signals"]
    assert {name: signal.get("memory_mib") for name, signal in signals.items()} == dict.fromkeys(signals) | {
        "verified": 64
    }


def test_nothing_that_was_given_is_changed():
    raw = dataset()
    before = copy.deepcopy(raw)
    inherit_in_dataset(raw)
    assert raw == before


@pytest.mark.parametrize("key", ["threat_model", "architecture", "training", "signals", "runs", "resources"])
@pytest.mark.parametrize("wrong", ["text", 3, ["a"], None])
def test_what_is_no_group_is_left_to_the_check(key, wrong):
    assert inherit_in_dataset(dataset(**{key: wrong}))[key] == wrong


@pytest.mark.parametrize("wrong", ["text", 3, ["a"]])
def test_what_is_no_group_inside_is_left_to_the_check(wrong):
    assert inherit_in_dataset(dataset(signals={"adversarial": wrong}))["signals"] == {"adversarial": wrong}
    assert inherit_in_dataset(dataset(runs={"a": wrong}))["runs"] == {"a": wrong}
    assert inherit_in_dataset(dataset(runs={"a": {"method": wrong}}))["runs"] == {"a": {"method": wrong}}
    assert inherit_in_dataset(dataset(training={"monitor": wrong}))["training"] == {"monitor": wrong}


def test_names_that_are_not_known_are_left_to_the_check():
    assert inherit(None, BALL, {"name": "nothing"}) == {"name": "nothing"}
    assert name_by_key({"nothing": {"a": 1}}, SIGNALS, BALL) == {"nothing": {"a": 1, "name": "nothing"}}
    assert inherit_in_dataset(dataset(runs={"a": {"method": {"name": "nothing"}}}))["runs"] == {
        "a": {"method": {"name": "nothing"}}
    }


@pytest.mark.parametrize("name", METHODS)
def test_methods_take_only_what_they_have(name):
    method = inherit(METHODS[name], {"norm": "linf", "epsilon": 0.5, "more": 1}, {"name": name})
    assert set(method) <= {"name", "norm", "epsilon"}
    assert (name in ("natural", "distributional")) == (method == {"name": name})  # these have no ball


def test_merging():
    assert merge({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 4}}) == {"a": 1, "b": {"c": 4, "d": 3}}
    assert merge({"name": "sgd", "rate": 1}, {"name": "sgd"}) == {"name": "sgd", "rate": 1}
    assert merge({"name": "sgd", "rate": 1}, {"name": "adam"}) == {"name": "adam"}
    assert merge({"a": 1}, {"a": None}) == {"a": None}
    assert merge(None, {"a": 1}) == {"a": 1}
    assert merge({"a": 1}, [2]) == [2]


def test_entries_that_are_set_to_null_are_left_out():
    assert without_null({"a": None, "b": {}, "c": 0}) == {"b": {}, "c": 0}
    assert without_null(["a", None]) == ["a", None]
