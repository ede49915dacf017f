"""The service as an ASGI app, and the fast path beside it.

    try_fast_path():  a small JSON body posted to /predict, as nearly every request is, or an
                      array that is scored by column. It is answered in the event loop, without a
                      thread, a router or a request object: that takes less time than handing it
                      to a thread would, or hardly more.
    __call__():       anything else, and whatever the fast path leaves: wsgi_executor.py gathers
                      the body and has Flask answer in a thread.

Both end in serving/http/reply.py, so both give the same answer to the byte, and in
request_recorder.py, which counts and logs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from scoring.errors import Overloaded, RequestError, TooSlow
from scoring.observers.observer import Caller
from serving.app import App
from serving.http import problems
from serving.http.access import VITAL
from serving.http.headers import common, request_id
from serving.http.reply import quick_reply, reply
from serving.http.route_info import ENVIRON_KEY, RouteInfo
from serving.server.messages import Headers
from serving.server.request_recorder import RequestInfo, RequestRecorder
from serving.server.tls import Tls, TlsError
from serving.server.wsgi_executor import Receive, Scope, Send, WsgiExecutor, read_body

_log = logging.getLogger(__name__)

# a larger body takes so long that others should get a turn
FAST_PATH_MAX_BYTES: Final = 16 * 1024
QUICK_ARRAY_MAX_BYTES: Final = 96 * 1024  # of one that is scored by column: a millisecond or two
_JSON: Final = {
    b"application/json",
    *(b"application/json;%bcharset=%b" % (s, c) for s in (b"", b" ") for c in (b"utf-8", b"UTF-8")),
}
_UNUSUAL: Final = frozenset({b"content-encoding", b"transfer-encoding", b"expect", b"x_request_id"})


class AsgiApp:
    """Serves the Flask app `app` with its services, one object for all workers until they fork."""

    def __init__(self, app: App) -> None:
        """Take the services out of `app`; no thread is started yet."""
        services = app.services
        settings = services.settings
        self._limits = settings.limits
        self._settings = settings
        self._predictors = services.predictors
        self.reloader = services.reloader
        self.lifetime = services.lifetime
        names = {
            "/predict": None,
            **{f"/predict/{p.model.name}": p.model.name for p in services.predictors},
        }
        mounts = {"", settings.script_name or ""}
        self._names = {
            f"{mount}{path}".encode(): name for mount in mounts for path, name in names.items()
        }
        self._health = {f"{mount}{path}".encode() for mount in mounts for path in VITAL}
        self._max_bytes = min(QUICK_ARRAY_MAX_BYTES, settings.max_body_bytes)
        self.drain_s = settings.drain_seconds
        self._keys = services.keys
        self._origins = settings.cors_origins
        self._unusual = _UNUSUAL | ({b"origin"} if self._origins else set())
        self.metrics = services.metrics
        self._observer = services.observer
        self._recorder = RequestRecorder(settings, self.metrics)
        self._executor = WsgiExecutor(app, settings.threads)
        self.tls: Tls | None = None

    def take_tls(self, tls: Tls | None) -> None:
        """Have the workers that are forked from now on serve with `tls`; None: plain HTTP."""
        for warning in tls.warnings if tls else ():
            _log.warning("%s", warning)
        self.tls = tls
        self.lifetime.tls_is_old = False

    def keep_tls(self, error: TlsError) -> None:
        """Say that the TLS context of before goes on, as the new one cannot be had."""
        _log.error("TLS stays as it was before this reload: %s", error)
        self.lifetime.tls_is_old = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and end with the worker (ASGI 3)."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._delegate(scope, receive, send)

    def is_fast_path_candidate(
        self, method: bytes, path: bytes, headers: Mapping[bytes, bytes]
    ) -> bool:
        """Say whether try_fast_path() may be asked once the body has come.

        The names of `headers` are in lower case.
        """
        return (
            path in self._names
            and method == b"POST"
            and headers.get(b"content-type") in _JSON
            and 0 < int(headers.get(b"content-length", 0)) <= self._max_bytes
            and self._unusual.isdisjoint(headers)
        )

    def try_fast_path(
        self, path: bytes, headers: Mapping[bytes, bytes], body: bytes, peer: str
    ) -> tuple[int, Headers, bytes] | None:
        """Return status, headers and body of the answer, None where Flask must answer.

        That is so where something is wrong with the caller's key, or with us, and for what takes
        long.
        """
        begun = time.perf_counter()
        name = self._names[path]
        own_id = request_id(_text(headers, b"x-request-id"))
        try:
            key = self._admit("/predict", headers)
            predictor = self._predictors.get(name)
            answer = (reply if len(body) <= FAST_PATH_MAX_BYTES else quick_reply)(
                predictor, body, limits=self._limits,
                observer=self._observer, caller=Caller(own_id, key),
            )  # fmt: skip
        except Exception:  # noqa: BLE001  # it happens again in Flask, which logs and answers it
            return None
        if answer is None:
            return None
        route = "/predict" if name is None else "/predict/<name>"
        request = RequestInfo(
            "POST", path, peer, _text(headers, b"x-forwarded-for"), begun, own_id,
            _text(headers, b"traceparent"),
        )  # fmt: skip
        route_info = RouteInfo(route, predictor.model.name, answer.version, key)
        self._recorder.record(request, answer.status, route_info, in_progress=False)
        common_headers = self._headers(own_id, answer.version, answer.media_type, answer.body)
        return answer.status, common_headers, answer.body

    def refuse(
        self, status: int, message: str, peer: str, scope: Scope | None
    ) -> tuple[int, Headers, bytes]:
        """Return status, headers and body of the answer to what cannot be read as a request.

        `scope` is that of a head that could be read, of a request whose body could not. Where not
        even the head could, the one site that may read answers, if there is one, may read this.
        """
        begun = time.perf_counter()
        headers = _unique(scope)
        if scope is None and len(self._origins) == 1:
            headers = {b"origin": self._origins[0].encode()}
        status, body = problems.malformed_request(status, message)
        own_id = request_id(_text(headers, b"x-request-id"))
        request = RequestInfo("-", b"-", peer, None, begun, own_id, None)
        if scope:
            request = _request_info(scope, headers, begun, own_id)
        self._count(status)
        self._recorder.record(request, status, self._refused(scope, headers), in_progress=False)
        return status, self._problem_headers(own_id, headers, body), body

    async def _delegate(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        headers = _unique(scope)
        own_id = request_id(_text(headers, b"x-request-id"))
        health = scope["raw_path"] in self._health
        route_info = None
        self.metrics.begin()
        seconds = self._settings.timeout
        late: RequestError = TooSlow(f"the body did not come within {seconds} seconds")
        try:
            async with asyncio.timeout(seconds):
                body = await read_body(scope, receive, send, self._settings.max_body_bytes)
            if not health and self._executor.in_flight >= self._settings.max_in_flight:
                raise Overloaded("too much is being asked at once; try again in a moment")
            late = Overloaded(f"the answer was not ready within {seconds} seconds")
            async with asyncio.timeout(seconds):
                answer = await self._executor.answer(scope, body, own_id, health=health)
            route_info = answer.environ.get(ENVIRON_KEY)
            status = answer.status
            await _send(send, status, answer.headers, answer.body)
        except RequestError as error:
            self._count(error.status)
            status = await self._send_problem(send, error, own_id, headers)
        except TimeoutError:
            self.metrics.timed_out()
            status = await self._send_problem(send, late, own_id, headers)
        except BaseException:
            self.metrics.left()
            raise
        request = _request_info(scope, headers, begun, own_id)
        route_info = route_info or self._refused(scope, headers)
        self._recorder.record(request, status, route_info, in_progress=True)

    def _admit(self, path: str, headers: Mapping[bytes, bytes]) -> str | None:
        """Return the name of the request's API key; raises Unauthorised or Forbidden."""
        return self._keys.admit_again(path, headers) if self._keys else None

    def _refused(self, scope: Scope | None, headers: Mapping[bytes, bytes]) -> RouteInfo:
        """Return what is known of a request that never came to a route: whose key it brought."""
        key = None
        if scope:
            with contextlib.suppress(RequestError):
                key = self._admit(scope["path"], headers)
        return RouteInfo(key=key)

    def _count(self, status: int) -> None:
        """Count what the event loop itself refuses."""
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.metrics.shed()
        elif status == HTTPStatus.REQUEST_TIMEOUT:
            self.metrics.timed_out()

    async def _send_problem(
        self, send: Send, error: RequestError, own_id: str, headers: Mapping[bytes, bytes]
    ) -> int:
        body = problems.document(error)
        sent = self._problem_headers(own_id, headers, body)
        sent += [(name.encode(), value.encode()) for name, value in problems.headers(error)]
        await _send(send, error.status, sent, body)
        return error.status

    def _problem_headers(self, own_id: str, headers: Mapping[bytes, bytes], body: bytes) -> Headers:
        version = self._predictors.default.version
        origin = _text(headers, b"origin")
        return self._headers(own_id, version, problems.MEDIA_TYPE, body, origin)

    def _headers(
        self, own_id: str, version: str, media_type: str, body: bytes, origin: str | None = None
    ) -> Headers:
        """Return the headers of an answer, the same as Flask's and in the same order."""
        shared = common(own_id, version, origin=origin, origins=self._origins)
        return [
            (b"Content-Type", media_type.encode()),
            (b"Content-Length", b"%d" % len(body)),
            *[(name.encode(), value.encode("latin-1")) for name, value in shared],
        ]

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start what a worker needs besides its app, and end it."""
        await receive()
        for predictor in self._predictors:
            self.metrics.models.serve(predictor)
        if self.reloader:
            self.reloader.watch(self.metrics.models.serve)
        self._recorder.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._executor.close()
        self._recorder.stop()
        self._observer.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _unique(scope: Scope | None) -> dict[bytes, bytes]:
    """Return the headers that came exactly once, by name."""
    sent = scope["headers"] if scope else []
    times = Counter(name for name, _ in sent)
    return {name: value for name, value in sent if times[name] == 1}


def _request_info(
    scope: Scope, headers: Mapping[bytes, bytes], begun: float, own_id: str
) -> RequestInfo:
    target = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    peer = (scope.get("client") or ("",))[0]
    return RequestInfo(
        scope["method"], target, peer, forwarded.decode("latin-1"), begun, own_id,
        _text(headers, b"traceparent"),
    )  # fmt: skip


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
