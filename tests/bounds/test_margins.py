"""`bound_margins`, the door for other projects."""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path

import pytest
import torch
from torch import nn

import robustmia.bounds
from bound_networks import batch, network
from robustmia.bounds import bound_margins
from robustmia.bounds.interval import Interval, interval_bounds, margins_of
from robustmia.bounds.margins import ROUNDING
from robustmia.bounds.verifiers import VERIFIERS


def test_auto_is_the_lowest_bound_of_what_the_budget_affords():
    model, (images, labels) = network("convolutional", 41), batch(41)
    by_name = {name: bound_margins(model, images, labels, 0.05, verifier=name) for name in VERIFIERS}
    whole = bound_margins(model, images, labels, 0.05, budget=1e9)
    torch.testing.assert_close(whole, torch.stack([by_name[n] for n in by_name if n != "dual"]).amin(0))
    torch.testing.assert_close(bound_margins(model, images, labels, 0.05, budget=1e-9), by_name["interval"])


def test_float64_bounds_are_the_verifiers_own():
    model, (images, labels) = network("dense", 42), batch(42)
    ball = Interval.around(images, 0.05, clip_pixels=False)
    expected = VERIFIERS["crown"](model, ball, labels).detach()
    found = bound_margins(model, images, labels, 0.05, verifier="crown", clip_pixels=False)
    torch.testing.assert_close(found, expected)
    assert (found[torch.arange(3), labels] == 0).all()
    assert not found.requires_grad


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_float32_bounds_hold_in_spite_of_rounding(verifier):
    """They are above the margins in float64 at a radius of 0, where the bounds themselves leave no room."""
    model, (images, labels) = network("residual", 43), batch(43)
    with torch.no_grad():
        exact = margins_of(model(images), labels)
    found = bound_margins(model.float(), images.float(), labels, 0.0, verifier=verifier)
    others = torch.ones_like(found, dtype=torch.bool).scatter(1, labels[:, None], False)
    assert found.dtype == torch.float32
    assert (found.double() > exact)[others].all()
    torch.testing.assert_close(
        found.double(), exact, rtol=0, atol=4 * ROUNDING * torch.finfo(torch.float32).eps * float(exact.abs().max())
    )


def test_bounds_that_overflow_verify_nothing_and_stay_numbers():
    model, (images, labels) = network("dense", 44), batch(44)
    for layer in model:
        if isinstance(layer, nn.Linear):
            layer.weight.data *= 1e30
    found = bound_margins(model.float(), images.float(), labels, 0.1, budget=1e9)
    assert found.isfinite().all()
    assert (found.argmax(1) != labels).all()


def test_it_leaves_the_network_as_it_was():
    model, (images, labels) = network("pooled", 45).train(), batch(45)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bound_margins(model, images, labels, 0.1)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_quick_start_of_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "bounds.md").read_text()
    (snippet,) = re.findall(r"(?ms)^```py\n(.*?bound_margins.*?)^```$", page)
    model, (images, labels) = network("dense", 47), batch(47)
    found = {"network": model, "images": images, "labels": labels}
    exec(snippet, found)
    assert found["verified"].shape == (3,)
    assert (found["tightest"] <= found["bounds"] + 1e-12).all()
    assert ((found["confidence"] > 0) & (found["confidence"] < 1)).all()


def test_the_package_has_this_door_alone():
    with pytest.raises(AttributeError, match="bound_margin"):
        attrgetter("bound_margin")(robustmia.bounds)


def test_a_looser_verifier_is_never_below_what_it_bounds():
    model, (images, labels) = network("smooth", 46), batch(46)
    loose = interval_bounds(model, Interval.around(images, 0.1, clip_pixels=True), labels)
    assert (bound_margins(model, images, labels, 0.1) <= loose + 1e-12).all()
