"""Bounds checked against attacks when a model is evaluated: what must stop the pipeline, and what must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robustmia.inference.soundness import SoundnessError, require_sound
from synthetic import Bounded

MODEL = Bounded.draw()
ADVERSARIAL, SIGNALS, verified = MODEL.adversarial, MODEL.signals, MODEL.verified


def require(name, bounds, signals, in_ball):
    """`require_sound` of records that are named after their places on their side."""
    names = np.concatenate([np.arange(len(side)).astype(str) for side in (bounds.members, bounds.nonmembers)])
    require_sound(name, bounds, signals, in_ball, names)


def test_bounds_that_hold_pass_even_by_a_rounding_error():
    require("t", verified(), SIGNALS, SIGNALS)
    require("t", verified(slack=-1e-5), SIGNALS, SIGNALS)


@pytest.mark.parametrize(("side", "name"), [("members", "member"), ("nonmembers", "non-member")])
@pytest.mark.parametrize("signal", ["benign", "adversarial"])
def test_a_certified_record_that_is_misclassified_is_named(side, name, signal):
    """Record 7, of class 1, certified with a bound of -0.00001 and misclassified by a hair: within rounding, and still an error."""
    bounds, other = verified(), SIGNALS[signal]
    upper, z = getattr(bounds, side).copy(), getattr(other, side).copy()
    upper[7] = [-1e-5, 0.0, -3.0]
    z[7] = [5.0, 5.0, 0.0]
    signals = {signal: replace(other, **{side: z})}
    with pytest.raises(SoundnessError) as raised:
        require("d/r/seed4", replace(bounds, **{side: upper}), signals, signals)
    message = str(raised.value)
    for named in (f"d/r/seed4: {name} 7 ", "class 1", signal, "class 0", "-1e-05", "(1 "):
        assert named in message


def test_a_margin_above_its_bound_is_an_error_though_nothing_was_certified():
    bounds = verified()
    upper = bounds.members.copy()
    upper[3] = [0.0, 40.0, 0.5]  # class 0: not certified
    z = ADVERSARIAL.members.copy()
    z[3] = [1.0, 1.0, 2.0]
    signals = {"adversarial": replace(ADVERSARIAL, members=z)}
    with pytest.raises(SoundnessError) as raised:
        require("t", replace(bounds, members=upper), signals, ["adversarial"])
    for named in ("t: member 3 ", "class 0", "adversarial", "class 2"):
        assert named in str(raised.value)


# ---------------------------------------------------------------- the targeted signal, an image for each class


def test_targeted_images_that_stay_under_their_bounds_pass():
    require("t", verified(), {"targeted": MODEL.targeted()}, ["targeted"])


@pytest.mark.parametrize(("side", "name"), [("members", "member"), ("nonmembers", "non-member")])
@pytest.mark.parametrize("image", [0, 1, 2])
def test_one_targeted_image_above_its_bound_is_found_and_its_record_named(side, name, image):
    """Record 7, of class 1, whose image towards one class alone puts class 2 ahead by more than its bound allows."""
    bounds, targeted = verified(), MODEL.targeted()
    upper, z = getattr(bounds, side).copy(), getattr(targeted, side).copy()
    upper[7], z[7] = [1.0, 0.0, 1.0], [0.0, 4.0, 0.0]
    z[7, image] = [0.0, 1.0, 3.0]
    signals = {"targeted": replace(targeted, **{side: z})}
    with pytest.raises(SoundnessError) as raised:
        require("d/r/seed4", replace(bounds, **{side: upper}), signals, ["targeted"])
    for named in (f"d/r/seed4: {name} 7 ", "class 1", "targeted", "class 2", "(1 "):
        assert named in str(raised.value)
    require("d/r/seed4", replace(bounds, **{side: upper}), signals, [])  # it is not in the verified ball


def test_one_targeted_image_of_a_certified_record_that_is_misclassified_is_found():
    """By a hair: within rounding of its bound, and still an error."""
    bounds, targeted = verified(), MODEL.targeted()
    upper, z = bounds.members.copy(), targeted.members.copy()
    upper[11], z[11] = [-1e-5, -3.0, 0.0], [0.0, 0.0, 5.0]
    z[11, 0] = [5.0, 0.0, 5.0]
    with pytest.raises(SoundnessError) as raised:
        require("t", replace(bounds, members=upper), {"targeted": replace(targeted, members=z)}, ["targeted"])
    for named in ("t: member 11 ", "class 2", "targeted", "class 0"):
        assert named in str(raised.value)


def test_every_broken_targeted_image_is_counted():
    targeted = MODEL.targeted()
    z = targeted.nonmembers.copy()
    z[4] = [-50.0, -50.0, 50.0]  # class 1, all three images
    with pytest.raises(SoundnessError) as raised:
        require("t", verified(), {"targeted": replace(targeted, nonmembers=z)}, ["targeted"])
    assert "non-member 4 " in str(raised.value)
    assert "(3 " in str(raised.value)
