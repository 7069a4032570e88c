"""The joint strategy: every score of a record at once, weighed by a small model that shadow models taught."""

from __future__ import annotations

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer


def joint_scores(scores: np.ndarray, shadows: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of membership by logistic regression on the ranks of all scores, fitted on shadow models only.

    Args:
        scores: [S, n], of the target's records by S strategies.
        shadows: [S, R, n], of shadow models standing in for the target.
        inside: bool [R, n]: their members.

    Returns:
        The target's scores [n], and those of each shadow model's records [R, n] by a fit that left it out.
    """
    models, records = inside.shape
    x, y = shadows.reshape(len(shadows), -1).T, inside.ravel()
    groups = np.repeat(np.arange(models), records)
    folds = GroupKFold(min(models, 5))
    left_out = cross_val_predict(_model(), x, y, groups=groups, cv=folds, method="decision_function")
    return _model().fit(x, y).decision_function(scores.T), left_out.reshape(models, records)


def _model() -> Pipeline:
    return make_pipeline(
        QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=0),
        LogisticRegression(max_iter=1000),
    )


def calibrated(scores: np.ndarray, shadows: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The risk of each record: the chance that a record with its score is a member, [n] in [0, 1].

    Isotonic regression of membership on the scores that shadow models give their own records, of whom half are members.

    Args:
        scores: [n].
        shadows: [R, n] of shadow models, and their members `inside`, bool [R, n].
    """
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(shadows.ravel(), inside.ravel())
    return fitted.predict(scores)
