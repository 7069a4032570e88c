"""Threshold rules: where the cut between members and non-members comes from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robustmia.inference.calls import Calls, Scores

SPLIT_REPEATS = 20
FEWEST_OF_A_CLASS = 8  # members, and non-members, for a threshold of their own

Rule = Callable[[Scores, Scores | None], Calls]
"""From the scores of the target model's records, and those that shadow models give their own, to calls."""


def best_threshold(members: np.ndarray, nonmembers: np.ndarray) -> float:
    """The threshold of highest balanced accuracy on these scores, the largest among equals; infinite where none beats 0.5.

    One sort and one scan, ties taken together: the split rules look for thousands of thresholds.
    """
    scores = np.concatenate([members, nonmembers])
    order = np.argsort(-scores, kind="stable")
    is_member = order < len(members)
    gain = np.cumsum(is_member) / len(members) - np.cumsum(~is_member) / len(nonmembers)
    scores = scores[order]
    ends = np.append(scores[1:] != scores[:-1], True)
    gain[~ends] = -1.0
    best = int(gain.argmax())
    return float(scores[best]) if gain[best] > 0.0 else float("inf")


def oracle(scores: Scores, shadows: Scores | None = None) -> Calls:
    """The threshold that does best on the evaluated records themselves (Song et al. 2019, section 3).

    Accuracy is never below 0.5, since "no member" is a threshold too. It is an upper envelope: compare it with
    `uninformative_floor`.
    """
    return Calls.at(best_threshold(scores.members, scores.nonmembers), scores)


def split(scores: Scores, shadows: Scores | None = None) -> Calls:
    """The threshold from one random half of members and non-members, judging the other half, both ways round.

    20 random halvings with a fixed seed judge each record 20 times, and never by a threshold that it took part in choosing.

    Raises:
        ValueError: fewer than 2 members or non-members.
    """
    sides = (scores.members, scores.nonmembers)
    if min(map(len, sides)) < 2:
        raise ValueError("the split rule needs at least 2 members and 2 non-members")
    random = np.random.default_rng(0)
    called = [np.zeros(len(side)) for side in sides]
    for _ in range(SPLIT_REPEATS):
        halves = [np.array_split(random.permutation(len(side)), 2) for side in sides]
        for fitted, judged in ((0, 1), (1, 0)):
            threshold = best_threshold(*(side[half[fitted]] for side, half in zip(sides, halves, strict=True)))
            for side, half, calls in zip(sides, halves, called, strict=True):
                calls[half[judged]] += side[half[judged]] >= threshold
    return Calls(called[0] / SPLIT_REPEATS, called[1] / SPLIT_REPEATS)


def shadow(scores: Scores, shadows: Scores | None) -> Calls:
    """The threshold that does best on what shadow models, trained like the target, give their own members and non-members."""
    assert shadows is not None
    return Calls.at(best_threshold(shadows.members, shadows.nonmembers), scores)


def by_class(rule: Rule) -> Rule:
    """A rule with a threshold for each class; a class of fewer than 8 members or non-members takes the one of all."""

    def per_class(scores: Scores, shadows: Scores | None = None) -> Calls:
        calls = rule(scores, shadows)
        for label in np.unique(scores.member_labels):
            theirs, of_shadows = _of_class(scores, label), shadows and _of_class(shadows, label)
            if min(len(theirs.members), len(theirs.nonmembers)) >= FEWEST_OF_A_CLASS:
                own = rule(theirs, of_shadows)
                calls.members[scores.member_labels == label] = own.members
                calls.nonmembers[scores.nonmember_labels == label] = own.nonmembers
        return calls

    return per_class


def _of_class(scores: Scores, label: int) -> Scores:
    of_members, of_nonmembers = scores.member_labels == label, scores.nonmember_labels == label
    return Scores(
        scores.members[of_members],
        scores.nonmembers[of_nonmembers],
        scores.member_labels[of_members],
        scores.nonmember_labels[of_nonmembers],
    )


RULES: dict[str, Rule] = {"oracle": oracle, "split": split, "split_by_class": by_class(split)}
"""Those that need nothing but the evaluated records."""
SHADOW_RULES: dict[str, Rule] = {"shadow": shadow, "shadow_by_class": by_class(shadow)}
"""Those that need shadow models."""
HONEST = ("split", "split_by_class", "shadow", "shadow_by_class", "fixed")
"""Those whose accuracy is not raised by the choice of the threshold."""
