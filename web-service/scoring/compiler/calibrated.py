"""An estimator behind a sigmoid of its own score, as CalibratedClassifierCV of one estimator keeps
it: the probability is 1 / (1 + exp(slope * score + offset))."""

from __future__ import annotations

from typing import Any, NamedTuple

NAME = "CalibratedClassifierCV"


class Sigmoid(NamedTuple):
    """What becomes of the score: log-odds are -(slope * score + offset)."""

    slope: float
    offset: float


def behind(estimator: Any) -> tuple[Any, Sigmoid | None]:
    """Return the estimator behind a calibration and the sigmoid; any other estimator as it is, and
    None. Raises ValueError for a calibration of another kind."""
    if type(estimator).__name__ != NAME:
        return estimator, None
    [found, *others] = estimator.calibrated_classifiers_
    [sigmoid, *more] = found.calibrators
    if others or more or not hasattr(sigmoid, "a_"):
        raise ValueError("a calibration by more than one sigmoid has no compiled form")
    return found.estimator, Sigmoid(float(sigmoid.a_), float(sigmoid.b_))
