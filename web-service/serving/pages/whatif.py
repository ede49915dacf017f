"""What if: the steps that one field takes while the others stay as they are.

The page asks the API for all steps in one array, so its curve is made of the answers that a program
gets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from scoring.errors import InvalidRecords
from scoring.lookups import names
from scoring.predictor import Predictor
from serving.pages.forms import Input, inputs

_STEPS: Final = 31


class Variation(NamedTuple):
    """A field with the values that it takes in turn, and of categories what the form calls them; of
    a field of choices both are the form's."""

    name: str
    title: str
    values: list[Any]
    labels: list[str]


def variations(predictor: Predictor, most: int) -> list[Variation]:
    """Return the fields that can be varied in at most `most` records: choices, numbers whose ends
    are known from the training or from the record's limits, and categories by the hundred, which
    take the values that training had most often."""
    found = []
    for field in inputs(predictor.model):
        values: list[Any] = _steps(predictor, field, min(most, _STEPS))
        labels: list[str] = []
        if not values and field.kind != "select":
            # the page puts the record's own beside them
            values = [*_frequent(predictor, field)][: min(most, _STEPS) - 1]
            labels = [_label(field, value) for value in values]
        if values or (field.kind == "select" and len(field.choices) <= most):
            found.append(Variation(field.name, field.title, values, labels))
    return found


def _frequent(predictor: Predictor, field: Input) -> Iterator[Any]:
    """Yield the values that training had most often, without those that the record refuses."""
    often = predictor.manifest.profile.get(field.name, {}).get("most_frequent")
    if not isinstance(often, list) or not (field.names or field.type == "string"):
        return
    for value, *_ in (pair for pair in often if isinstance(pair, list) and pair):
        try:
            predictor.reader.one({**predictor.model.example, field.name: value})
        except InvalidRecords:
            continue
        if value is not None:
            yield value


def _label(field: Input, value: Any) -> str:
    return f"{value} {names(field.names).get(value, '')}".strip() if field.names else str(value)


def _steps(predictor: Predictor, field: Input, most: int) -> list[float]:
    low, high = predictor.ranges.of.get(field.name, (field.minimum, field.maximum))
    if field.kind != "number" or most < 2 or low is None or high is None or not low < high:
        return []
    if field.type == "integer":
        step = max(1, math.ceil((high - low) / (most - 1)))
        return list(range(math.ceil(low), math.floor(high) + 1, step))
    steps = (float(f"{low + (high - low) * at / (most - 1):.4g}") for at in range(most))
    return [min(max(value, low), high) for value in steps]
