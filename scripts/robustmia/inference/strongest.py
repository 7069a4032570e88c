"""The strongest honest attack on one target model, chosen on other records than it is measured on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

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
    """Honest attacks and rules, of which some choose thresholds on a part of the target model's records."""

    results: RecordResults
    names: list[str]
    """signal/strategy/rule."""

    @classmethod
    def of(cls, results: RecordResults) -> _Candidates:
        return cls(results, [str(name) for name in results.thresholded if name.rpartition("/")[2] in HONEST])

    def only(self, number: int) -> _Candidates:
        """One of them."""
        return _Candidates(self.results, [self.names[number]])

    def decided(self, fitted: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        """Decisions on some records, [A, held out], with thresholds from others; both are bool [n]."""
        decisions = np.empty((len(self.names), held_out.sum()))
        for rule in {name.rpartition("/")[2] for name in self.names}:
            places = [place for place, name in enumerate(self.names) if name.endswith(f"/{rule}")]
            refitted = [place for place in places if self._is_refitted(self.names[place])]
            for place in set(places) - set(refitted):
                decisions[place] = self.results.decisions_of(self.names[place])[held_out]
            if refitted:
                scores = np.stack([self.results.scores_of(self.names[place].rpartition("/")[0]) for place in refitted])
                decisions[refitted] = self._split(scores, fitted, held_out, by_class=rule == "split_by_class")
        return decisions

    def _is_refitted(self, name: str) -> bool:
        """Whether it is a split rule of scores; attacks that decide by themselves have no oracle rule."""
        attack, _, rule = name.rpartition("/")
        return rule.startswith("split") and f"{attack}/oracle" in self.results.thresholded

    def _split(self, scores: np.ndarray, fitted: np.ndarray, held_out: np.ndarray, by_class: bool) -> np.ndarray:
        """Of several attacks at once, [S, held out]."""
        is_member, labels = self.results.is_member, self.results.labels
        thresholds = np.repeat(best_thresholds(scores[:, fitted], is_member[fitted])[:, None], len(labels), axis=1)
        for label in np.unique(labels) if by_class else ():
            own = fitted & (labels == label)
            if min((own & is_member).sum(), (own & ~is_member).sum()) >= MIN_RECORDS_PER_CLASS // 2:
                thresholds[:, labels == label] = best_thresholds(scores[:, own], is_member[own])[:, None]
        return scores[:, held_out] >= thresholds[:, held_out]
