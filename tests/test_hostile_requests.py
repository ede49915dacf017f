"""No input makes a 5xx: every pair of files in `tests/requests/`, sent to a real gunicorn.

The raw bytes go over a socket whose sending side is then closed, so that all that the server ever
says to them is read: one answer too many, left over from a misread body, is seen as well.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests

from scoring.models import discover
from tests.request_pairs import CASES, SECRETS, raw_requests
from tests.support import Server, post

pytestmark = pytest.mark.slow

EXAMPLES = {name: dict(model.example) for name, model in discover().items()}
EXAMPLES["ride"]["trip_distance"] = 40  # as in the requests, of which many count every byte
TIMEOUT_S = 20

# --- the answers


@dataclass
class Answer:
    """One answer as it came over the wire; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def read_answer(stream: Any, *, without_body: bool) -> Answer | None:
    """Return the next final answer in `stream`, or None where it ends before one."""
    while True:
        line = stream.readline()
        if not line:
            return None
        version, status, _phrase = line.decode("latin-1").split(" ", 2)
        assert re.fullmatch(r"HTTP/1\.[01]", version)
        lines = [header.decode("latin-1").strip() for header in iter(stream.readline, b"\r\n")]
        headers = [line.split(": ", 1) for line in lines]
        names = [name.lower() for name, _ in headers]
        assert len(names) == len(set(names)), f"a header twice: {names}"
        if int(status) >= 200:
            break
    found = {name.lower(): value for name, value in headers}
    length = 0 if without_body else int(found["content-length"])
    body = stream.read(length)
    assert len(body) == length
    return Answer(int(status), found, body)


def ask(port: int, parts: list[bytes]) -> list[Answer]:
    """Send `parts`, each after the answer to the one before, and return every answer."""
    head_only = parts[0].startswith(b"HEAD ")
    answers = []
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        stream = connection.makefile("rb")
        for number, part in enumerate(parts, start=1):
            # who is refused may find the door closed before all is said, and still reads why
            with contextlib.suppress(OSError):
                connection.sendall(part)
                if number == len(parts):
                    connection.shutdown(socket.SHUT_WR)
            if number < len(parts) and (answer := read_answer(stream, without_body=head_only)):
                answers.append(answer)
        try:
            while answer := read_answer(stream, without_body=head_only):
                answers.append(answer)
        except ConnectionResetError:
            assert answers, "the connection was reset before there was an answer"
    return answers


def no_such_number(name: str) -> NoReturn:
    """Fail for a number that JSON has not."""
    pytest.fail(f"the answer holds {name}, which is no JSON")


def check_every_answer(answer: Answer, version: dict[str, str]) -> None:
    """Check what holds for all answers, whatever was asked."""
    assert answer.status < 500
    assert answer.headers["x-request-id"]
    assert answer.headers["model-version"] in version.values()
    assert not SECRETS.search(answer.body.decode())
    if answer.body and not answer.headers["content-type"].startswith("text/plain"):
        json.loads(answer.body, parse_constant=no_such_number)


def check_problem(answer: Answer) -> dict[str, Any]:
    """Return the problem document, which says what RFC 9457 asks for, and the fields of a 422."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer.body)
    assert problem["type"] == "about:blank"
    assert problem["title"] == http.HTTPStatus(answer.status).phrase
    assert problem["status"] == answer.status
    assert problem["detail"]
    expected = {"type", "title", "status", "detail"} | (
        {"errors"} if answer.status == 422 else set()
    )
    assert problem.keys() == expected
    for error in problem.get("errors", []):
        assert error.keys() == {"field", "problem"}
        assert error["problem"]
    return problem


def check(answer: Answer, expected: dict[str, Any], examples: dict[str, Any]) -> None:
    """Compare one answer with what its case expects of it."""
    assert answer.status == expected["status"], answer.body
    for name, pattern in expected.get("headers", {}).items():
        assert re.fullmatch(pattern, answer.headers[name.lower()])
    if "body" in expected:
        assert answer.body.decode() == expected["body"]
        return
    if answer.status >= 400:
        problem = check_problem(answer)
        fields = [error["field"] for error in problem.get("errors", [])]
        assert sorted(fields) == sorted(expected.get("fields", []))
        said = "\n".join([problem["detail"], *(e["problem"] for e in problem.get("errors", []))])
        for phrase in expected.get("says", []):
            assert phrase in said
    if "json" in expected:
        got = json.loads(answer.body)
        assert {name: got[name] for name in expected["json"]} == expected["json"]
    if "keys" in expected:
        assert sorted(json.loads(answer.body)) == sorted(expected["keys"])
    if "same_as_example" in expected:
        assert json.loads(answer.body) == examples[expected["same_as_example"]]


# --- the tests


@dataclass
class Asked:
    """A server, and what it said to every model's example before anything bad was sent."""

    server: Server
    examples: dict[str, Any]
    versions: dict[str, str]

    def log_since(self, start: int) -> str:
        """Return what was logged since the file had so many bytes."""
        return self.server.log.read_bytes()[start:].decode(errors="replace")


@pytest.fixture(scope="module")
def asked(server: Server) -> Iterator[Asked]:
    """Yield the server, before and after all these requests.

    It must answer the same, and its log must hold no exception of its own.
    """
    start = server.log.stat().st_size
    answers = {name: post(f"{server.url}/predict/{name}", EXAMPLES[name]) for name in EXAMPLES}
    examples = {name: answer.json() for name, answer in answers.items()}
    versions = {name: answer["model_version"] for name, answer in examples.items()}
    asked = Asked(server, examples, versions)
    yield asked
    for name, answer in examples.items():
        assert post(f"{server.url}/predict/{name}", EXAMPLES[name]).json() == answer
    assert "Traceback" not in asked.log_since(start)
    assert server.process.poll() is None


@pytest.mark.parametrize("name", CASES)
def test_the_request_gets_the_answer_of_its_pair(name: str, asked: Asked) -> None:
    """Each request of `tests/requests/` is answered as its .json file says.

    Nothing is logged as a failure of ours.
    """
    expected = json.loads(CASES[name].with_suffix(".json").read_text(encoding="utf-8"))
    start = asked.server.log.stat().st_size
    answers = ask(asked.server.port, raw_requests(CASES[name].read_bytes()))
    for answer in answers:
        check_every_answer(answer, asked.versions)
    wanted = expected.get("answers", [expected])
    assert [answer.status for answer in answers] == [one["status"] for one in wanted]
    for answer, one in zip(answers, wanted, strict=True):
        check(answer, one, asked.examples)
    assert "Traceback" not in asked.log_since(start)


def test_every_request_has_its_answer_and_every_answer_its_request() -> None:
    """No file in `tests/requests/` stands alone."""
    folder = Path(__file__).parent / "requests"
    assert CASES
    assert {file.stem for file in folder.glob("*.json")} == set(CASES)


# --- a large upload that is refused: the caller must read why, not find the connection reset

LARGE = 30 * 1000 * 1000  # bytes
REFUSALS = {
    "too-large": ("/predict", "application/json", 413),
    "no-such-page": ("/nowhere", "application/json", 404),
    "no-json": ("/predict", "text/plain", 415),
}


def pieces() -> Iterator[bytes]:
    """Yield thirty megabytes of spaces."""
    for _ in range(LARGE // 100_000):
        yield b" " * 100_000


def by_requests(port: int, path: str, media_type: str, *, chunked: bool) -> Answer:
    """Send it with requests, as most clients would."""
    body = pieces() if chunked else b" " * LARGE
    headers = {"Content-Type": media_type}
    url = f"http://127.0.0.1:{port}{path}"
    answer = requests.post(url, data=body, headers=headers, timeout=TIMEOUT_S)
    return Answer(answer.status_code, lower(answer.headers), answer.content)


def by_http_client(port: int, path: str, media_type: str, *, chunked: bool) -> Answer:
    """Send it with http.client."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        body = pieces() if chunked else b" " * LARGE
        connection.request("POST", path, body, {"Content-Type": media_type}, encode_chunked=chunked)
        answer = connection.getresponse()
        return Answer(answer.status, lower(answer.headers), answer.read())


def by_one_that_listens(port: int, path: str, media_type: str, *, chunked: bool) -> Answer:
    """Stop sending as soon as there is an answer, as curl does."""
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {LARGE}"
    head = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Type: {media_type}", framing, "", ""]
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall("\r\n".join(head).encode())
        for piece in pieces():
            if select.select([connection], [], [], 0)[0]:
                break
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        answer = read_answer(connection.makefile("rb"), without_body=False)
    assert answer is not None
    return answer


def lower(headers: Mapping[str, str] | http.client.HTTPMessage) -> dict[str, str]:
    """Return the headers with their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("send", [by_requests, by_http_client, by_one_that_listens])
def test_a_large_upload_that_is_refused_is_told_why(
    asked: Asked, send: Callable[..., Answer], chunked: bool, refusal: str
) -> None:
    """Thirty megabytes get a problem document, whatever is wrong with them, however they come."""
    path, media_type, status = REFUSALS[refusal]
    answer = send(asked.server.port, path, media_type, chunked=chunked)
    check_every_answer(answer, asked.versions)
    check(answer, {"status": status}, asked.examples)


def test_an_upload_that_stalls_gets_its_answer_and_nothing_more(asked: Asked) -> None:
    """Whoever announces thirty megabytes and falls silent reads one 413; then we hang up."""
    start = asked.server.log.stat().st_size
    with socket.create_connection(("127.0.0.1", asked.server.port), TIMEOUT_S) as connection:
        head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % LARGE + b" " * 10)
        stream = connection.makefile("rb")
        answer = read_answer(stream, without_body=False)
        assert answer is not None
        check(answer, {"status": 413}, asked.examples)
        assert stream.read() == b""
    assert "Traceback" not in asked.log_since(start)
