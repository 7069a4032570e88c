"""The strongest honest attack on one target model, chosen on other records than it is measured on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from robustmia.inference.record_results import RecordResults
from robustmia.inference.thresholds import HONEST, MIN_RECORDS_PER_CLASS, best_thresholds

SPLITS = 20


@dataclass(frozen=True)
class StrongestAttack:
    """Decisions of whichever attack and rule did best on the other half of a target model's records."""

    decisions: np.ndarray
    """float64 [n], in [0, 1]: mean over 20 splits."""
    chosen: Counter[str]
    """How often each attack and rule, signal/strategy/rule, was chosen."""


def strongest_attack(results: RecordResults) -> StrongestAttack:
    """The strongest honest attack on a target model, without choosing it, or its threshold, on the records that it is measured on.

    In each of 20 random splits of members and non-members into halves, each half gets the attack and rule of the highest balanced
    accuracy on the other half: the best of many would look strong by luck alone. Thresholds of the split rules are chosen on that other half,
    too, and compared there by twofold cross-fitting. Each model is attacked by itself, so that what is
    found under different seeds varies as it would if all were done again, the choice included.
    """
    candidates = _Candidates.of(results)
    halves, quarters = np.random.default_rng(0), np.random.default_rng(1)
    decisions, chosen = np.zeros(len(results.rows)), Counter[str]()
    everything = np.ones(len(results.rows), bool)
    for _ in range(SPLITS):
        half = _half_of(everything, results.is_member, halves)
        for fitted, held_out in ((half, ~half), (~half, half)):
            quarter = _half_of(fitted, results.is_member, quarters)
            compared = np.full((len(candidates.names), len(results.rows)), np.nan)
            for own, other in ((quarter, fitted & ~quarter), (fitted & ~quarter, quarter)):
                compared[:, other] = candidates.decided(own, other)
            members, nonmembers = (compared[:, fitted & side] for side in (results.is_member, ~results.is_member))
            best = int((members.mean(axis=1) - nonmembers.mean(axis=1)).argmax())
            chosen[candidates.names[best]] += 1
            decisions[held_out] += candidates.only(best).decided(fitted, held_out)[0] / SPLITS
    return StrongestAttack(decisions, chosen)


def _half_of(records: np.ndarray, is_member: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A random half of the members and of the non-members among some records, bool [n]."""
    half = np.zeros(len(is_member), bool)
    for side in (is_member, ~is_member):
        half[random.permutation(np.flatnonzero(records & side))[::2]] = True
    return half


@dataclass(frozen=True)
class _Candidates:
    """Honest attacks and rules: F whose decisions are given, then S split rules, which choose their thresholds here."""

    names: list[str]
    """signal/strategy/rule."""
    decisions: np.ndarray
    """float64 [F, n]."""
    scores: np.ndarray
    """float64 [S, n]."""
    by_class: np.ndarray
    """bool [S]: whether classes have thresholds of their own."""
    labels: np.ndarray
    is_member: np.ndarray

    @classmethod
    def of(cls, results: RecordResults) -> _Candidates:
        honest = [str(name) for name in results.thresholded if name.rpartition("/")[2] in HONEST]
        split = [name for name in honest if _is_split(name, results)]
        given = [name for name in honest if name not in split]
        decisions = np.reshape([results.decisions_of(name) for name in given], (-1, len(results.rows)))
        scores = np.reshape([results.scores_of(name.rpartition("/")[0]) for name in split], (-1, len(results.rows)))
        by_class = np.array([name.endswith("/split_by_class") for name in split], bool)
        return cls(given + split, decisions, scores, by_class, results.labels, results.is_member)

    def only(self, number: int) -> _Candidates:
        """One of them."""
        given, split = np.split(np.arange(len(self.names)) == number, [len(self.decisions)])
        parts = {"decisions": self.decisions[given], "scores": self.scores[split], "by_class": self.by_class[split]}
        return replace(self, names=[self.names[number]], **parts)

    def decided(self, fitted: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        """Decisions on some records, [F + S, held out], with thresholds from others; both are bool [n]."""
        thresholds = self._thresholds(fitted)[:, held_out]
        return np.concatenate([self.decisions[:, held_out], self.scores[:, held_out] >= thresholds])

    def _thresholds(self, fitted: np.ndarray) -> np.ndarray:
        """For each record, [S, n]."""
        best = best_thresholds(self.scores[:, fitted], self.is_member[fitted])
        thresholds = np.repeat(best[:, None], len(self.labels), axis=1)
        for label in np.unique(self.labels) if self.by_class.any() else ():
            of_class = self.labels == label
            own = fitted & of_class
            if min((own & self.is_member).sum(), (own & ~self.is_member).sum()) >= MIN_RECORDS_PER_CLASS // 2:
                best = best_thresholds(self.scores[self.by_class][:, own], self.is_member[own])
                thresholds[np.ix_(self.by_class, of_class)] = best[:, None]
        return thresholds


def _is_split(name: str, results: RecordResults) -> bool:
    """Whether it is a split rule of scores; attacks that decide by themselves have no oracle rule."""
    attack, _, rule = name.rpartition("/")
    return rule.startswith("split") and f"{attack}/oracle" in results.thresholded
