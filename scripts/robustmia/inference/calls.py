"""Scores and calls: what an attacker thinks of each record, and whether the record is called a member."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robustmia.inference.metrics import Operating


@dataclass(frozen=True)
class Scores:
    """A score for each record, higher for a more likely member, and the records' classes."""

    members: np.ndarray
    """float64 [N]."""
    nonmembers: np.ndarray
    """float64 [M]."""
    member_labels: np.ndarray
    """int64 [N]."""
    nonmember_labels: np.ndarray
    """int64 [M]."""

    @classmethod
    def of(cls, scores: np.ndarray, is_member: np.ndarray, labels: np.ndarray) -> Scores:
        """From the scores of all records [N + M], who is a member, and labels, in any order and of any one shape."""
        return cls(scores[is_member], scores[~is_member], labels[is_member], labels[~is_member])


@dataclass(frozen=True)
class Calls:
    """How often each record is called a member, in [0, 1]: 0 or 1 where a rule decides once, between where it does many times."""

    members: np.ndarray
    """float64 [N]."""
    nonmembers: np.ndarray
    """float64 [M]."""

    @classmethod
    def at(cls, threshold: float, scores: Scores) -> Calls:
        """Members are those at or above a threshold."""
        return cls(*((side >= threshold).astype(float) for side in (scores.members, scores.nonmembers)))

    @property
    def rates(self) -> Operating:
        """The parts of members and of non-members that are called members."""
        return Operating(float(self.members.mean()), float(self.nonmembers.mean()))

    @property
    def accuracy(self) -> float:
        """Balanced accuracy."""
        return self.rates.accuracy
