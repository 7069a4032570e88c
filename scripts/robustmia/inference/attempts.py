"""An attempt: the scores that one strategy gives every record of a target model, and the calls that threshold rules make of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robustmia.array_files import load_arrays, save_arrays
from robustmia.inference.calls import Calls, Scores
from robustmia.inference.joint import calibrated
from robustmia.inference.strategies import OF_PROBABILITIES, Strategy
from robustmia.inference.thresholds import RULES, SHADOW_RULES
from robustmia.logits import SignalLogits, SignalProbabilities


@dataclass(frozen=True)
class Evaluated:
    """The records of one target model, members first."""

    is_member: np.ndarray
    """bool [n]."""
    labels: np.ndarray
    """int64 [n]."""
    inside: np.ndarray | None = None
    """bool [R, n]: members of each shadow model; None: there are none."""

    @classmethod
    def of(cls, signal: SignalLogits, inside: np.ndarray | None = None) -> Evaluated:
        """Those of a signal's file."""
        labels = np.concatenate([signal.member_labels, signal.nonmember_labels])
        return cls(np.arange(len(labels)) < len(signal.member_labels), labels, inside)

    def sides(self, scores: np.ndarray) -> Scores:
        """Scores [n] of members and non-members."""
        return Scores.of(scores, self.is_member, self.labels)

    def shadow_sides(self, scores: np.ndarray | None) -> Scores | None:
        """Scores [R, n] of all shadow models' members and non-members."""
        if scores is None:
            return None
        assert self.inside is not None
        return Scores.of(scores, self.inside, np.broadcast_to(self.labels, scores.shape))


@dataclass(frozen=True)
class Attempt:
    """One strategy on one signal against one target model."""

    signal: str
    strategy: str
    scores: np.ndarray
    """float64 [n], higher for a more likely member."""
    shadows: np.ndarray | None = None
    """float64 [R, n]: the scores that the same strategy gives each shadow model's records; None: it was not asked."""
    own_calls: dict[str, np.ndarray] = field(default_factory=dict)
    """By rule, where the strategy decides by itself: how often each record is called a member, [n]. No other rule is tried."""

    @property
    def name(self) -> str:
        """Signal and strategy in one."""
        return f"{self.signal}/{self.strategy}"

    def calls(self, records: Evaluated) -> Iterator[tuple[str, Calls]]:
        """Each rule that can be tried, and its calls."""
        if self.own_calls:
            for own, called in self.own_calls.items():
                yield own, Calls(called[records.is_member], called[~records.is_member])
            return
        scores, shadows = records.sides(self.scores), records.shadow_sides(self.shadows)
        for name, rule in (RULES | (SHADOW_RULES if shadows else {})).items():
            yield name, rule(scores, shadows)

    def risk(self, records: Evaluated) -> np.ndarray | None:
        """The calibrated chance of membership of each record, [n]; None without shadow models."""
        if self.shadows is None:
            return None
        assert records.inside is not None
        return calibrated(self.scores, self.shadows, records.inside)


@dataclass(frozen=True)
class Judgement:
    """One attempt under one threshold rule."""

    attempt: Attempt
    rule: str
    calls: Calls


def judge(attempts: Iterable[Attempt], records: Evaluated) -> list[Judgement]:
    """Every attempt under every rule that can be tried."""
    return [Judgement(attempt, rule, calls) for attempt in attempts for rule, calls in attempt.calls(records)]


def both_sides(signal: SignalLogits) -> np.ndarray:
    """Logits of members, then of non-members."""
    return np.concatenate([signal.members, signal.nonmembers])


def plain_attempts(strategies: Iterable[Strategy], signals: dict[str, SignalLogits]) -> list[Attempt]:
    """Those strategies whose signal is there; where it has probabilities, those whose score knows what to do with them."""
    attempts = []
    for strategy in strategies:
        signal = signals.get(strategy.signal)
        probabilities = isinstance(signal, SignalProbabilities)
        score = OF_PROBABILITIES.get(strategy.score) if probabilities else strategy.score
        if signal is not None and score is not None:
            scores = score(both_sides(signal), Evaluated.of(signal).labels)
            attempts.append(Attempt(strategy.signal, strategy.name, scores))
    return attempts


def correctness(name: str, signal: SignalLogits) -> Attempt:
    """The baseline that calls a record a member if it is classified correctly."""
    records = Evaluated.of(signal)
    correct = (both_sides(signal).argmax(axis=1) == records.labels).astype(float)
    return Attempt(name, "correctness", correct, own_calls={"fixed": correct})


@dataclass(frozen=True)
class Judged:
    """Every record of one target model, with the scores, risks and calls of every attempt: a file."""

    rows: np.ndarray
    """int64 [n]: rows of the data set."""
    labels: np.ndarray
    """int64 [n]."""
    is_member: np.ndarray
    """bool [n]."""
    attempts: np.ndarray
    """str [S]: signal/strategy."""
    scores: np.ndarray
    """float32 [S, n]."""
    risks: np.ndarray
    """float32 [S, n], not a number without shadow models."""
    rules: np.ndarray
    """str [A]: signal/strategy/rule."""
    called: np.ndarray
    """float32 [A, n], in [0, 1]."""

    @classmethod
    def of(cls, rows: np.ndarray, judgements: list[Judgement], records: Evaluated) -> Judged:
        """From the attempts on one target."""
        attempts = list({judgement.attempt.name: judgement.attempt for judgement in judgements}.values())
        unknown = np.full(len(records.labels), np.nan)
        risks = [attempt.risk(records) for attempt in attempts]
        return cls(
            rows,
            records.labels,
            records.is_member,
            np.array([attempt.name for attempt in attempts]),
            np.array([attempt.scores for attempt in attempts], np.float32),
            np.array([unknown if risk is None else risk for risk in risks], np.float32),
            np.array([f"{judgement.attempt.name}/{judgement.rule}" for judgement in judgements]),
            np.array([np.concatenate([j.calls.members, j.calls.nonmembers]) for j in judgements], np.float32),
        )

    def save(self, path: str | Path) -> None:
        """Write one compressed `.npz`."""
        save_arrays(path, vars(self))

    @classmethod
    def load(cls, path: str | Path) -> Judged:
        """Read what `save` wrote; a damaged file is a `DamagedError`."""
        return cls(**load_arrays(path))
