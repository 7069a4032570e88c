"""The joint attack: all scores of a record at once, weighted by a logistic regression that is fitted on shadow models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer

from robustmia.inference.attack_scores import AttackScores
from robustmia.inference.attacks.base import Attack
from robustmia.inference.settings import MOST_PAIRS


class Joint(Attack):
    """Logistic regression on the ranks of the scores of all attacks that shadow models have scores of, too."""

    name = "joint"
    needs_shadow_models = True

    def applies_to(self, signal: str) -> bool:
        """On no single signal."""
        return False

    def on_all(self, results: Sequence[AttackScores]) -> AttackScores:
        """The combined scores, under the signal `all`."""
        usable = [result for result in results if result.shadow_scores is not None]
        records = results[0].records
        scores, shadow_scores = joint_scores(
            np.array([result.scores for result in usable]),
            np.array([result.shadow_scores for result in usable]),
            records.members_of_stand_ins,
        )
        return AttackScores("all", self.name, scores, records, shadow_scores)


def joint_scores(scores: np.ndarray, shadow_scores: np.ndarray, in_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of membership by logistic regression on the ranks of all scores, fitted on shadow models only.

    Args:
        scores: [S, n], of the target's records by S attacks.
        shadow_scores: [S, R, n], of shadow models standing in for the target.
        in_mask: bool [R, n]: their members. Of more than 200,000 pairs of a model and a record, random ones are fitted on.

    Returns:
        The target's scores [n], and those of each shadow model's records [R, n] by a fit that left it out.
    """
    models, records = in_mask.shape
    x, y = shadow_scores.reshape(len(shadow_scores), -1).T, in_mask.ravel()
    chosen = np.sort(np.random.default_rng(0).permutation(len(y))[:MOST_PAIRS])
    groups = np.repeat(np.arange(models), records)
    left_out = np.empty(len(y))
    for some, others in GroupKFold(min(models, 5)).split(x, y, groups):
        fitted = np.intersect1d(some, chosen, assume_unique=True)
        left_out[others] = _model().fit(x[fitted], y[fitted]).decision_function(x[others])
    return _model().fit(x[chosen], y[chosen]).decision_function(scores.T), left_out.reshape(models, records)


def _model() -> Pipeline:
    return make_pipeline(
        QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=0),
        LogisticRegression(solver="newton-cholesky"),
    )
