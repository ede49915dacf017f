"""Properties of every answer, over arbitrary bytes, paths, methods and headers."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from tests.arbitrary import (
    checked,
    dumps,
    every_model,
    post,
    records,
    thorough,
)


def is_json(body: bytes) -> bool:
    """Whether Python's own reader can read it, without its leniency about NaN and its limits."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    try:
        json.loads(body.decode("utf-8"), parse_constant=refuse, parse_int=float)
    except ValueError:
        return False
    return True


@pytest.mark.slow
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


@pytest.mark.slow
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
