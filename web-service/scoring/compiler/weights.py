"""The weights of a fitted linear model, of scalers before it and of nothing else.

Read by attributes alone, as `ensembles.py` reads trees.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from scoring.compiler import calibrated
from scoring.values.shares import Link

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


def link_of(estimator: Any) -> Link:
    """Return how a linear model of several classes makes probabilities of its sums: those fitted
    one class against the rest are divided by their sum, as versions before 1.8 had it."""
    last = _steps(estimator)[-1]
    how = getattr(last, "multi_class", None)
    alone = how == "ovr" or (how is not None and last.solver == "liblinear")
    return "logistic" if alone else "softmax"


def weights(estimator: Any, width: int, of: int | None = None) -> Weights:
    """Return the weights of a fitted linear model over `width` columns: of the class at the place
    `of` where it tells several apart, of the second one of two. The scales of scalers before it are
    part of them. Raises NotLinear."""
    *before, last = _steps(estimator)
    name = type(last).__name__
    coefficients = np.asarray(last.coef_)
    columns = np.ravel(coefficients if of is None else coefficients[of]).astype(np.float64)
    if len(columns) != width:
        outputs = len(columns) // width
        raise NotLinear(f"{name} of {outputs} outputs has no compiled form")
    offsets = np.ravel(last.intercept_)  # one zero where it was fitted without
    intercept = float(offsets[0 if of is None or len(offsets) == 1 else of])
    if of is None and getattr(last, "multi_class", None) == "multinomial":
        # softmax over minus and plus the sum; versions before 1.8 had that choice
        columns, intercept = 2 * columns, 2 * intercept
    for scaler in reversed(before):
        if type(scaler).__name__ not in _SCALERS:
            raise NotLinear(f"{type(scaler).__name__} before the estimator has no compiled form")
        if (scale := getattr(scaler, "scale_", None)) is not None:
            columns = columns / np.asarray(scale, dtype=np.float64)
        if getattr(scaler, "with_mean", False) and scaler.mean_ is not None:
            intercept -= float(np.dot(columns, np.asarray(scaler.mean_, dtype=np.float64)))
    sigmoid = calibrated.behind(estimator)[1]
    if sigmoid is not None:
        columns, intercept = -sigmoid.slope * columns, -sigmoid.slope * intercept - sigmoid.offset
    return Weights(columns, intercept)


def _steps(estimator: Any) -> list[Any]:
    """Return what a Pipeline does one after the other, or the estimator alone."""
    estimator, _ = calibrated.behind(estimator)
    if type(estimator).__name__ != "Pipeline":
        return [estimator]
    return [step for _, step in estimator.steps if step is not None and step != "passthrough"]
