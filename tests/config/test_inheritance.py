"""What a group of settings takes from the groups around it."""

from __future__ import annotations

from robustmia.config.inheritance import inherit_in_dataset

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
