"""Training takes just the rows that the endpoint takes."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from scoring.models import Model, discover
from tests.support import records
from tests.training.support import table
from training.data.checks import MIN_ROWS, check
from training.sources import Source

MODELS = discover()
OPEN = Source(tidy=lambda frame: frame)  # no limits of the target


def values_of(field: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values of one column, good and bad, of one type as a column has it."""
    if "enum" in field:
        spelt = st.sampled_from(field["enum"]).flatmap(
            lambda word: st.sampled_from(
                [word, word.upper(), word.replace("_", " "), f" {word.title()} ", word + "x"]
            )
        )
        return st.one_of(spelt, spelt, st.none(), st.text(max_size=5))
    if field["type"] == "boolean":
        return st.one_of(st.booleans(), st.none())
    if field["type"] == "string":
        return st.one_of(st.text(max_size=5), st.none())
    low, high = field.get("minimum", -100), field.get("maximum", 100)
    near = [low - 1, low, low + 0.5, high, high + 1, -0.0, 1e-320, math.nan, math.inf, -math.inf]
    good = (
        st.integers(low, high)
        if field["type"] == "integer"
        else st.floats(low, high, allow_nan=False)
    )
    return st.one_of(good, good, good, st.sampled_from(near), st.floats()).map(float)


def rows_of(model: Model) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a few rows, each the example with up to three fields changed."""
    fields = model.record.model_json_schema()["properties"]
    change = st.one_of([st.tuples(st.just(n), values_of(f)) for n, f in fields.items()])
    rows = st.lists(change, max_size=3).map(lambda found: {**model.example, **dict(found)})
    return st.lists(rows, min_size=1, max_size=12)


def is_record(row: dict[str, Any], model: Model) -> bool:
    """Return whether the endpoint takes the row as JSON has it.

    That is 3, not 3.0, as zones are where some are null, and no key for a missing value.
    """
    fields = model.record.model_json_schema()["properties"]
    whole = {n for n, f in fields.items() if f["type"] == "integer"}
    sent = {
        n: int(v) if n in whole and isinstance(v, float) and v.is_integer() else v
        for n, v in row.items()
    }
    try:
        model.record.model_validate(sent)
    except ValidationError:
        return False
    return True


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_training_takes_just_the_rows_that_the_endpoint_takes(
    name: str, data: st.DataObject
) -> None:
    """The checks by column and the record's own agree on every row, and on its values."""
    model = MODELS[name]
    drawn = data.draw(rows_of(model))
    rows = [*records(model, MIN_ROWS), *drawn]
    frame = pd.DataFrame(rows)
    frame[model.target] = [float(number % 2) for number in range(len(rows))]
    frame["when"] = range(len(rows))
    found = check(table(frame), model, OPEN, max_dropped=1).frame
    expected = [number for number, row in enumerate(rows) if is_record(row, model)]
    assert found["when"].tolist() == expected
    fields = list(model.record.model_fields)
    for row, number in zip(found[fields].to_dict("records"), expected, strict=True):
        as_sent = {n: int(v) if isinstance(row[n], int) else v for n, v in rows[number].items()}
        assert model.record.model_validate(as_sent).model_dump() == row
