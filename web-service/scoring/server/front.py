"""What gunicorn's worker serves: a small record at once, anything else, as an ASGI app, by Flask.

At once means in the event loop, without a thread, a router or a request object: one prediction
takes less time than handing it to a thread would. It is for what nearly every request is, a small
JSON body posted to /predict by its exact name; whatever is unusual about one goes Flask's way.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Final

from flask import Flask

from scoring.api import problems
from scoring.api.headers import common, request_id
from scoring.api.health import Lifetime
from scoring.api.predictions import reply
from scoring.errors import Overloaded, RequestError, TooSlow
from scoring.keys import FOR_ADMINS, PROBES, Keys
from scoring.metrics.http import OTHER
from scoring.metrics.recorder import Metrics
from scoring.registry.following import Following
from scoring.server.bridge import Bridge, Receive, Scope, Send, gather
from scoring.server.journal import Exchange, Journal, Told
from scoring.service import Predictors
from scoring.settings import Settings
from scoring.witness import Witness

AT_ONCE_BYTES: Final = 16 * 1024  # a larger body takes so long that others should get a turn
_JSON: Final = {
    b"application/json",
    *(b"application/json;%bcharset=%b" % (s, c) for s in (b"", b" ") for c in (b"utf-8", b"UTF-8")),
}
_UNUSUAL: Final = frozenset({b"content-encoding", b"transfer-encoding", b"expect", b"x_request_id"})
_VITAL: Final = {path.encode() for path in PROBES | FOR_ADMINS}

Headers = list[tuple[bytes, bytes]]  # as ASGI has them


class Front:
    """Serves `app`, as `create_app` made it from `settings`."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._settings = settings
        self._predictors: Predictors = app.extensions["predictors"]
        self.following: Following | None = app.extensions["following"]
        self.lifetime: Lifetime = app.extensions["lifetime"]
        self._names: dict[bytes, str | None] = {b"/predict": None}
        for predictor in self._predictors:
            self._names[f"/predict/{predictor.model.name}".encode()] = predictor.model.name
        self.drain_s = settings.drain_seconds
        self._keys: Keys | None = app.extensions["keys"]
        self._unusual = _UNUSUAL | ({b"origin"} if settings.cors_origins else set())
        self.metrics: Metrics = app.extensions["metrics"]
        self._witness: Witness = app.extensions["witness"]
        self._journal = Journal(settings, self.metrics)
        self._bridge = Bridge(app, settings.threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or starts and ends with the worker (ASGI 3)."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        await self._by_flask(scope, receive, send)

    def is_plain(self, method: bytes, path: bytes, headers: dict[bytes, bytes]) -> bool:
        """Says whether a request is to be tried with `at_once` when its body has come. `headers`
        are by their names in lower case."""
        return (
            path in self._names
            and method == b"POST"
            and headers.get(b"content-type") in _JSON
            and 0 < int(headers.get(b"content-length", 0)) <= AT_ONCE_BYTES
            and self._unusual.isdisjoint(headers)
        )

    def at_once(
        self, path: bytes, headers: dict[bytes, bytes], body: bytes, peer: str
    ) -> tuple[int, Headers, bytes] | None:
        """Gives status, headers and body of the answer to a request that is plain, or None where
        Flask must say what is wrong, with the caller's key or with us."""
        begun = time.perf_counter()
        name = self._names[path]
        asked = request_id(_text(headers, b"x-request-id"))
        try:
            key = None
            if self._keys:
                given = _text(headers, b"authorization"), _text(headers, b"x-api-key")
                key = self._keys.admit("/predict", *given)
            predictor = self._predictors.get(name)
            answer = reply(
                predictor, body, max_records=self._settings.max_records,
                witness=self._witness, request_id=asked,
            )  # fmt: skip
        except Exception:  # noqa: BLE001  # the same happens on Flask's way, which logs and answers it
            return None
        route = "/predict" if name is None else "/predict/<name>"
        told = Told(route, predictor.model.name, answer.version, key)
        exchange = Exchange("POST", path, peer, _text(headers, b"x-forwarded-for"), begun, asked)
        self._journal.tell(
            exchange, answer.status, told, _text(headers, b"traceparent"), at_once=True
        )
        return (
            answer.status,
            _headers(asked, answer.version, answer.media_type, answer.body),
            answer.body,
        )

    def of_no_request(self, status: int, message: str) -> tuple[int, Headers, bytes]:
        """Gives status, headers and body of the answer to what is no HTTP request."""
        status, body = problems.of_no_request(status, message)
        given = request_id(None)
        version = self._predictors.default.version
        headers = _headers(given, version, problems.MEDIA_TYPE, body)
        self.metrics.at_once(OTHER, OTHER, status, 0.0)
        self._count(status)
        return status, headers, body

    async def _by_flask(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        given = request_id(_header(scope, b"x-request-id"))
        vital = scope["raw_path"] in _VITAL
        told = Told()
        self.metrics.begin()
        seconds = self._settings.timeout
        slow: RequestError = TooSlow(f"the body did not come within {seconds} seconds")
        try:
            async with asyncio.timeout(seconds):
                limit = self._settings.max_body_bytes
                stream = await gather(scope, receive, send, limit)
            if not vital and self._bridge.in_flight >= self._settings.max_in_flight:
                raise Overloaded("too much is being asked at once; try again in a moment")
            slow = Overloaded(f"the answer was not ready within {seconds} seconds")
            async with asyncio.timeout(seconds):
                answer = await self._bridge.answer(scope, stream, given, vital=vital)
            told = Told(*answer.environ.get("scoring.told", told))
            status = answer.status
            await _send(send, status, answer.headers, answer.body)
        except RequestError as error:
            self._count(error.status)
            status = await self._refuse(send, error, given)
        except TimeoutError:
            self.metrics.timed_out()
            status = await self._refuse(send, slow, given)
        except BaseException:
            self.metrics.left()
            raise
        target = scope["raw_path"]
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        forwarded = b",".join(v for n, v in scope["headers"] if n == b"x-forwarded-for")
        peer = (scope.get("client") or ("",))[0]
        exchange = Exchange(
            scope["method"], target, peer, forwarded.decode("latin-1"), begun, given
        )
        self._journal.tell(exchange, status, told, _header(scope, b"traceparent"))

    def _count(self, status: int) -> None:
        """Counts what the event loop itself refuses."""
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.metrics.shed()
        elif status == HTTPStatus.REQUEST_TIMEOUT:
            self.metrics.timed_out()

    async def _refuse(self, send: Send, error: RequestError, given: str) -> int:
        body = problems.document(error)
        version = self._predictors.default.version
        headers = _headers(given, version, problems.MEDIA_TYPE, body)
        if error.retry_after_s:
            headers.append((b"Retry-After", b"%d" % error.retry_after_s))
        await _send(send, error.status, headers, body)
        return error.status

    async def _live(self, receive: Receive, send: Send) -> None:
        """Starts what a worker needs beside its app, and ends it."""
        await receive()
        self._predictors.replaced = self.metrics.serve
        for predictor in self._predictors:
            self.metrics.serve(predictor)
        if self.following:
            self.following.watch()
        self._journal.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._bridge.close()
        self._journal.stop()
        if self._witness.log:
            self._witness.log.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def _header(scope: Scope, wanted: bytes) -> str | None:
    found = [value for name, value in scope["headers"] if name == wanted]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _headers(request_id: str, version: str, media_type: str, body: bytes) -> Headers:
    """Gives what Flask's way gives, in the same order."""
    return [
        (b"Content-Type", media_type.encode()),
        (b"Content-Length", b"%d" % len(body)),
        *[(name.encode(), value.encode()) for name, value in common(request_id, version)],
    ]


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
