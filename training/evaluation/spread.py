"""Which features move a linear model's answers, and how much they vary among its rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.feature_extraction import DictVectorizer

from scoring.models import Model
from training.fit.features import transform

_ROWS: Final = 100_000  # of more, a sample
_KEPT: Final = 50


def spread(
    vectorizer: DictVectorizer, estimator: Any, frame: pd.DataFrame, model: Model
) -> dict[str, float]:
    """Return the standard deviations of the features whose weight times deviation is largest, by
    the vectorizer's names, the largest effect first. Empty where there is not one weight a feature.

    A weight alone says little: that of a category which one row had is as large as chance made it.
    """
    weights = np.ravel(getattr(estimator, "coef_", ()))
    names = vectorizer.get_feature_names_out()
    if len(weights) != len(names):
        return {}
    rows = frame if len(frame) <= _ROWS else frame.sample(_ROWS, random_state=0)
    x = transform(vectorizer, rows, model)  # (n_rows, n_features), sparse or not
    mean = np.ravel(x.mean(axis=0))
    squares = np.ravel((x.multiply(x) if hasattr(x, "multiply") else x * x).mean(axis=0))
    deviation = np.sqrt(np.maximum(squares - mean**2, 0.0))
    order = np.argsort(-np.abs(weights) * deviation, kind="stable")[:_KEPT]
    return {str(names[at]): float(f"{deviation[at]:.6g}") for at in order}
