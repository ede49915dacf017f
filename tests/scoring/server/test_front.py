"""The front in process: both ways give the same answer, and what is unusual goes Flask's way."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.app import create_app
from scoring.models import Model, discover
from scoring.server.front import AT_ONCE_BYTES, Front
from scoring.settings import Settings
from tests.support import records

JSON = (b"content-type", b"application/json")
ID = (b"x-request-id", b"same-for-both")


class Got(NamedTuple):
    """What came back over ASGI."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    front: Front, body: bytes, *headers: tuple[bytes, bytes], path: bytes = b"/predict",
    method: str = "POST", query: bytes = b"", length: bool = True, pieces: int = 1,
) -> Got:  # fmt: skip
    """Gives the answer to one request, whose body comes in so many pieces."""
    size = -(-len(body) // pieces) or 1
    waiting = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    sent: list[dict[str, Any]] = []
    given_headers = list(headers)
    if length:
        given_headers.append((b"content-length", b"%d" % len(body)))

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
        "path": path.decode("latin-1"), "raw_path": path, "query_string": query,
        "headers": given_headers, "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9),
    }  # fmt: skip
    await front(scope, receive, send)
    start, end = [message for message in sent if message["type"] != "http.response.informational"]
    return Got(start["status"], start["headers"], end["body"])


def at_once(
    front: Front, body: bytes, *headers: tuple[bytes, bytes], path: bytes = b"/predict",
    method: str = "POST", query: bytes = b"",
) -> Got | None:  # fmt: skip
    """Gives what the protocol gets for a whole request, None where it has Flask asked."""
    found = dict([*headers, (b"content-length", b"%d" % len(body))])
    target = path + (b"?" + query if query else b"")
    if not front.is_plain(method.encode(), target, found):
        return None
    answer = front.at_once(target, found, body, "127.0.0.1")
    return Got(*answer) if answer else None


class Both(NamedTuple):
    """A front, and what it gives on either way."""

    front: Front

    def ask(self, body: bytes, *headers: tuple[bytes, bytes], **more: Any) -> Got:
        """Gives what Flask's way answers, to the byte the same as the other, where that does."""
        by_flask = asyncio.run(ask(self.front, body, ID, *headers, **more))
        assert at_once(self.front, body, ID, *headers, **more) in (by_flask, None)
        return by_flask


@pytest.fixture(scope="module")
def both(app: Flask) -> Iterator[Both]:
    made = Both(Front(app, Settings(access_log="off", models_dir=Path("unused"))))
    yield made
    made.front._bridge.close()


def test_both_ways_answer_every_record_alike(both: Both, model: Model) -> None:
    """Valid records of each model, alone and as an array."""
    path = f"/predict/{model.name}".encode()
    rows = records(model)
    for row in rows:
        assert both.ask(json.dumps(row).encode(), JSON, path=path).status == 200
    found = both.ask(json.dumps(rows).encode(), JSON, path=path)
    assert len(found.json["predictions"]) == len(rows)


REQUESTS = sorted((Path(__file__).parents[2] / "requests").glob("*.http"))


@pytest.mark.parametrize("file", REQUESTS, ids=lambda file: file.stem)
def test_both_ways_answer_the_body_of_every_request_of_the_suite_alike(
    both: Both, file: Path
) -> None:
    """Whatever stands behind the first blank line, posted as JSON."""
    body = file.read_bytes().partition(b"\n\n")[2]
    both.ask(body, JSON)
    both.ask(body, JSON, path=b"/predict/churn")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)  # fmt: skip
MODELS = discover()


@given(data=st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_both_ways_answer_whatever_is_sent_alike(both: Both, data: st.DataObject) -> None:
    """Records with fields exchanged for anything, any JSON at all, and any bytes."""
    name = data.draw(st.sampled_from(sorted(MODELS)))
    record = dict(MODELS[name].example)
    for field in data.draw(st.lists(st.sampled_from(sorted(record)), max_size=3)):
        record[field] = data.draw(VALUES)
    shapes = st.sampled_from([record, [record], [record, MODELS[name].example]])
    text = (shapes | VALUES).map(lambda value: json.dumps(value).encode())
    body = data.draw(text | st.binary(max_size=60))
    assert both.ask(body, JSON, path=f"/predict/{name}".encode()).status < 500


@pytest.mark.parametrize(
    "headers",
    [
        [JSON],
        [(b"content-type", b"application/json; charset=utf-8")],
        [JSON, (b"accept", b"*/*"), (b"user-agent", b"x"), (b"connection", b"keep-alive")],
    ],
    ids=["plain", "charset", "usual"],
)
def test_what_clients_send_is_answered_at_once(
    both: Both, headers: list[tuple[bytes, bytes]]
) -> None:
    """Without a thread."""
    body = json.dumps(MODELS["ride"].example).encode()
    found = at_once(both.front, body, *headers)
    assert found is not None
    assert found.status == 200


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        ([(b"content-type", b"text/plain")], {}),
        ([], {}),
        ([JSON, (b"content-encoding", b"gzip")], {}),
        ([JSON, (b"transfer-encoding", b"chunked")], {}),
        ([JSON, (b"expect", b"100-continue")], {}),
        ([JSON], {"query": b"explain=true"}),
        ([JSON], {"path": b"/predict/"}),
        ([JSON], {"path": b"/predict/%72ide"}),
        ([JSON], {"path": b"http://x/predict"}),
        ([JSON], {"method": "PUT"}),
    ],
    ids=["type", "no type", "coding", "chunks", "expect", "query", "slash", "escaped",
         "absolute", "method"],
)  # fmt: skip
def test_what_is_unusual_goes_flasks_way(
    both: Both, headers: list[tuple[bytes, bytes]], more: dict[str, Any]
) -> None:
    """And is answered there."""
    body = json.dumps(MODELS["ride"].example).encode()
    assert at_once(both.front, body, *headers, **more) is None
    assert asyncio.run(ask(both.front, body, *headers, **more)).status in {200, 404, 405, 415}


def test_a_large_body_goes_flasks_way(both: Both) -> None:
    """It would keep the others waiting."""
    body = json.dumps([dict(MODELS["ride"].example)] * 400).encode()
    assert len(body) > AT_ONCE_BYTES
    assert at_once(both.front, body, JSON) is None
    assert len(both.ask(body, JSON).json["predictions"]) == 400


def test_a_fault_of_ours_goes_flasks_way_and_is_a_500(
    both: Both, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Which logs it once and tells nothing."""

    def fail(*_args: Any, **_more: Any) -> None:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr("scoring.api.predictions.predict", fail)
    assert at_once(both.front, b"{}", JSON) is None
    found = asyncio.run(ask(both.front, b"{}", JSON))
    assert found.status == 500
    assert b"secret" not in found.body
    logged = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert logged == [ZeroDivisionError]


# --- what is held in line


@pytest.fixture
def slow(app: Flask) -> Iterator[tuple[Front, threading.Event]]:
    """A front with one thread, a line of two and a second's patience, and an app with a page that
    waits for the event."""
    limits = Settings(
        access_log="off", threads=1, max_in_flight=2, timeout=1, models_dir=Path("unused")
    )
    made = create_app(limits, app.extensions["predictors"])
    gate = threading.Event()

    @made.get("/slow")
    def wait() -> Response:
        gate.wait(30)
        return Response("done")

    front = Front(made, limits)
    yield front, gate
    gate.set()
    front._bridge.close()


def test_more_than_the_line_holds_is_refused_at_once(slow: tuple[Front, threading.Event]) -> None:
    """503 with Retry-After, while what was accepted is answered, and records and probes are."""
    front, gate = slow

    async def crowd() -> tuple[Any, ...]:
        accepted = [
            asyncio.create_task(ask(front, b"", path=b"/slow", method="GET")) for _ in range(2)
        ]
        while front._bridge.in_flight < 2:
            await asyncio.sleep(0)
        refused = await ask(front, b"", path=b"/slow", method="GET")
        ping = await ask(front, b"", path=b"/ping", method="GET")
        body = json.dumps(MODELS["ride"].example).encode()
        record = at_once(front, body, JSON)
        gate.set()
        return refused, ping, record, await asyncio.gather(*accepted)

    refused, ping, record, accepted = asyncio.run(crowd())
    assert refused.status == refused.json["status"] == 503
    assert dict(refused.headers)[b"Retry-After"] == b"1"
    assert (ping.body, record.status) == (b"PONG", 200)
    assert [answer.body for answer in accepted] == [b"done", b"done"]
    assert front._bridge.in_flight == 0


def test_an_answer_that_takes_too_long_is_cut(slow: tuple[Front, threading.Event]) -> None:
    """503 after TIMEOUT; its thread counts until it is done."""
    front, gate = slow

    async def patient() -> tuple[Got, int]:
        found = await ask(front, b"", path=b"/slow", method="GET")
        busy = front._bridge.in_flight
        gate.set()
        while front._bridge.in_flight:
            await asyncio.sleep(0.01)
        return found, busy

    found, busy = asyncio.run(patient())
    assert (found.status, busy) == (503, 1)
    assert "within 1 seconds" in found.json["detail"]


def test_a_body_that_does_not_come_is_a_408(slow: tuple[Front, threading.Event]) -> None:
    """It is waited for as long as for an answer, and holds no thread."""
    front, _ = slow

    async def stalled() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(30)
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http",
            "raw_path": b"/models/ride/try", "query_string": b"", "client": None, "server": None,
            "headers": [(b"content-type", b"application/x-www-form-urlencoded"),
                        (b"content-length", b"9")],
        }  # fmt: skip
        await front(scope, receive, send)
        return sent

    start, _ = asyncio.run(stalled())
    assert start["status"] == 408


def test_the_front_ends_with_its_worker(both: Both, app: Flask) -> None:
    """ASGI's lifespan: started, then ended, each acknowledged."""
    front = Front(app, Settings(access_log="on", models_dir=Path("unused")))
    asked = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return next(asked)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    asyncio.run(front({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
