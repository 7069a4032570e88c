"""Scores of members and non-members, and the membership decisions that a threshold makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robustmia.inference.metrics import Rates


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

    def of_class(self, label: int) -> Scores:
        """Those of one class."""
        of_members, of_nonmembers = self.member_labels == label, self.nonmember_labels == label
        return Scores(
            self.members[of_members],
            self.nonmembers[of_nonmembers],
            self.member_labels[of_members],
            self.nonmember_labels[of_nonmembers],
        )


@dataclass(frozen=True)
class Decisions:
    """How often each record is classified as a member, in [0, 1]: 0 or 1 for one decision, between them for a mean over many."""

    members: np.ndarray
    """float64 [N]."""
    nonmembers: np.ndarray
    """float64 [M]."""

    @classmethod
    def at(cls, threshold: float, scores: Scores) -> Decisions:
        """Records at or above a threshold are classified as members."""
        return cls(*((side >= threshold).astype(float) for side in (scores.members, scores.nonmembers)))

    @property
    def rates(self) -> Rates:
        """The true and the false positive rate."""
        return Rates(float(self.members.mean()), float(self.nonmembers.mean()))
