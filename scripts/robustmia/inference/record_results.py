"""The results of every record of one target model: the file between inference and what compares target models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robustmia.files.arrays import load_arrays, save_arrays
from robustmia.inference.attack_scores import EvaluationSet, ThresholdedAttack


@dataclass(frozen=True)
class RecordResults:
    """Scores, risks and membership decisions of every attack for every record of one target model."""

    rows: np.ndarray
    """int64 [n]: rows of the data set."""
    labels: np.ndarray
    """int64 [n]."""
    is_member: np.ndarray
    """bool [n]."""
    attacks: np.ndarray
    """str [S]: signal/strategy."""
    scores: np.ndarray
    """float64 [S, n]."""
    risks: np.ndarray
    """float32 [S, n], not a number without shadow models."""
    thresholded: np.ndarray
    """str [A]: signal/strategy/rule."""
    decisions: np.ndarray
    """float32 [A, n], in [0, 1]: how often the record is classified as a member."""
    sensitive: np.ndarray = field(default_factory=lambda: np.zeros(0, str))
    """str [G]: the signals with a sensitivity; none without shadow models."""
    sensitivities: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """float32 [G, n]: how much surer of the record shadow models are that were trained on it."""
    shadow_members: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """int64 [1]: how many members each shadow model has; [0]: there are none, or it is not known."""

    @classmethod
    def of(
        cls,
        rows: np.ndarray,
        thresholded: list[ThresholdedAttack],
        records: EvaluationSet,
        sensitivities: dict[str, np.ndarray] | None = None,
        shadow_members: int | None = None,
    ) -> RecordResults:
        """From the attacks on one target model, the sensitivity of its records by signal, and the members of each of its shadow models."""
        own = sensitivities or {}
        attacks = list({one.attack.name: one.attack for one in thresholded}.values())
        unknown = np.full(len(records.labels), np.nan)
        risks = [attack.risk() for attack in attacks]
        decisions = [np.concatenate([one.decisions.members, one.decisions.nonmembers]) for one in thresholded]
        return cls(
            rows,
            records.labels,
            records.is_member,
            np.array([attack.name for attack in attacks]),
            np.array([attack.scores for attack in attacks], np.float64),
            np.array([unknown if risk is None else risk for risk in risks], np.float32),
            np.array([f"{one.attack.name}/{one.rule}" for one in thresholded]),
            np.array(decisions, np.float32),
            np.array(list(own), str),
            np.array(list(own.values()), np.float32).reshape(len(own), len(records.labels)),
            np.array([] if shadow_members is None else [shadow_members], np.int64),
        )

    def save(self, path: str | Path) -> None:
        """Write one compressed `.npz`."""
        save_arrays(path, vars(self))

    @classmethod
    def load(cls, path: str | Path) -> RecordResults:
        """Read what `save` wrote; a damaged file is a `DamagedError`."""
        return cls(**load_arrays(path))

    def scores_of(self, attack: str) -> np.ndarray:
        """The score of each record under one attack (signal/strategy), [n]."""
        return self.scores[list(self.attacks).index(attack)]

    def decisions_of(self, thresholded: str) -> np.ndarray:
        """How often each record is classified as a member by one attack under one rule (signal/strategy/rule), [n]."""
        return self.decisions[list(self.thresholded).index(thresholded)].astype(np.float64)

    def correct_on(self, signal: str) -> np.ndarray | None:
        """1 where the model classifies the record correctly under a signal, else 0, [n]; None: not computed."""
        name = f"{signal}/correctness/fixed"  # which takes a record for a member if it is classified correctly
        return self.decisions_of(name) if name in self.thresholded else None

    def sensitivity_of(self, signal: str) -> np.ndarray:
        """The sensitivity of each record under one signal, [n]."""
        return self.sensitivities[list(self.sensitive).index(signal)].astype(np.float64)

    def risk(self, attack: str) -> np.ndarray:
        """The risk of each record under one attack (signal/strategy), [n]."""
        return self.risks[list(self.attacks).index(attack)]
