"""Settings of inference, which the configuration reads too."""

from __future__ import annotations

from typing import Literal

Classifier = Literal["logistic", "random_forest", "neural_network"]
"""The kinds of classifiers of I_T."""
MIN_SHADOW_MODELS = 6
"""One of 6 that stands in for the target leaves two that were trained on a record, and two that were not."""
LEVEL = 0.05
"""Of tests, and 1 minus the confidence of intervals."""
