"""From ASGI to Flask: the body is gathered in the event loop, the request answered in a thread.

A slow sender costs memory, bounded, and no thread. What Flask would refuse by its head alone (a
media type that no route takes, a body that says it is too large) is not waited for.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from flask import Flask

from scoring.errors import UnknownExpectation, UnreadableTarget

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_READ: Final = ("application/json", "+json", "text/csv", "application/x-www-form-urlencoded")


class Answered(NamedTuple):
    """A whole response, and what Flask knows of the request beside it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    environ: dict[str, Any]


class _BrokenOff(io.BytesIO):
    """What came of a body that was not sent to its end: its bytes, then an error."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if size is None or size < 0 or len(data) < size:
            raise OSError
        return data


async def gather(scope: Scope, receive: Receive, send: Send, limit: int) -> io.BytesIO:
    """Gives the body as Flask is to read it: at most `limit` bytes and one more, so that too large
    a one is seen; nothing of what nobody would read. Raises UnknownExpectation for an Expect header
    of another kind than 100-continue."""
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
    return not media_type or media_type.strip().lower().endswith(_READ)


class Bridge:
    """Answers requests with a WSGI app, in as many threads as it is given, and one more that is
    kept for whoever asks how the service is."""

    def __init__(self, app: Flask, threads: int) -> None:
        self._app = app
        self._many = ThreadPoolExecutor(threads, "flask")
        self._vital = ThreadPoolExecutor(1, "health")
        self.in_flight = 0  # answered by a thread or in line for one, the vital ones left out

    async def answer(
        self, scope: Scope, body: io.BytesIO, request_id: str, *, vital: bool = False
    ) -> Answered:
        """Gives Flask's answer, when a thread has come to it. Who is cancelled leaves the line; a
        thread that is at work goes on, and counts until it is done."""
        environ = _environ(scope, body, request_id)
        if vital:
            return await asyncio.wrap_future(self._vital.submit(self._call, environ))
        loop = asyncio.get_running_loop()
        future = self._many.submit(self._call, environ)
        self.in_flight += 1
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Ends the threads once they are idle."""
        self._many.shutdown(wait=False)
        self._vital.shutdown(wait=False)

    def _done(self) -> None:
        self.in_flight -= 1

    def _call(self, environ: dict[str, Any]) -> Answered:
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
        return Answered(status, raw, body, environ)


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
    """Gives path and query; of the absolute form, which proxies are sent, the part behind the
    host."""
    path: bytes = scope["raw_path"].partition(b"#")[0]
    query: bytes = scope["query_string"]
    if path.startswith(b"/") or b"://" not in path:
        return path, query
    try:
        return urlsplit(path).path or b"/", query
    except ValueError:
        raise UnreadableTarget("the address in the request line cannot be read") from None
