"""What if: the steps that one field takes while the others stay as they are.

The page asks the API for all steps in one array, so its curve is made of the answers that a program
gets.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from scoring.predictor import Predictor
from serving.pages.forms import Input, inputs

_STEPS: Final = 31


class Variation(NamedTuple):
    """A field with the values that it takes in turn; of a field of choices those of the form."""

    name: str
    title: str
    values: list[float]


def variations(predictor: Predictor, most: int) -> list[Variation]:
    """Return the fields that can be varied in at most `most` records: choices, and numbers whose
    ends are known from the training or from the record's limits."""
    found = []
    for field in inputs(predictor.model):
        values = _steps(predictor, field, min(most, _STEPS))
        if values or (field.kind == "select" and len(field.choices) <= most):
            found.append(Variation(field.name, field.title, values))
    return found


def _steps(predictor: Predictor, field: Input, most: int) -> list[float]:
    low, high = predictor.ranges.of.get(field.name, (field.minimum, field.maximum))
    if field.kind != "number" or most < 2 or low is None or high is None or not low < high:
        return []
    if field.type == "integer":
        step = max(1, math.ceil((high - low) / (most - 1)))
        return list(range(math.ceil(low), math.floor(high) + 1, step))
    steps = (float(f"{low + (high - low) * at / (most - 1):.4g}") for at in range(most))
    return [min(max(value, low), high) for value in steps]
