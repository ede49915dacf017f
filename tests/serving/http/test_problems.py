"""Every error, whatever its cause, is a problem document; our own faults tell nothing."""

from __future__ import annotations

import io
import json
import logging
from http import HTTPStatus
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient
from gunicorn.http.errors import InvalidChunkSize
from werkzeug.exceptions import BadRequest, TooManyRequests

from scoring.errors import FieldError, RequestError, UnknownModel
from serving.app import App, create_app
from serving.http.problems import MEDIA_TYPE, SERVER_ERROR, malformed_request, problem
from serving.settings import Settings

SECRET = "/srv/models/secret.bin"  # stands for what must not leak


@pytest.fixture
def failing(app: App) -> App:
    """An app of its own, to which a test may add a page that fails."""
    return create_app(Settings(max_body_bytes=1000), app.services.predictors)


def ask(app: App, error: Exception, **given: Any) -> Any:
    """Return the answer of a page that raises `error`."""

    def fail() -> Response:
        raise error

    app.add_url_rule("/fail", view_func=fail, methods=["GET", "POST"])
    return app.test_client().get("/fail", **given)


def is_problem(response: Any, status: int) -> dict[str, Any]:
    """Make sure of RFC 9457's members and return the document."""
    assert response.status_code == status
    assert response.headers["Content-Type"] == MEDIA_TYPE
    found: dict[str, Any] = json.loads(response.data)
    assert found["type"] == "about:blank"
    assert found["title"] == HTTPStatus(status).phrase
    assert found["status"] == status
    assert found["detail"]
    assert response.headers["X-Request-ID"]
    assert response.headers["Model-Version"]
    return found


def test_a_problem_has_the_members_of_the_rfc() -> None:
    """Type, title, status, detail, in this order, and what more there is."""
    assert list(problem(404, "gone", more=1).items()) == [
        ("type", "about:blank"),
        ("title", "Not Found"),
        ("status", 404),
        ("detail", "gone"),
        ("more", 1),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", RequestError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_a_request_error_is_answered_with_its_status(
    failing: App, kind: type[RequestError]
) -> None:
    """Each error of the tree knows its status and brings its words and fields."""
    found = is_problem(ask(failing, kind("why", (FieldError("a", "b"),))), kind.status)
    assert 400 <= kind.status < 500 or kind.retry_after_s
    assert found["detail"] == "why"
    assert found["errors"] == [{"field": "a", "problem": "b"}]


@pytest.mark.slow
def test_an_error_without_fields_lists_none(failing: App) -> None:
    """`errors` is there where a field is bad, and only there."""
    assert "errors" not in is_problem(ask(failing, UnknownModel("none")), 404)


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [ValueError(SECRET), KeyError(SECRET), MemoryError(), ArithmeticError(SECRET), OSError(SECRET)],
    ids=repr,
)
def test_an_unknown_error_is_logged_whole_and_answered_with_a_fixed_phrase(
    failing: App, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Our fault: a 500 that tells nothing, a log that tells all under the answer's id."""
    response = ask(failing, error, headers={"X-Request-ID": "id-7"})
    found = is_problem(response, 500)
    assert found["detail"] == SERVER_ERROR
    assert set(found) == {"type", "title", "status", "detail"}
    assert response.headers["X-Request-ID"] == "id-7"
    assert SECRET not in response.text + str(response.headers)
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.getMessage() == "GET '/fail' failed, request id-7"
    assert record.exc_info
    assert record.exc_info[1] is error
    assert "in fail" in caplog.text


@pytest.mark.slow
def test_a_path_cannot_forge_a_line_of_the_log(
    failing: App, caplog: pytest.LogCaptureFixture
) -> None:
    """A newline in the path is written as an escape."""

    def fail(_rest: str) -> Response:
        raise ValueError

    failing.add_url_rule("/fail/<path:_rest>", view_func=fail)
    failing.test_client().get("/fail/%0a2026 INFO all is well")
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(record.getMessage().splitlines()) == 1


@pytest.mark.slow
def test_an_answer_that_is_raised_finished_is_not_sent(failing: App) -> None:
    """An error with an answer of its own would be an answer in HTML."""
    error = TooManyRequests(response=Response(SECRET, 429))
    assert is_problem(ask(failing, error), 500)["detail"] == SERVER_ERROR


@pytest.mark.slow
def test_a_bad_request_that_werkzeug_finds_is_told_in_our_words(failing: App) -> None:
    """Its own speak of browsers and proxies, and may repeat what was sent."""
    found = is_problem(ask(failing, BadRequest(SECRET)), 400)
    assert found["detail"] == "the request cannot be understood"


def test_the_headers_of_an_http_error_are_kept(failing: App) -> None:
    """Retry-After goes along, the type of its HTML does not."""
    response = ask(failing, TooManyRequests(description="later", retry_after=7))
    assert is_problem(response, 429)["detail"] == "later"
    assert response.headers["Retry-After"] == "7"
    assert len(response.headers.getlist("Content-Type")) == 1


def test_an_unknown_page_is_told_of_two_that_there_are(client: FlaskClient) -> None:
    """404 says where to go, and does not repeat the path."""
    detail = is_problem(client.get("/<script>"), 404)["detail"]
    assert "POST /predict" in detail
    assert "script" not in detail


@pytest.mark.parametrize("path", ["//ping", "/ping/", "/predict/", "/predict//a", "/predict/a/b"])
def test_no_page_is_a_redirect(client: FlaskClient, path: str) -> None:
    """A slash too many is another page, not a redirect in HTML."""
    is_problem(client.post(path), 404)


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    """405 carries Allow, and says it in words."""
    response = client.get("/predict")
    found = is_problem(response, 405)
    assert found["detail"] == "GET is not allowed here; this address takes OPTIONS, POST"
    assert {word.strip() for word in response.headers["Allow"].split(",")} == {"OPTIONS", "POST"}


def test_a_long_method_is_not_repeated_whole(client: FlaskClient) -> None:
    """What a stranger sends is cut short."""
    assert len(is_problem(client.open("/ping", method="X" * 500), 405)["detail"]) < 100


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_too_large_is_told_the_limit(failing: App, chunked: bool) -> None:
    """The limit holds for a declared length and for chunks, to the byte."""
    client = failing.test_client()

    def send(size: int) -> Any:
        body = json.dumps(dict(next(iter(failing.services.predictors)).model.example))
        given: dict[str, Any] = {"data": body.ljust(size), "content_type": "application/json"}
        if chunked:
            stream = io.BytesIO(given.pop("data").encode())
            given["headers"] = {"Transfer-Encoding": "chunked"}
            given["environ_overrides"] = {"wsgi.input": stream, "wsgi.input_terminated": True}
        return client.post("/predict", **given)

    assert send(1000).status_code == 200
    assert is_problem(send(1001), 413)["detail"] == "the body is larger than 1000 bytes"


@pytest.mark.parametrize("error", [ConnectionResetError(SECRET), InvalidChunkSize(b"xyz")])
def test_a_body_that_breaks_off_is_the_callers_fault(client: FlaskClient, error: Exception) -> None:
    """A connection that ends amid the body, or chunks that are none, are a 400."""

    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: Any) -> int:
            raise error

    response = client.post(
        "/predict",
        content_type="application/json",
        environ_overrides={"wsgi.input": Broken(), "wsgi.input_terminated": True},
    )
    assert is_problem(response, 400)["detail"] == "the body could not be read to its end"


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data",
     "application/json; charset=utf-16", "application/json; charset=latin-1", "json", ""],
)  # fmt: skip
def test_what_is_not_declared_as_json_is_not_read(
    client: FlaskClient, content_type: str | None
) -> None:
    """415 names the type that is wanted."""
    response = client.post("/predict", data=b"{}", content_type=content_type)
    assert "application/json" in is_problem(response, 415)["detail"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=UTF-8", "APPLICATION/JSON",
     "application/json;charset=us-ascii", "application/vnd.api+json"],
)  # fmt: skip
def test_plain_json_under_its_names_is_read(client: FlaskClient, content_type: str) -> None:
    """Past the type, the body is looked at."""
    is_problem(client.post("/predict", data=b"{}", content_type=content_type), 422)


@pytest.mark.parametrize(
    ("coding", "status"), [("gzip", 415), ("br", 415), ("gzip, identity", 415), ("Identity", 422)]
)
def test_a_compressed_body_is_refused(client: FlaskClient, coding: str, status: int) -> None:
    """No bomb is unpacked here."""
    response = client.post("/predict", json={}, headers={"Content-Encoding": coding})
    is_problem(response, status)


@pytest.mark.parametrize(
    ("status", "message", "sent", "detail"),
    [
        (400, "Invalid HTTP request line", 400, "Invalid HTTP request line"),
        (431, "Too large", 431, "Too large"),
        (501, "Unknown coding 'x'", 400, "Unknown coding 'x'"),
        (500, SECRET, 500, SERVER_ERROR),
        (503, "too many", 503, "too many"),
        (400, "a\r\nSet-Cookie: b\x00", 400, "a??Set-Cookie: b?"),
        (400, "", 400, "this is not an HTTP request"),
        (400, "x" * 999, 400, "x" * 200),
    ],
    ids=["line", "headers", "coding", "ours", "busy", "forged", "nothing", "long"],
)
def test_what_is_no_http_gets_a_problem_too(
    status: int, message: str, sent: int, detail: str
) -> None:
    """Before Flask sees it, gunicorn would answer in plain text: here it is a problem like any."""
    found, body = malformed_request(status, message)
    assert found == sent
    assert json.loads(body) == problem(sent, detail)
