"""The ASGI app called without a socket, for its tests."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from scoring.models import discover
from serving.server.asgi import AsgiApp
from tests.support.loops import run

JSON = (b"content-type", b"application/json")
ID = (b"x-request-id", b"same-for-both")


class Got(NamedTuple):
    """What came back over ASGI."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def ask(
    asgi: AsgiApp, body: bytes, *headers: tuple[bytes, bytes], path: bytes = b"/predict",
    method: str = "POST", query: bytes = b"", length: bool = True, pieces: int = 1,
) -> Got:  # fmt: skip
    """Return the answer to one request, whose body comes in so many pieces."""
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
    await asgi(scope, receive, send)
    start, end = [message for message in sent if message["type"] != "http.response.informational"]
    return Got(start["status"], start["headers"], end["body"])


def fast_path(
    asgi: AsgiApp, body: bytes, *headers: tuple[bytes, bytes], path: bytes = b"/predict",
    method: str = "POST", query: bytes = b"",
) -> Got | None:  # fmt: skip
    """Return what the fast path answers to a whole request, None where Flask is to answer."""
    found = dict([*headers, (b"content-length", b"%d" % len(body))])
    target = path + (b"?" + query if query else b"")
    if not asgi.is_fast_path_candidate(method.encode(), target, found):
        return None
    answer = asgi.try_fast_path(target, found, body, "127.0.0.1")
    return Got(*answer) if answer else None


class Both(NamedTuple):
    """A service, and what it answers on either path."""

    asgi: AsgiApp

    def ask(self, body: bytes, *headers: tuple[bytes, bytes], **more: Any) -> Got:
        """Return what Flask answers, to the byte the same as the fast path, where that does."""
        by_flask = run(ask(self.asgi, body, ID, *headers, **more))
        assert fast_path(self.asgi, body, ID, *headers, **more) in (by_flask, None)
        return by_flask


MODELS = discover()
