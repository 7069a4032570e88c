"""Scores, signals and shadow models made up so that the answers are known, which tests of inference share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from robustmia.config.registry import COLUMNS, STRATEGIES
from robustmia.files.signals import ShadowSignals, SignalLogits, VerifiedBounds
from robustmia.inference.attack_scores import EvaluationSet
from robustmia.inference.attacks.base import Attack, load_attacks
from robustmia.inference.attacks.shadow_view import Shadows, ShadowView
from robustmia.inference.comparison import RunSummary, compare
from robustmia.inference.decisions import Scores
from robustmia.inference.evaluate import Results, evaluate, load_columns
from robustmia.inference.metrics import auc
from robustmia.inference.record_results import RecordResults
from robustmia.inference.settings import AttackSettings
from robustmia.shadow.split import shadow_split

IDENTITY = {"dataset": "d", "run": "r", "method": "m", "seed": 4}


def gaussians(shift: float, members: int = 20_000, nonmembers: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Scores of members around a shift and of non-members around 0, both of deviation 1."""
    random = np.random.default_rng(1)
    return random.normal(shift, 1, members), random.normal(0, 1, nonmembers)


def of_one_class(members: np.ndarray, nonmembers: np.ndarray) -> Scores:
    """Scores of records that are all of one class."""
    return Scores(members, nonmembers, np.zeros(len(members), int), np.zeros(len(nonmembers), int))


def area(scores: np.ndarray, is_member: np.ndarray) -> float:
    """The area under the ROC curve."""
    return auc(scores[is_member], scores[~is_member])


# ---------------------------------------------------------------- signals


def leaking_signal(members: int, nonmembers: int, seed: int) -> SignalLogits:
    """Random logits of four classes in which members' true class is ahead by 2; signals of any seed are of the same records."""
    labels = np.random.default_rng(0).integers(4, size=members + nonmembers)
    logits = np.random.default_rng(seed + 1).normal(size=(members + nonmembers, 4)).astype(np.float32)
    logits[np.arange(members), labels[:members]] += 2
    return SignalLogits(logits[:members], logits[members:], labels[:members], labels[members:])


@dataclass(frozen=True)
class Bounded:
    """Signals of one model, 40 members and 30 non-members of 3 classes, and how to bound them."""

    benign: SignalLogits
    adversarial: SignalLogits

    @classmethod
    def draw(cls) -> Bounded:
        """Always the same: the true class is ahead by about 6 and 3 for members, 5 and 2 for non-members."""
        random = np.random.default_rng(0)

        def logits(count: int, ahead: float) -> np.ndarray:
            z = random.normal(size=(count, 3))
            z[np.arange(count), np.arange(count) % 3] += ahead
            return z.astype(np.float32)

        labels = np.arange(40) % 3, np.arange(30) % 3
        benign = SignalLogits(logits(40, 6.0), logits(30, 5.0), *labels)
        return cls(benign, SignalLogits(logits(40, 3.0), logits(30, 2.0), *labels))

    @property
    def signals(self) -> dict[str, SignalLogits]:
        """Both, by name."""
        return {"benign": self.benign, "adversarial": self.adversarial}

    @property
    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Of members and of non-members."""
        return self.benign.member_labels, self.benign.nonmember_labels

    def verified(self, slack: float = 0.5) -> VerifiedBounds:
        """Two verifiers, of which the first is looser by 1; both hold for both signals, which stay under by so much."""
        tight = [
            np.maximum(_bounds_above(clean, slack), _bounds_above(attacked, slack))
            for clean, attacked in (
                (self.benign.members, self.adversarial.members),
                (self.benign.nonmembers, self.adversarial.nonmembers),
            )
        ]
        loose = [np.where(bounds == 0, 0, bounds + 1).astype(np.float32) for bounds in tight]
        by_verifier = (np.stack([loose[side], tight[side]], axis=1) for side in (0, 1))
        return VerifiedBounds(
            *tight,
            *self.labels,
            np.array(["interval", "dual"]),
            *by_verifier,
            np.ones(2),
            np.array(["crown"]),
            np.array(3.0),
        )

    def targeted(self) -> SignalLogits:
        """An image for each class, all of which stay under the bounds of `verified`: the adversarial ones three times."""
        sides = (np.repeat(z[:, None], 3, axis=1) for z in (self.adversarial.members, self.adversarial.nonmembers))
        return SignalLogits(*sides, *self.labels)


def _bounds_above(z: np.ndarray, slack: float) -> np.ndarray:
    """Bounds that the logits stay under by so much, 0 at the true class."""
    rows, labels = np.arange(len(z)), np.arange(len(z)) % 3
    bounds = z - z[rows, labels, None] + np.float32(slack)
    bounds[rows, labels] = 0.0
    return bounds


def all_attacks() -> list[Attack]:
    """Those of the registry."""
    return load_attacks(list(STRATEGIES.values()), AttackSettings())


def evaluated(
    signals: dict[str, SignalLogits],
    own_verifier: str | None = None,
    in_ball: Iterable[str] = (),
    shadows: ShadowSignals | None = None,
    attacks: Sequence[Attack] | None = None,
) -> tuple[Results, RecordResults]:
    """What evaluation makes of signals, by every attack and with every column of the registry unless told otherwise."""
    first = next(iter(signals.values()))
    return evaluate(
        IDENTITY,
        signals,
        np.arange(len(first.members) + len(first.nonmembers)),
        all_attacks() if attacks is None else attacks,
        load_columns(COLUMNS.values()),
        own_verifier,
        in_ball,
        shadows,
    )


# ---------------------------------------------------------------- shadow models


def world(
    shift: float, records: int = 4000, models: int = 64, seed: int = 0, spread: float = 3.0
) -> tuple[ShadowView, np.ndarray]:
    """Scores around a difficulty of each record's own (spread), higher by a shift for members, with noise of deviation 1."""
    random = np.random.default_rng(seed)
    difficulty = spread * random.normal(size=records)
    in_mask = np.argsort(np.argsort(random.random((models, records)), axis=0), axis=0) < models // 2
    is_member = random.random(records) < 0.5

    def scores(members: np.ndarray) -> np.ndarray:
        return difficulty + shift * members + random.normal(size=members.shape)

    labels = random.integers(4, size=records)
    score = scores(is_member)
    return ShadowView(score, Shadows(scores(in_mask), in_mask, labels), ~is_member), is_member


def in_masks(labels: np.ndarray, models: int, part: float = 0.5) -> np.ndarray:
    """The members that shadow models really have, a part of all records, bool [R, n]."""
    members, rows = part * len(labels), np.arange(len(labels))
    return np.array([np.isin(rows, shadow_split(labels, round(members), 0, model).members) for model in range(models)])


def real_world(records: int, models: int, seed: int, part: float = 0.5) -> tuple[ShadowView, np.ndarray]:
    """As `world` without a shift, with the members that shadow models really have."""
    view, is_member = world(0.0, records=records, models=models, seed=seed)
    return with_shadows(view, in_mask=in_masks(np.zeros(records, int), models, part)[::-1]), is_member


def stand_ins(view: ShadowView) -> list[ShadowView]:
    """Each shadow model in the place of the target."""
    return [view.of_shadow(model) for model in range(len(view.shadows.scores))]


def with_shadows(view: ShadowView, **changes: np.ndarray) -> ShadowView:
    """The view with other `scores`, `in_mask` or `labels` of its shadow models."""
    own = {"scores": view.shadows.scores, "in_mask": view.shadows.in_mask, "labels": view.shadows.labels}
    return replace(view, shadows=Shadows(**own | changes))


@dataclass(frozen=True)
class ShadowedSignals:
    """Signals of a target with 300 members among 600 records of 3 classes, and of 8 shadow models."""

    target: dict[str, SignalLogits]
    shadows: ShadowSignals

    @classmethod
    def draw(cls, leaks: dict[str, float]) -> ShadowedSignals:
        """Each leaks as much as is said: members' true class is ahead by so much more. `targeted` has an image for each class."""
        random = np.random.default_rng(0)
        records, classes = 600, 3
        labels = random.integers(classes, size=records)
        in_mask, is_member = in_masks(labels, 8), np.arange(records) < 300

        def logits(members: np.ndarray, leak: float) -> np.ndarray:
            z = random.normal(size=(*members.shape, classes))
            z[..., np.arange(records), labels] += 1 + leak * members
            return z.astype(np.float32)

        def answers(name: str, members: np.ndarray) -> np.ndarray:
            if name != "targeted":
                return logits(members, leaks[name])
            return np.stack([logits(members, leaks[name]) for _ in range(classes)], axis=-2)

        target = {
            name: SignalLogits((z := answers(name, is_member))[:300], z[300:], labels[:300], labels[300:])
            for name in leaks
        }
        return cls(target, ShadowSignals({name: answers(name, in_mask) for name in leaks}, in_mask))

    @property
    def records(self) -> EvaluationSet:
        """The target's records."""
        return EvaluationSet.of(next(iter(self.target.values())), self.shadows.in_mask)


# ---------------------------------------------------------------- results of many target models

RECORDS = 1000


def record_results(seed: int, leaks: dict[str, float], members: int = 500, source: int = 0) -> RecordResults:
    """Decisions of several attacks and rules that are right about a part of the records, on a split of the seed's own."""
    split = np.random.default_rng([seed, 7])
    rows = split.permutation(RECORDS)
    is_member = np.arange(RECORDS) < members
    random = np.random.default_rng([seed, source])
    decisions = np.array(
        [
            np.where(random.random(RECORDS) < accuracy, is_member, ~is_member).astype(np.float32)
            for accuracy in leaks.values()
        ]
    )
    scores = decisions + 0.1 * random.random((len(leaks), RECORDS)).astype(np.float32)
    attacks = np.array([name.rpartition("/")[0] for name in leaks])
    return RecordResults(rows, rows % 10, is_member, attacks, scores, scores / 1.1, np.array(list(leaks)), decisions)


def run_summary(method: str, leaks: dict[str, float], seeds: int = 3, source: int = 0) -> RunSummary:
    """That of a run with several seeds."""
    return RunSummary.of(method, [record_results(seed, leaks, source=source) for seed in range(seeds)], RECORDS)


def comparison(natural: float, pgd: float, ibp: float, seeds: int = 3) -> pd.DataFrame:
    """Three runs, named like their methods, whose strongest attack has about the accuracies given."""
    leaks = {"natural": natural, "pgd": pgd, "ibp": ibp}
    runs = {
        run: run_summary(run, {"s/a/split": leak, "s/b/fixed": 0.5}, seeds, source)
        for source, (run, leak) in enumerate(leaks.items())
    }
    return compare(runs)
