"""Properties of every answer, over records and JSON values that Hypothesis makes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from tests.arbitrary import (
    MODELS,
    SCHEMAS,
    Pairs,
    Written,
    checked,
    dumps,
    every_model,
    keys,
    limits,
    post,
    records,
    thorough,
    values,
)

NO_JSON = ["NaN", "Infinity", "-Infinity", "nan", "inf", "None", "01", "+1", "1.", ".5", "0x1"]


def number(value: Any) -> int | float | None:
    """Return the number that a JSON reader finds, or None where there is none."""
    if isinstance(value, Written):
        return int(value) if re.fullmatch(r"-?\d{1,4000}", value) else float(value)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether the value is what a field's JSON schema asks for."""
    is_text = isinstance(value, str) and not isinstance(value, Written)
    if "enum" in schema:
        return is_text and "_".join(value.lower().split()) in schema["enum"]
    if schema["type"] == "string":
        return is_text
    found = number(value)
    if found is None or (schema["type"] == "integer" and found % 1):
        return False
    low, high = limits(schema)
    return low <= found <= high


def bad_fields(record: Any, name: str) -> list[str]:
    """Return the fields that keep a value from being a record; the whole is ""."""
    if not isinstance(record, Pairs):
        return [""]
    sent: dict[str, list[Any]] = {}
    for key, value in record:
        sent.setdefault(key, []).append(value)
    return [
        field
        for field, schema in SCHEMAS[name].items()
        if len(sent.get(field, [])) != 1 or not fits(sent[field][0], schema)
    ]


def all_bad_fields(value: Any, name: str) -> list[str]:
    """Return what the answer to a body should name under `errors`, in any order."""
    if isinstance(value, Pairs) or not isinstance(value, list):
        return [field or "body" for field in bad_fields(value, name)]
    return [
        f"[{place}].{field}".removesuffix(".")
        for place, record in enumerate(value)
        for field in bad_fields(record, name)
    ]


def check_judgement(app: Flask, name: str, value: Any) -> None:
    """The answer to `value` is the one that follows from the schema."""
    response = post(app, name, dumps(value))
    answer = checked(response)
    expected = all_bad_fields(value, name)
    assert response.status_code == (422 if expected else 200), answer
    if expected:
        assert sorted(error["field"] for error in answer["errors"]) == sorted(expected)
        return
    answers = [answer] if isinstance(value, Pairs) else answer["predictions"]
    assert len(answers) == (1 if isinstance(value, Pairs) else len(value))
    for one in answers:
        assert all(math.isfinite(one[key]) for key in MODELS[name].answer(0.5, 0.5))


@pytest.mark.slow
@every_model
@thorough
@given(data=st.data())
def test_a_spoilt_record_is_answered_by_its_bad_fields(
    app: Flask, name: str, data: st.DataObject
) -> None:
    """200 where the record is still valid, else a 422 that names exactly the bad fields."""
    check_judgement(app, name, data.draw(records(name)))


@pytest.mark.slow
@every_model
@thorough
@given(data=st.data())
def test_an_array_is_answered_by_its_bad_records(
    app: Flask, name: str, data: st.DataObject
) -> None:
    """Each bad field of each record is named by its index, among valid records or others."""
    check_judgement(app, name, data.draw(st.lists(st.one_of(records(name), values), max_size=5)))


@pytest.mark.slow
@every_model
@thorough
@given(value=values)
def test_any_json_is_a_record_or_is_told_why_not(app: Flask, name: str, value: Any) -> None:
    """Arbitrary JSON gets a 422, or a 200 where it happens to be valid."""
    check_judgement(app, name, value)


@pytest.mark.slow
@every_model
@thorough
@given(data=st.data(), literal=st.sampled_from(NO_JSON))
def test_what_is_no_json_number_is_refused_wherever_it_stands(
    app: Flask, name: str, data: st.DataObject, literal: str
) -> None:
    """NaN and its like make the whole body a 400, in a field or under any other key."""
    pairs = data.draw(records(name))
    place = data.draw(st.integers(0, len(pairs)))
    key = data.draw(st.one_of(keys, st.sampled_from(list(SCHEMAS[name]))))
    pairs.insert(place, (key, Written(literal)))
    response = post(app, name, dumps(pairs))
    checked(response)
    assert response.status_code == 400
