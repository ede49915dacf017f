"""No input makes a 5xx: what hypothesis can think of, thrown at the app.

What an answer should be is worked out here from each record's published JSON schema alone.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from scoring.models import discover

MODELS = discover()
SCHEMAS = {name: model.record.model_json_schema()["properties"] for name, model in MODELS.items()}

every_model = pytest.mark.parametrize("name", MODELS)
# in CI the same examples every time: a failure there must be one's own change
thorough = settings(max_examples=80, deadline=None, derandomize="CI" in os.environ)


# --- JSON as text: what Python's dict and float cannot hold is part of it


class Pairs(list[tuple[str, Any]]):
    """A JSON object in which a key may come twice."""


class Written(str):
    """A number or a constant as it stands in the text."""

    __slots__ = ()


def dumps(value: Any) -> str:
    """Gives the text of a value made of Pairs, lists, Written and what JSON has."""
    if isinstance(value, Written):
        return value
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(one)}" for key, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dumps(one) for one in value) + "]"
    return json.dumps(value)


NO_JSON = ["NaN", "Infinity", "-Infinity", "nan", "inf", "None", "01", "+1", "1.", ".5", "0x1"]
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
    """Gives records of a model, mostly spoilt: fields dropped, retyped, renamed, sent twice."""
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
    """Gives other values of the field that are right, or nearly."""
    schema = SCHEMAS[name][field]
    if "enum" not in schema:
        low, high = (int(limit) for limit in limits(schema))
        whole = st.integers(low - 1, high + 1)
        return st.one_of(whole, whole.map(float), whole.map(str), st.booleans(), numbers)
    ways = st.sampled_from(
        [str, str.upper, str.title, lambda text: f" {text.replace('_', '  ')}\t"]
    )
    return st.tuples(st.sampled_from(schema["enum"]), ways).map(lambda drawn: drawn[1](drawn[0]))


# --- what should be answered


def number(value: Any) -> int | float | None:
    """Gives the number that a JSON reader finds, or None where there is none."""
    if isinstance(value, Written):
        return int(value) if re.fullmatch(r"-?\d{1,4000}", value) else float(value)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def limits(schema: Mapping[str, Any]) -> tuple[float, float]:
    """Gives the smallest and the largest number of a field; no float is larger than the largest."""
    largest = sys.float_info.max
    return schema.get("minimum", -largest), schema.get("maximum", largest)


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether the value is what a field's JSON schema asks for."""
    is_text = isinstance(value, str) and not isinstance(value, Written)
    if "enum" in schema:
        return is_text and "_".join(value.lower().split()) in schema["enum"]
    if schema["type"] == "string":
        return is_text
    found = number(value)
    if found is None or (schema["type"] == "integer" and not isinstance(found, int)):
        return False
    low, high = limits(schema)
    return low <= found <= high


def bad_fields(record: Any, name: str) -> list[str]:
    """Gives the fields that keep a value from being a record; the whole is ""."""
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
    """Gives what the answer to a body should name under `errors`, in any order."""
    if isinstance(value, Pairs) or not isinstance(value, list):
        return [field or "body" for field in bad_fields(value, name)]
    return [
        f"[{place}].{field}".removesuffix(".")
        for place, record in enumerate(value)
        for field in bad_fields(record, name)
    ]


def is_json(body: bytes) -> bool:
    """Whether Python's own reader can read it, without its leniency about NaN and its limits."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    try:
        json.loads(body.decode("utf-8"), parse_constant=refuse, parse_int=float)
    except ValueError:
        return False
    return True


# --- what holds for every answer


def no_such_number(name: str) -> NoReturn:
    pytest.fail(f"the answer holds {name}, which is no JSON")


def checked(response: TestResponse) -> Any:
    """Gives an answer's JSON; it is no 5xx, no redirect and no page but those for people, and says
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


# --- the tests


@every_model
@thorough
@given(data=st.data())
def test_a_spoilt_record_is_answered_by_its_bad_fields(
    app: Flask, name: str, data: st.DataObject
) -> None:
    """200 where the record is still valid, else a 422 that names exactly the bad fields."""
    check_judgement(app, name, data.draw(records(name)))


@every_model
@thorough
@given(data=st.data())
def test_an_array_is_answered_by_its_bad_records(
    app: Flask, name: str, data: st.DataObject
) -> None:
    """Each bad field of each record is named by its index, among valid records or others."""
    check_judgement(app, name, data.draw(st.lists(st.one_of(records(name), values), max_size=5)))


@every_model
@thorough
@given(value=values)
def test_any_json_is_a_record_or_is_told_why_not(app: Flask, name: str, value: Any) -> None:
    """Arbitrary JSON gets a 422, or a 200 where it happens to be valid."""
    check_judgement(app, name, value)


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


@every_model
@thorough
@given(data=st.data())
def test_any_bytes_are_answered(app: Flask, name: str, data: st.DataObject) -> None:
    """Bytes that are no JSON text are a 400: random ones, and records with bytes exchanged."""
    text = dumps(data.draw(records(name))).encode()
    place = data.draw(st.integers(0, len(text)))
    torn = (
        text[:place]
        + data.draw(st.binary(max_size=4))
        + text[place + data.draw(st.integers(0, 4)) :]
    )
    body = data.draw(st.one_of(st.just(torn), st.binary(max_size=60)))
    response = post(app, name, body)
    checked(response)
    assert (response.status_code == 400) == (not is_json(body))


PATHS = st.one_of(
    st.sampled_from(
        ["/", "", "*", "//", "/ping", "/predict", "/predict/ride", "/models", "/models/churn"]
    ),
    st.sampled_from(
        ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs", "/ping/", "//ping"]
    ),
    st.text(st.characters(max_codepoint=0x2FF), max_size=30).map(lambda text: f"/{text}"),
    st.lists(
        st.sampled_from(["predict", "models", "ride", "..", ".", "", "%2f", "a:b", "<", "\0", "\n"])
    ).map("/".join),
)
METHODS = st.one_of(
    st.sampled_from(
        ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "BREW"]
    ),
    st.text("ABCXYZ-_!", min_size=1, max_size=20),
)
NAMES = """
    CONTENT_TYPE CONTENT_LENGTH QUERY_STRING HTTP_HOST HTTP_ACCEPT HTTP_ACCEPT_ENCODING HTTP_COOKIE
    HTTP_CONTENT_ENCODING HTTP_X_REQUEST_ID HTTP_TRANSFER_ENCODING HTTP_AUTHORIZATION HTTP_RANGE
    HTTP_UPGRADE HTTP_CONNECTION HTTP_IF_NONE_MATCH HTTP_IF_MODIFIED_SINCE HTTP_X_FORWARDED_FOR
"""
MEANT = """
    application/json application/problem+json;charset=x text/html multipart/form-data;boundary= -1
    0 5 1e9 localhost:99999 [::1 gzip chunked bytes=0- Upgrade websocket W/"x" Basic
"""
# what gunicorn lets through: visible characters, spaces, tabs and bytes beyond ASCII
HEADERS = st.dictionaries(
    st.sampled_from(NAMES.split()),
    st.one_of(
        st.sampled_from(MEANT.split()),
        st.text(
            st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"),
            max_size=30,
        ),
    ),
    max_size=5,
)


@settings(thorough, max_examples=250)
@given(path=PATHS, method=METHODS, headers=HEADERS, body=st.binary(max_size=40))
def test_any_path_method_and_headers_are_answered(
    app: Flask, path: str, method: str, headers: dict[str, str], body: bytes
) -> None:
    """Whatever is asked of whatever page: an answer or a problem document, no page, no 5xx."""
    environ = EnvironBuilder(path="/", method="POST", data=body).get_environ()
    environ |= {**headers, "REQUEST_METHOD": method}
    environ["PATH_INFO"] = path.encode("utf-8").decode("latin-1")
    response = TestResponse(*run_wsgi_app(app, environ), Request(environ))
    checked(response)
    if method == "HEAD":
        assert response.get_data() == b""
    if response.status_code == 405:
        assert response.headers["Allow"]
