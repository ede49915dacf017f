"""From ASGI to Flask: the body is gathered in the event loop, the request answered in a thread.

A slow sender costs bounded memory and no thread. A body that Flask would refuse by its head alone
(a media type that no route takes, a length over the limit) is not waited for.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from flask import Flask

from scoring.errors import UnknownExpectation, UnreadableTarget
from serving.http.body import READABLE

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class WsgiAnswer(NamedTuple):
    """A whole response, and the environment in which Flask leaves what it knows of the request."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    environ: dict[str, Any]


class _BrokenOff(io.BytesIO):
    """A body that was not sent to its end: the bytes that came, then an error."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if size is None or size < 0 or len(data) < size:
            raise OSError
        return data


async def read_body(scope: Scope, receive: Receive, send: Send, limit: int) -> io.BytesIO:
    """Return the body as Flask is to read it.

    That is at most `limit` bytes and one more, so that a larger one is seen, and nothing of a
    body that nobody would read. Raises UnknownExpectation for an Expect header other than
    100-continue.
    """
    headers = dict(scope["headers"])
    length = headers.get(b"content-length")
    if not _is_read(headers, length, limit):
        return io.BytesIO()
    if expectation := headers.get(b"expect"):
        if expectation.lower() != b"100-continue":
            raise UnknownExpectation("of all expectations, only 100-continue is known")
        await send({"type": "http.response.informational", "status": 100, "headers": []})
    parts: list[bytes] = []
    size = 0
    while length is None or size < int(length):
        message = await receive()
        if message["type"] != "http.request":
            # who said how much would come is told how much did; in chunks, that it was not all
            return io.BytesIO(b"".join(parts)) if length else _BrokenOff(b"".join(parts))
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit or not message.get("more_body"):
            break
    return io.BytesIO(b"".join(parts))


def _is_read(headers: dict[bytes, bytes], length: bytes | None, limit: int) -> bool:
    if length is None and b"transfer-encoding" not in headers:
        return False
    if length is not None and (len(length) > 18 or int(length) > limit):
        return False
    media_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0]
    # without a media type it may be an inference request (V2), whose clients declare none
    return not media_type or media_type.strip().lower().endswith(READABLE)


class WsgiExecutor:
    """Answers requests with a WSGI app in a pool of threads.

    The probes' requests have a thread of their own, so that health checks never wait behind
    predictions.
    """

    def __init__(self, app: Flask, threads: int) -> None:
        """Make a pool of so many `threads`, which start when they are needed."""
        self._app = app
        self._pool = ThreadPoolExecutor(threads, "flask")
        self._health_pool = ThreadPoolExecutor(1, "health")
        self.in_flight = 0  # requests in a thread of the pool or in its queue

    async def answer(
        self, scope: Scope, body: io.BytesIO, request_id: str, *, health: bool = False
    ) -> WsgiAnswer:
        """Return Flask's answer.

        A cancelled call leaves the queue if it has not started; a running one finishes and
        keeps its slot.
        """
        environ = _environ(scope, body, request_id)
        if health:
            return await asyncio.wrap_future(self._health_pool.submit(self._call, environ))
        loop = asyncio.get_running_loop()
        future = self._pool.submit(self._call, environ)
        self.in_flight += 1
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the threads once they are idle."""
        self._pool.shutdown(wait=False)
        self._health_pool.shutdown(wait=False)

    def _done(self) -> None:
        self.in_flight -= 1

    def _call(self, environ: dict[str, Any]) -> WsgiAnswer:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            started[:] = [int(status[:3]), headers]

        answer: Any = self._app.wsgi_app(environ, start_response)
        try:
            body = b"".join(answer)
        finally:
            answer.close()
        status, headers = started
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return WsgiAnswer(status, raw, body, environ)


def _environ(scope: Scope, body: io.BytesIO, request_id: str) -> dict[str, Any]:
    path, query = _target(scope)
    host, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue  # X_Request_ID would pass for X-Request-ID
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    environ["HTTP_X_REQUEST_ID"] = request_id
    return environ


def _target(scope: Scope) -> tuple[bytes, bytes]:
    """Return path and query, without the host of the absolute form, which is sent to proxies."""
    path: bytes = scope["raw_path"].partition(b"#")[0]
    query: bytes = scope["query_string"]
    if path.startswith(b"/") or b"://" not in path:
        return path, query
    try:
        return urlsplit(path).path or b"/", query
    except ValueError:
        raise UnreadableTarget("the address in the request line cannot be read") from None
