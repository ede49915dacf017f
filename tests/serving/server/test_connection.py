"""Connections in process: what they leave behind, and what both parsers let through."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gunicorn.config import Config

from scoring.models import discover
from serving.app import App, create_app
from serving.server.asgi import AsgiApp
from serving.server.connection import Connection
from serving.settings import Settings
from tests.support.loops import run

EXAMPLE = dict(next(iter(discover().values())).example)
BODY = json.dumps(EXAMPLE).encode()
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"


class FakeWorker:
    """As much of a worker as a connection asks for."""

    def __init__(self, app: App, **options: Any) -> None:
        """Serve the models of `app` with these options of gunicorn."""
        self.cfg: Any = Config()
        for name, value in {"keepalive": 75, **options}.items():
            self.cfg.set(name, value)
        self.log: Any = None
        self.service = AsgiApp(create_app(Settings(access_log="off"), app.services.predictors))
        self.loop: Any = None
        self.connections: set[Any] = set()
        self.alive = True
        self.now = 0.0
        self.date = b"Thu, 01 Jan 2026 00:00:00 GMT"
        self.counted = 0

    def count_request(self) -> None:
        """Count, as a worker does."""
        self.counted += 1


@asynccontextmanager
async def listening(worker: FakeWorker, made: list[Any]) -> AsyncIterator[int]:
    """Yield a port; `made` gets a weak reference to each connection."""
    worker.loop = asyncio.get_running_loop()

    def connect() -> Connection:
        connection = Connection(worker)
        made.append(weakref.ref(connection))
        return connection

    server = await worker.loop.create_server(connect, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        worker.service._executor.close()


async def ask(port: int, request: bytes) -> bytes:
    """Send all of `request`, stop sending, and return all that is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("parser", ["auto", "python"])
@pytest.mark.parametrize("request_", [WHOLE, PING, b"nonsense\r\n\r\n", b"GET /"],
                         ids=["record", "page", "malformed", "half"])  # fmt: skip
def test_a_connection_that_has_ended_leaves_nothing(app: App, parser: str, request_: bytes) -> None:
    """Neither itself nor its parser, however it ended: a service lives for months."""
    worker = FakeWorker(app, http_parser=parser)
    made: list[Any] = []

    async def talk() -> None:
        async with listening(worker, made) as port:
            for _ in range(5):
                await ask(port, request_)
            while worker.connections:
                await asyncio.sleep(0)

    run(talk())
    gc.collect()
    assert len(made) == 5
    assert [found() for found in made] == [None] * 5


@pytest.mark.slow
@pytest.mark.parametrize("parser", ["auto", "python"])
@pytest.mark.parametrize(
    "lines",
    [
        b"Host : x\r\n",
        b"Host: x\r\nTransfer-Encoding : chunked\r\n",
        b"Host: x\r\nTransfer-Encoding\t: chunked\r\n",
        b"Host: x\r\nContent-Length: +1\r\n",
        b"Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        b"Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        b"Host: x\r\nTransfer-Encoding: identity\r\n",
        b"Host: x\nAccept: y\r\n",
        b"Host: x\r\nAccept: y\r\n z\r\n",
        b"Ho st: x\r\n",
    ],
    ids=["space", "space, chunked", "tab, chunked", "plus", "two lengths", "length and chunks",
         "identity", "bare LF", "folded", "name with a space"],
)  # fmt: skip
def test_a_head_that_can_be_read_in_two_ways_is_refused(
    app: App, parser: str, lines: bytes
) -> None:
    """By either parser, with a problem document, and the connection closes."""
    worker = FakeWorker(app, http_parser=parser)

    async def talk() -> bytes:
        async with listening(worker, []) as port:
            return await ask(port, b"POST /predict HTTP/1.1\r\n" + lines + b"\r\n{}" + PING)

    answer = run(talk())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close\r\n" in answer
    assert b"application/problem+json" in answer


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the status line and the body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
    return head.split(b"\r\n")[0], await reader.readexactly(int(length.split()[1]))


@pytest.mark.slow
@pytest.mark.parametrize("parser", ["auto", "python"])
@pytest.mark.parametrize(
    ("old", "new"),
    [(b"Host: x\r\n", b"Host: x\n"), (b"Host: x", b"Host : x")],
    ids=["bare LF", "space"],
)
def test_a_head_that_comes_again_is_known_and_another_is_proved(
    app: App, parser: str, old: bytes, new: bytes
) -> None:
    """Only the same bytes are what was proved before; the body is its own each time."""
    worker = FakeWorker(app, http_parser=parser)
    broken = WHOLE.replace(BODY, b"[" + BODY[1:])

    async def talk() -> list[tuple[bytes, bytes]]:
        async with listening(worker, []) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            found = []
            for request in (WHOLE, WHOLE, broken, WHOLE, WHOLE.replace(old, new, 1)):
                place = len(request) - 9  # the end of the body comes by itself
                writer.write(request[:place])
                await asyncio.sleep(0)
                writer.write(request[place:])
                found.append(await _answer(reader))
            writer.close()
            return found

    answers = run(talk())
    statuses = [int(line.split()[1]) for line, _ in answers]
    assert statuses == [200, 200, 400, 200, 400]
    assert answers[0][1] == answers[1][1] == answers[3][1]


@pytest.mark.slow
@pytest.mark.parametrize("request_", [WHOLE, PING], ids=["fast path", "delegated"])
@pytest.mark.parametrize(
    ("keepalive", "alive"), [(0, True), (75, False)], ids=["no keep-alive", "worker ends"]
)
def test_a_connection_that_closes_says_so(
    app: App, request_: bytes, keepalive: int, alive: bool
) -> None:
    """KEEP_ALIVE=0 and a worker that ends: no client sends another request into the void."""
    worker = FakeWorker(app, keepalive=keepalive)
    worker.alive = alive

    async def talk() -> bytes:
        async with listening(worker, []) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_)
            answer = await reader.read()
            writer.close()
            return answer

    answer = run(talk())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close\r\n" in answer
    assert worker.counted == 1


@pytest.mark.slow
@pytest.mark.parametrize(("keepalive", "idle_s"), [(0, 30), (5, 5)])
def test_a_first_request_has_time_to_come(app: App, keepalive: int, idle_s: int) -> None:
    """Browsers connect before they have something to ask: KEEP_ALIVE=0 closes after an answer, not
    before the request."""
    worker = FakeWorker(app, keepalive=keepalive, timeout=30)

    async def talk(after_s: float) -> bytes:
        async with listening(worker, []) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while not worker.connections:
                await asyncio.sleep(0)
            [connection] = worker.connections
            connection.overdue(worker.now + after_s, None)
            writer.write(PING)
            writer.write_eof()
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""
            finally:
                writer.close()

    assert run(talk(idle_s - 0.5)).startswith(b"HTTP/1.1 200 ")
    assert run(talk(idle_s + 0.5)) == b""
