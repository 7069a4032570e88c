"""Threshold rules: where the threshold between members and non-members comes from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robustmia.inference.decisions import Decisions, Scores

SPLIT_REPEATS = 20
MIN_RECORDS_PER_CLASS = 8  # members, and non-members, for a threshold of their own

Rule = Callable[[Scores, Scores | None], Decisions]
"""From the scores of the target model's records, and those that shadow models give their own, to decisions."""


def best_threshold(members: np.ndarray, nonmembers: np.ndarray) -> float:
    """The threshold of highest balanced accuracy on these scores, the largest among equals; infinite where none beats 0.5."""
    scores = np.concatenate([members, nonmembers])
    return float(best_thresholds(scores[None], np.arange(len(scores)) < len(members))[0])


def best_thresholds(scores: np.ndarray, is_member: np.ndarray) -> np.ndarray:
    """The same of several attacks on the same records at once, [S] from scores [S, n]; infinite without members, or without non-members.

    One sort and one scan, ties taken together: the split rules look for thousands of thresholds.
    """
    if is_member.all() or not is_member.any():
        return np.full(len(scores), np.inf)
    attacks, order = np.arange(len(scores)), np.argsort(-scores, axis=1, kind="stable")
    ordered = scores[attacks[:, None], order]
    gain = np.where(is_member, (~is_member).sum(), -is_member.sum())[order].cumsum(axis=1)  # whole numbers tie exactly
    gain[:, :-1][ordered[:, 1:] == ordered[:, :-1]] = 0
    best = gain.argmax(axis=1)
    return np.where(gain[attacks, best] > 0, ordered[attacks, best], np.inf)


def oracle(scores: Scores, shadows: Scores | None = None) -> Decisions:
    """The threshold that does best on the evaluated records themselves (Song et al. 2019, section 3).

    Accuracy is never below 0.5, since "no member" is a threshold too. It is biased upward: compare it with
    `oracle_chance`.
    """
    return Decisions.at(best_threshold(scores.members, scores.nonmembers), scores)


def split(scores: Scores, shadows: Scores | None = None) -> Decisions:
    """The threshold from one random half of members and non-members, applied to the other half: 20 x 2 cross-fitting.

    20 random splits into halves with a fixed seed decide on each record 20 times, never by a threshold that it helped to choose.

    Raises:
        ValueError: fewer than 2 members or non-members.
    """
    sides = (scores.members, scores.nonmembers)
    if min(map(len, sides)) < 2:
        raise ValueError("the split rule needs at least 2 members and 2 non-members")
    random = np.random.default_rng(0)
    decided = [np.zeros(len(side)) for side in sides]
    for _ in range(SPLIT_REPEATS):
        halves = [np.array_split(random.permutation(len(side)), 2) for side in sides]
        for fitted, held_out in ((0, 1), (1, 0)):
            threshold = best_threshold(*(side[half[fitted]] for side, half in zip(sides, halves, strict=True)))
            for side, half, decisions in zip(sides, halves, decided, strict=True):
                decisions[half[held_out]] += side[half[held_out]] >= threshold
    return Decisions(decided[0] / SPLIT_REPEATS, decided[1] / SPLIT_REPEATS)


def shadow(scores: Scores, shadows: Scores | None) -> Decisions:
    """The threshold that does best on what shadow models, trained like the target, give their own members and non-members."""
    assert shadows is not None
    return Decisions.at(best_threshold(shadows.members, shadows.nonmembers), scores)


def by_class(rule: Rule) -> Rule:
    """A rule with a threshold for each class; a class of fewer than 8 members or non-members takes the one of all."""

    def per_class(scores: Scores, shadows: Scores | None = None) -> Decisions:
        decisions = rule(scores, shadows)
        for label in np.unique(scores.member_labels):
            own = scores.of_class(label)
            if min(len(own.members), len(own.nonmembers)) >= MIN_RECORDS_PER_CLASS:
                of_class = rule(own, shadows and shadows.of_class(label))
                decisions.members[scores.member_labels == label] = of_class.members
                decisions.nonmembers[scores.nonmember_labels == label] = of_class.nonmembers
        return decisions

    return per_class


RULES: dict[str, Rule] = {"oracle": oracle, "split": split, "split_by_class": by_class(split)}
"""Those that need nothing but the evaluated records."""
SHADOW_RULES: dict[str, Rule] = {"shadow": shadow, "shadow_by_class": by_class(shadow)}
"""Those that need shadow models."""
HONEST = ("split", "split_by_class", "shadow", "shadow_by_class", "fixed")
"""Those whose accuracy is not raised by the choice of the threshold."""
