"""`AsgiApp`: requests in flight, time limits, bodies that do not come."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Response

from serving.app import App, create_app
from serving.server.asgi import AsgiApp
from serving.settings import Settings
from tests.serving.server.apps import ID, JSON, MODELS, Both, Got, ask, fast_path
from tests.support.loops import run

SITE = (b"origin", b"https://shop.example")


def check_cors(headers: list[tuple[bytes, bytes]]) -> None:
    """Check that a page of a listed site can read why it was refused."""
    assert dict(headers)[b"Access-Control-Allow-Origin"] == SITE[1]
    assert b"Retry-After" in dict(headers)[b"Access-Control-Expose-Headers"]


@pytest.fixture
def slow(app: App) -> Iterator[tuple[AsgiApp, threading.Event]]:
    """Yield a service with one thread, a queue of two, a second's patience, and a slow page.

    The page is answered once the event is set.
    """
    limits = Settings(
        access_log="off",
        threads=1,
        max_in_flight=2,
        timeout=1,
        models_dir=Path("unused"),
        cors_origins=("https://shop.example",),
    )
    made = create_app(limits, app.services.predictors)
    gate = threading.Event()

    @made.get("/slow")
    def wait() -> Response:
        gate.wait(30)
        return Response("done")

    asgi = AsgiApp(made)
    yield asgi, gate
    gate.set()
    asgi._executor.close()


@pytest.mark.slow
def test_more_than_the_line_holds_is_refused_at_once(slow: tuple[AsgiApp, threading.Event]) -> None:
    """503 with Retry-After, while what was accepted is answered, and records and probes are."""
    asgi, gate = slow

    async def crowd() -> tuple[Any, ...]:
        accepted = [
            asyncio.create_task(ask(asgi, b"", path=b"/slow", method="GET")) for _ in range(2)
        ]
        while asgi._executor.in_flight < 2:
            await asyncio.sleep(0)
        refused = await ask(asgi, b"", SITE, path=b"/slow", method="GET")
        ping = await ask(asgi, b"", path=b"/ping", method="GET")
        body = json.dumps(MODELS["ride"].example).encode()
        record = fast_path(asgi, body, JSON)
        gate.set()
        return refused, ping, record, await asyncio.gather(*accepted)

    refused, ping, record, accepted = run(crowd())
    assert refused.status == refused.json["status"] == 503
    assert dict(refused.headers)[b"Retry-After"] == b"1"
    check_cors(refused.headers)
    assert (ping.body, record.status) == (b"PONG", 200)
    assert [answer.body for answer in accepted] == [b"done", b"done"]
    assert asgi._executor.in_flight == 0


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_cut(slow: tuple[AsgiApp, threading.Event]) -> None:
    """503 after TIMEOUT; its thread counts until it is done."""
    asgi, gate = slow

    async def patient() -> tuple[Got, int]:
        found = await ask(asgi, b"", SITE, path=b"/slow", method="GET")
        busy = asgi._executor.in_flight
        gate.set()
        while asgi._executor.in_flight:
            await asyncio.sleep(0.01)
        return found, busy

    found, busy = run(patient())
    assert (found.status, busy) == (503, 1)
    assert "within 1 seconds" in found.json["detail"]
    check_cors(found.headers)


@pytest.mark.slow
def test_a_body_that_does_not_come_is_a_408(slow: tuple[AsgiApp, threading.Event]) -> None:
    """It is waited for as long as for an answer, and holds no thread."""
    asgi, _ = slow

    async def stalled() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(30)
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/models/ride/try", "raw_path": b"/models/ride/try", "query_string": b"",
            "client": None, "server": None,
            "headers": [(b"content-type", b"application/x-www-form-urlencoded"),
                        (b"content-length", b"9"), SITE],
        }  # fmt: skip
        await asgi(scope, receive, send)
        return sent

    start, _ = run(stalled())
    assert start["status"] == 408
    check_cors(start["headers"])


@pytest.mark.slow
def test_an_unknown_expectation_is_a_417_that_a_page_can_read(
    slow: tuple[AsgiApp, threading.Event],
) -> None:
    """Like all refusals that Flask never sees."""
    asgi, _ = slow
    found = run(ask(asgi, b"{}", JSON, SITE, (b"expect", b"a miracle")))
    assert found.status == 417
    check_cors(found.headers)


def test_a_request_that_cannot_be_read_to_its_end_is_refused_under_its_id(
    slow: tuple[AsgiApp, threading.Event],
) -> None:
    """Its head is known: the answer has the caller's id, and a page can read it."""
    asgi, _ = slow
    scope = {
        "method": "POST", "path": "/predict", "raw_path": b"/predict", "query_string": b"",
        "client": ("127.0.0.1", 9), "headers": [ID, SITE],
    }  # fmt: skip
    status, headers, body = asgi.refuse(400, "a bad chunk", "127.0.0.1", scope)
    assert status == json.loads(body)["status"] == 400
    assert ID[1] == dict(headers)[b"X-Request-ID"]
    check_cors(headers)


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [(("https://shop.example",), b"https://shop.example"), (("*",), b"*"), ((), None),
     (("https://a.example", "https://b.example"), None)],
    ids=["one site", "every site", "none", "one of two"],
)  # fmt: skip
def test_a_head_that_cannot_be_read_is_refused_for_the_one_site(
    origins: tuple[str, ...], allowed: bytes | None, app: App
) -> None:
    """Too long a line, too large a header: which site asks is not known, unless there is one."""
    asgi = AsgiApp(
        create_app(Settings(access_log="off", cors_origins=origins), app.services.predictors)
    )
    found = dict(asgi.refuse(431, "too large", "", None)[1])
    assert found.get(b"Access-Control-Allow-Origin") == allowed
    assert found.get(b"Vary") == (b"Origin" if origins else None)


@pytest.mark.slow
def test_the_asgi_app_ends_with_its_worker(both: Both, app: App) -> None:
    """ASGI's lifespan: started, then ended, each acknowledged."""
    asgi = AsgiApp(create_app(Settings(access_log="on"), app.services.predictors))
    asked = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return next(asked)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    run(asgi({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
