"""The weights of a fitted linear model, of scalers before it and of nothing else.

Read by attributes alone, as `ensembles.py` reads trees.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

_LINEAR: Final = {
    "ElasticNet", "ElasticNetCV", "Lasso", "LassoCV", "LinearRegression", "LogisticRegression",
    "LogisticRegressionCV", "Ridge", "RidgeCV", "SGDRegressor",
}  # fmt: skip
_SCALERS: Final = {"MaxAbsScaler", "StandardScaler"}


class Weights(NamedTuple):
    """A score before its link: the sum of each column times its weight, and the intercept."""

    columns: npt.NDArray[np.float64]  # (n_features,)
    intercept: float


class NotLinear(Exception):
    """No linear model of one output; the message says why."""


def is_linear(estimator: Any) -> bool:
    """Say whether it is a linear model, or a Pipeline that ends in one."""
    return type(_steps(estimator)[-1]).__name__ in _LINEAR


def weights(estimator: Any, width: int) -> Weights:
    """Return the weights of a fitted linear model over `width` columns, of the second class where
    it tells two apart. The scales of scalers before it are part of them. Raises NotLinear."""
    *before, last = _steps(estimator)
    name = type(last).__name__
    columns = np.ravel(last.coef_).astype(np.float64)
    if len(columns) != width:
        outputs = len(columns) // width
        raise NotLinear(f"{name} of {outputs} outputs has no compiled form")
    intercept = float(np.ravel(last.intercept_)[0])
    if getattr(last, "multi_class", None) == "multinomial":
        # softmax over minus and plus the sum; versions before 1.8 had that choice
        columns, intercept = 2 * columns, 2 * intercept
    for scaler in reversed(before):
        if type(scaler).__name__ not in _SCALERS:
            raise NotLinear(f"{type(scaler).__name__} before the estimator has no compiled form")
        if (scale := getattr(scaler, "scale_", None)) is not None:
            columns = columns / np.asarray(scale, dtype=np.float64)
        if getattr(scaler, "with_mean", False) and scaler.mean_ is not None:
            intercept -= float(np.dot(columns, np.asarray(scaler.mean_, dtype=np.float64)))
    return Weights(columns, intercept)


def _steps(estimator: Any) -> list[Any]:
    """Return what a Pipeline does one after the other, or the estimator alone."""
    if type(estimator).__name__ != "Pipeline":
        return [estimator]
    return [step for _, step in estimator.steps if step is not None and step != "passthrough"]
