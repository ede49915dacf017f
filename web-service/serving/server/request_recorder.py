"""Everything that is noted of an answer, in one place: a line of the log, the counters, a trace."""

from __future__ import annotations

import re
import time
from typing import Final, NamedTuple

from scoring.process.otel import asked_for
from serving.http.route_info import RouteInfo
from serving.metrics.recorder import Metrics
from serving.server.access_log import AccessEntry, AccessLog
from serving.server.clients import client
from serving.server.tracing import Tracing
from serving.settings import Settings

# https://www.w3.org/TR/trace-context/: version, trace id, parent id, flags
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


class RequestInfo(NamedTuple):
    """A request, as the log and the counters know it."""

    method: str
    target: bytes  # path and query as they were sent
    peer: str  # the address of the connection's other end
    forwarded: str | None  # X-Forwarded-For
    begun: float  # time.perf_counter() then
    request_id: str
    traceparent: str | None


class RequestRecorder:
    """Records each answer once it is made. Used from the event loop alone."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Make the log that `settings` ask for; start() makes the rest.

        Raises SettingsError for traces that are asked for and cannot be had.
        """
        asked_for()  # here, since a worker that fails is only started again
        self._metrics = metrics
        self._log = AccessLog.from_settings(settings)
        self._trusted = settings.trusted_proxies
        self._tracing: Tracing | None = None

    def start(self) -> None:
        """Start what each process needs for itself."""
        self._tracing = Tracing.from_environment()

    def stop(self) -> None:
        """Write and send what is still held."""
        if self._log:
            self._log.flush()
        if self._tracing:
            self._tracing.stop()

    def record(
        self, request: RequestInfo, status: int, route_info: RouteInfo, *, in_progress: bool
    ) -> None:
        """Record an answer; `in_progress` says whether metrics.begin() has counted its request."""
        seconds = time.perf_counter() - request.begun
        count = self._metrics.end if in_progress else self._metrics.count_request
        count(request.method, route_info.route, status, seconds)
        if self._log is None and self._tracing is None:
            return
        traceparent = request.traceparent
        match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
        trace_id = match[1] if match else None
        if self._tracing:
            parent = traceparent if match else None
            trace_id = self._tracing.record(
                request.method, route_info, status, seconds, request.request_id, parent
            )
        if self._log:
            entry = AccessEntry(
                request.request_id,
                client(request.peer, request.forwarded, self._trusted),
                request.method,
                request.target.decode("latin-1"),
                route_info.route,
                status,
                seconds * 1000,
                route_info.model,
                route_info.version,
                route_info.key,
                trace_id,
            )
            self._log.write(entry)
