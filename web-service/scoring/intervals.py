"""Between which numbers the truth lies, with a stated probability: prediction intervals.

They come from how far the truth was from the scores of rows that the model had not seen
(artifact/calibration.py). An interval of 0.9 holds nine of ten truths of rows like those; of rows
that are not like them it may hold fewer.
"""

from __future__ import annotations

import contextlib
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scoring.artifact.calibration import LEAST, MOST, STEP
from scoring.errors import FieldError, InvalidQuery
from scoring.predictor import Predictor

PARAMETER: Final = "interval"  # its name in a query, among V2's parameters and MLflow's params
ENDS: Final = ("low", "high")
EXPECTED: Final = f"expected a number from {LEAST:g} to {MOST:g}"

_ROUNDING: Final = 1e-9


def level_of(value: object) -> float:
    """Return the share of truths that an interval shall hold, from a number or its text. Raises
    InvalidQuery for anything else than LEAST to MOST."""
    level = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            level = float(value)
    if not LEAST <= level <= MOST:  # NaN is neither
        raise _refused(EXPECTED)
    return level


class Interval:
    """Makes the intervals of one level of one model's scores."""

    def __init__(self, predictor: Predictor, level: float) -> None:
        """Raise InvalidQuery where the model has no calibration."""
        found = predictor.manifest.calibration
        if found is None:
            raise _refused(_without(predictor))
        # the largest tail of the file that is no larger than the one asked for
        place = int((1 - level) / 2 / STEP + _ROUNDING) - 1
        self._model = predictor.model
        self._threshold = predictor.manifest.threshold
        self.edges: Sequence[float] = found.edges
        self.below = [errors[place] for errors in found.below]  # of each group
        self.above = [errors[place] for errors in found.above]

    def of(self, score: float) -> tuple[float, float]:
        """Return the least and the largest score of a record's interval."""
        group = bisect_right(self.edges, score)
        return score + self.below[group], score + self.above[group]

    def ends(self, score: float) -> dict[str, float]:
        """Return both ends of every number of the answer to `score`: `duration_low` and
        `duration_high`."""
        low, high = (self._model.answer(end, self._threshold) for end in self.of(score))
        return between(low, high)

    def added(
        self, answers: Sequence[Mapping[str, Any]], scores: Sequence[float]
    ) -> list[dict[str, Any]]:
        """Return `answers`, in order, with the interval of each one's score."""
        both = zip(answers, scores, strict=True)
        return [{**answer, **self.ends(score)} for answer, score in both]


def between(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, float]:
    """Return what the answers to both ends of an interval make of its numbers. An answer may fall
    where the score rises."""
    found: dict[str, float] = {}
    for name in numbers_of(low):
        ends = sorted((low[name], high[name]))
        found |= {f"{name}_{which}": one for which, one in zip(ENDS, ends, strict=True)}
    return found


def numbers_of(answer: Mapping[str, Any]) -> list[str]:
    """Return the keys of an answer that hold a number."""
    return [
        name
        for name, value in answer.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _without(predictor: Predictor) -> str:
    model = predictor.model
    if model.task == "classification":
        return f"'{model.name}' answers with probabilities; intervals are of predicted numbers"
    return (
        f"'{model.name}' {predictor.version} was made without calibration: train it anew with "
        f"python train.py {model.name}, on data that leaves 200 rows to hold out"
    )


def _refused(problem: str) -> InvalidQuery:
    return InvalidQuery("no interval can be given", (FieldError(PARAMETER, problem),))
