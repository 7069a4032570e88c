"""Threshold rules: where the cut between members and non-members comes from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robustmia.inference.metrics import ROC, Operating

SPLIT_REPEATS = 20

ThresholdRule = Callable[[np.ndarray, np.ndarray], Operating]
"""From the scores of members [N] and non-members [M] to the rates of the rule's decisions on them."""


def oracle(members: np.ndarray, nonmembers: np.ndarray) -> Operating:
    """The threshold that does best on the evaluated records themselves (Song et al. 2019, section 3).

    A record is called a member at or above the threshold; accuracy is never below 0.5, since "no member" is a threshold too.
    It is an upper envelope: compare it with `uninformative_floor`.
    """
    return ROC.of(members, nonmembers).best_accuracy()[1]


def split(members: np.ndarray, nonmembers: np.ndarray) -> Operating:
    """The threshold from one random half of members and non-members, scored on the other half, both ways round.

    Rates are averaged over the two directions of 20 random halvings drawn with a fixed seed, so no record is ever judged
    by a threshold that it took part in choosing.

    Raises:
        ValueError: fewer than 2 members or non-members.
    """
    if min(len(members), len(nonmembers)) < 2:
        raise ValueError("the split rule needs at least 2 members and 2 non-members")
    random = np.random.default_rng(0)
    rates = []
    for _ in range(SPLIT_REPEATS):
        member_halves = np.array_split(random.permutation(members), 2)
        nonmember_halves = np.array_split(random.permutation(nonmembers), 2)
        for fitted, judged in ((0, 1), (1, 0)):
            threshold = ROC.of(member_halves[fitted], nonmember_halves[fitted]).best_accuracy()[0]
            rates.append([np.mean(half[judged] >= threshold) for half in (member_halves, nonmember_halves)])
    true_positive, false_positive = np.mean(rates, axis=0)
    return Operating(float(true_positive), float(false_positive))


THRESHOLD_RULES: dict[str, ThresholdRule] = {"oracle": oracle, "split": split}
