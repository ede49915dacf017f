"""The ASGI app that gunicorn serves: a record alone is answered at once, anything else by Flask.

At once means in the event loop, without a thread, a router or a request object: one prediction
takes less time than handing it to a thread would. It is for what nearly every request is, a small
JSON body posted to /predict by its exact name; whatever is unusual about one goes Flask's way.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Final, NamedTuple

from flask import Flask

from scoring.api import problems
from scoring.api.headers import common, request_id
from scoring.api.health import Lifetime
from scoring.api.predictions import Reply, reply
from scoring.errors import Overloaded, RequestError, TooSlow
from scoring.keys import FOR_ADMINS, PROBES, Keys
from scoring.metrics.http import OTHER
from scoring.metrics.recorder import Metrics
from scoring.registry.following import Following
from scoring.server.bridge import Bridge, Receive, Scope, Send, gather
from scoring.server.journal import Journal, Told
from scoring.service import Predictors
from scoring.settings import Settings
from scoring.witness import Witness

AT_ONCE_BYTES: Final = 16 * 1024  # a larger body takes so long that others should get a turn
_JSON: Final = {
    b"application/json",
    *(b"application/json;%bcharset=%b" % (s, c) for s in (b"", b" ") for c in (b"utf-8", b"UTF-8")),
}
_UNUSUAL: Final = frozenset({b"content-encoding", b"transfer-encoding", b"expect", b"x_request_id"})
_ASKED: Final = (b"x-request-id", b"traceparent", b"authorization", b"x-api-key")  # as in _Head
_VITAL: Final = {path.encode() for path in PROBES | FOR_ADMINS}

Headers = list[tuple[bytes, bytes]]  # as ASGI has them


class _Head(NamedTuple):
    """What the headers say of a request that may be answered at once."""

    length: int
    request_id: str | None = None
    traceparent: str | None = None
    authorization: str | None = None
    api_key: str | None = None


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
        begun = time.perf_counter()
        body = b""
        if scope["raw_path"] in self._names and (head := _plain(scope, self._unusual)):
            whole, body = await _body(receive, head.length)
            given = request_id(head.request_id)
            if whole and (found := self._at_once(scope, head, body, given)):
                answer, told = found
                headers = _headers(given, answer.version, answer.media_type, answer.body)
                await _send(send, answer.status, headers, answer.body)
                trace = head.traceparent
                self._journal.tell(scope, begun, given, answer.status, told, trace, at_once=True)
                return
        await self._by_flask(scope, receive, send, begun, body)

    def of_no_request(self, status: int, message: str) -> tuple[int, Headers, bytes]:
        """Gives status, headers and body of the answer to what is no HTTP request."""
        status, body = problems.of_no_request(status, message)
        given = request_id(None)
        version = self._predictors.default.version
        headers = _headers(given, version, problems.MEDIA_TYPE, body)
        self.metrics.at_once(OTHER, OTHER, status, 0.0)
        self._count(status)
        return status, headers, body

    def _at_once(
        self, scope: Scope, head: _Head, body: bytes, given: str
    ) -> tuple[Reply, Told] | None:
        """Gives the answer, or None where Flask must say what is wrong, with the caller's key or
        with us."""
        name = self._names[scope["raw_path"]]
        try:
            key = None
            if self._keys:
                key = self._keys.admit("/predict", head.authorization, head.api_key)
            predictor = self._predictors.get(name)
            answer = reply(
                predictor, body, max_records=self._settings.max_records,
                witness=self._witness, request_id=given,
            )  # fmt: skip
        except Exception:  # noqa: BLE001  # the same happens on Flask's way, which logs and answers it
            return None
        route = "/predict" if name is None else "/predict/<name>"
        return answer, Told(route, predictor.model.name, answer.version, key)

    async def _by_flask(
        self, scope: Scope, receive: Receive, send: Send, begun: float, body: bytes
    ) -> None:
        given = request_id(_header(scope, b"x-request-id"))
        vital = scope["raw_path"] in _VITAL
        told = Told()
        self.metrics.begin()
        seconds = self._settings.timeout
        slow: RequestError = TooSlow(f"the body did not come within {seconds} seconds")
        try:
            async with asyncio.timeout(seconds):
                limit = self._settings.max_body_bytes
                stream = await gather(scope, receive, send, limit, body)
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
        traceparent = _header(scope, b"traceparent")
        self._journal.tell(scope, begun, given, status, told, traceparent)

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


def _plain(scope: Scope, unusual: frozenset[bytes]) -> _Head | None:
    """Gives what must be known of a request, if nothing about it is unusual."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    media_type: bytes | None = None
    given: dict[bytes, str] = {}
    length = -1
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value
        elif name == b"content-length":
            if len(value) > 6:
                return None
            length = int(value)
        elif name in _ASKED:
            if name in given:
                return None
            given[name] = value.decode("latin-1")
        elif name in unusual:
            return None
    if media_type not in _JSON or not 0 < length <= AT_ONCE_BYTES:
        return None
    return _Head(length, *[given.get(name) for name in _ASKED]) if given else _Head(length)


async def _body(receive: Receive, length: int) -> tuple[bool, bytes]:
    """Gives what has come of the body, and whether that is all; does not wait for more."""
    message = await receive()
    body: bytes = message.get("body", b"")
    return len(body) == length and not message.get("more_body"), body


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
