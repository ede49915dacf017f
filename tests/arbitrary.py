"""Hypothesis strategies of records, bodies and requests, and what every answer to them must be."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import pytest
from flask import Flask
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from werkzeug.test import TestResponse

from scoring.models import discover

MODELS = discover()
SCHEMAS = {name: model.record.model_json_schema()["properties"] for name, model in MODELS.items()}
every_model = pytest.mark.parametrize("name", MODELS)
# in CI the same examples every time: a failure there must be one's own change
thorough = settings(max_examples=80, deadline=None, derandomize="CI" in os.environ)


class Pairs(list[tuple[str, Any]]):
    """A JSON object in which a key may come twice."""


class Written(str):
    """A number or a constant as it stands in the text."""

    __slots__ = ()


def dumps(value: Any) -> str:
    """Return the text of a value made of Pairs, lists, Written and what JSON has."""
    if isinstance(value, Written):
        return value
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(one)}" for key, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dumps(one) for one in value) + "]"
    return json.dumps(value)


LARGE = ["1e999", "-1e999", "1" + "0" * 400, "-1" + "0" * 400, "9" * 5000, "1e-999", "-0.0", "1e0"]
keys = st.text(st.characters(), max_size=12)  # halves of characters as well
numbers = st.one_of(
    st.integers(),
    st.integers(-1, 267),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(LARGE).map(Written),
)
texts = st.one_of(keys, st.sampled_from(["", "1", "NaN", "Infinity", "null", "true", "1e5"]))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(st.tuples(keys, inner), max_size=4).map(Pairs),
    ),
    max_leaves=8,
)
WAYS = ["drop", "retype", "rename", "repeat", "add", "move"]


def records(name: str) -> SearchStrategy[Pairs]:
    """Return records of a model, mostly spoilt: fields dropped, retyped, renamed, sent twice."""
    example = MODELS[name].example
    fields = st.sampled_from(list(example))

    @st.composite
    def spoilt(draw: DrawFn) -> Pairs:
        pairs = Pairs(example.items())
        for way in draw(st.lists(st.sampled_from(WAYS), max_size=3)):
            field = draw(fields)
            place = next((i for i, (key, _) in enumerate(pairs) if key == field), None)
            if way == "add" or place is None:
                pairs.append((draw(keys), draw(values)))
            elif way == "drop":
                del pairs[place]
            elif way == "retype":
                pairs[place] = (field, draw(st.one_of(spellings(name, field), values)))
            elif way == "rename":
                pairs[place] = (draw(st.sampled_from([field.upper(), f"_{field}", field[1:]])), 1)
            elif way == "repeat":
                pairs.append((field, draw(st.one_of(st.just(example[field]), scalars))))
            else:
                pairs.append(pairs.pop(place))
        return pairs

    return spoilt()


def spellings(name: str, field: str) -> SearchStrategy[Any]:
    """Return other values of the field that are right, or nearly."""
    schema = SCHEMAS[name][field]
    if "enum" not in schema:
        low, high = (int(limit) for limit in limits(schema))
        whole = st.integers(low - 1, high + 1)
        return st.one_of(whole, whole.map(float), whole.map(str), st.booleans(), numbers)

    def spaced(text: str) -> str:
        return f" {text.replace('_', '  ')}\t"

    ways: list[Callable[[str], str]] = [str, str.upper, str.title, spaced]
    return st.tuples(st.sampled_from(schema["enum"]), st.sampled_from(ways)).map(
        lambda drawn: drawn[1](drawn[0])
    )


def limits(schema: Mapping[str, Any]) -> tuple[float, float]:
    """Return the smallest and the largest number of a field; the largest float is no limit."""
    largest = sys.float_info.max
    return schema.get("minimum", -largest), schema.get("maximum", largest)


def no_such_number(name: str) -> NoReturn:
    pytest.fail(f"the answer holds {name}, which is no JSON")


def checked(response: TestResponse) -> Any:
    """Return an answer's JSON; it is no 5xx, no redirect and no page but those for people, and says
    who and what."""
    assert response.status_code < 500
    assert not 300 <= response.status_code < 400
    assert response.headers["X-Request-ID"]
    assert response.headers["Model-Version"]
    text = response.get_data(as_text=True)
    if "Content-Security-Policy" in response.headers:
        assert "Traceback" not in text
        return None
    assert not re.search(r"<!doctype|<html|Traceback", text, re.IGNORECASE)
    if response.status_code >= 400:
        assert response.mimetype == "application/problem+json"
    if not text or response.mimetype == "text/plain":
        return None
    return json.loads(text, parse_constant=no_such_number)


def post(app: Flask, name: str, body: bytes | str) -> TestResponse:
    return app.test_client().post(f"/predict/{name}", data=body, content_type="application/json")
