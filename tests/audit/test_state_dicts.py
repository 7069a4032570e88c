"""Weights as people save them: found where they are, adapted where that is unambiguous, and refused where it is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from helpers import refused
from robustmia.audit.state_dicts import fit_weights


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


NEEDED = network().state_dict()
STATE = network(1).state_dict()


def prefixed(prefix: str, state: dict[str, Any] = STATE) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in state.items()}


SAVED: dict[str, tuple[Any, str, str]] = {
    "as it is": (STATE, "", ""),
    "under state_dict": ({"state_dict": STATE, "epoch": 3}, "state_dict", ""),
    "under model_state_dict": (
        {"model_state_dict": STATE, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}},
        "model_state_dict",
        "",
    ),
    "deep inside": ({"checkpoint": {"net": STATE}}, "checkpoint.net", ""),
    "of DataParallel": (prefixed("module."), "", "module."),
    "of torch.compile": (prefixed("_orig_mod."), "", "_orig_mod."),
    "stacked": ({"model": prefixed("module._orig_mod.model.")}, "model", "module._orig_mod.model."),
    "of a trainer, beside its other parts": (
        prefixed("module.model.") | {"module.normalizer.mean": torch.zeros(3), "module.loss.weight": torch.ones(2)},
        "",
        "module.model.",
    ),
    "of an attacker, too": (prefixed("module.model.") | prefixed("module.attacker.model."), "", "module.model."),
    "with the counters of a profiler": (
        STATE | {"total_ops": torch.zeros(1), "3.total_params": torch.zeros(1)},
        "",
        "",
    ),
    "without the counters of batch normalisation": (
        {name: value for name, value in STATE.items() if not name.endswith("num_batches_tracked")},
        "",
        "",
    ),
    "twice the same": ({"model": STATE, "ema": dict(STATE)}, "model", ""),
    "in half precision": (
        {name: value.half() if value.is_floating_point() else value for name, value in STATE.items()},
        "",
        "",
    ),
}


@pytest.mark.parametrize("case", SAVED)
def test_weights_are_found_and_adapted(case):
    state, key, prefix = SAVED[case]
    fit = fit_weights(state, NEEDED)
    assert (fit.key, fit.prefix) == (key, prefix)
    assert bool(fit.in_words) == bool(key or prefix)
    model = network()
    model.load_state_dict(fit.weights)
    for name, value in STATE.items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(model.state_dict()[name], value, atol=1e-3, rtol=1e-3)


def test_a_network_whose_own_names_begin_like_a_prefix_is_taken_as_it_is():
    wrapped = nn.Sequential()
    wrapped.add_module("module", network())
    state = {f"module.{name}": value for name, value in STATE.items()}
    assert fit_weights(state, wrapped.state_dict()).prefix == ""
    assert fit_weights(prefixed("module.", state), wrapped.state_dict()).prefix == "module."


REFUSED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "no dictionary": ([1, 2], ("not a state dict",)),
    "no tensor": ({"state_dict": {"a": 1}}, ("not a state dict",)),
    "two models": ({"model": STATE, "ema": network(2).state_dict()}, ("model", "ema")),
    "a larger network": (STATE | {"4.weight": torch.ones(3, 3)}, ("0.weight", "entries")),
    "a part of a larger network": (prefixed("a.") | {"a.extra.weight": torch.ones(2)}, ("a.0.weight", "0.weight")),
    "another shape": (STATE | {"3.weight": torch.ones(5, 8)}, ("3.weight", "[5, 8]", "[3, 8]")),
    "a weight missing": ({name: value for name, value in STATE.items() if name != "3.bias"}, ("0.weight",)),
    "another network": ({"conv1.weight": torch.ones(1), "fc.bias": torch.ones(1)}, ("conv1.weight", "0.weight")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_the_names_of_both_sides(case):
    state, named = REFUSED[case]
    with refused(*named):
        fit_weights(state, NEEDED)
