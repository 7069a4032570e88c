"""Bounds checked against attacks: no attack in the verified ball may do what the bounds rule out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from robustmia.files.signals import SignalLogits

ROUNDING = (
    1e-4  # of the largest logit: far above float32's error in a forward pass, far below what a wrong bound gives away
)


class SoundnessError(Exception):
    """A bound is wrong, or it was computed for another model or ball: a defect of the project, not of the user's settings."""


def require_sound(
    name: str, bounds: SignalLogits, signals: dict[str, SignalLogits], in_ball: Iterable[str], records: np.ndarray
) -> None:
    """Check bounds against the logits of other signals of the same records.

    Args:
        name: of the target model, for the message.
        bounds: upper bounds of z_k - z_y over the verified ball.
        signals: logits by signal, [N, K]; of `targeted` [N, K, K], an image for each class.
        in_ball: the signals whose images all lie in the verified ball.
        records: names of the members, then of the non-members, str [n].

    Raises:
        SoundnessError: a record that the bounds certify is misclassified, or a margin is above its bound by more than rounding.
    """
    for signal in in_ball:
        logits = signals[signal]
        sides = (
            ("member", bounds.members, logits.members, bounds.member_labels, records[: len(bounds.members)]),
            (
                "non-member",
                bounds.nonmembers,
                logits.nonmembers,
                bounds.nonmember_labels,
                records[len(bounds.members) :],
            ),
        )
        for side, upper, z, labels, named in sides:
            images = z.shape[1] if z.ndim == 3 else 1
            repeated = (np.repeat(upper, images, axis=0), z.reshape(-1, z.shape[-1]), np.repeat(labels, images))
            _require_side(f"{name}: {side}", *repeated, signal, np.repeat(named, images))


def _require_side(
    name: str, bounds: np.ndarray, logits: np.ndarray, labels: np.ndarray, signal: str, records: np.ndarray
) -> None:
    margins = logits - logits[np.arange(len(labels)), labels, None]
    allowed = ROUNDING * np.abs(logits).max(axis=1, keepdims=True)
    certified_but_wrong = (bounds.argmax(axis=1) == labels) & (logits.argmax(axis=1) != labels)
    broken = np.flatnonzero(certified_but_wrong | (margins > bounds + allowed).any(axis=1))
    if len(broken):
        image = broken[0]
        worst = int((margins - bounds)[image].argmax())
        raise SoundnessError(
            f"{name} {records[image]} of class {labels[image]}: the {signal} signal puts class {worst} ahead by "
            f"{margins[image, worst]:.6g}, above its bound of {bounds[image, worst]:.6g} ({len(broken)} such images); "
            "a bound is wrong, or files of different models were mixed: delete the signals of this model and run again, "
            "and report it if it comes back"
        )
