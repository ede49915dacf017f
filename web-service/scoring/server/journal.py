"""What is told of every answer, in one place: a line of the log, the counters, a trace."""

from __future__ import annotations

import re
import time
from typing import Final, NamedTuple

from scoring.metrics.recorder import Metrics
from scoring.server.accesslog import AccessLog, Entry
from scoring.server.clients import client
from scoring.server.tracing import Tracing
from scoring.settings import Settings

# https://www.w3.org/TR/trace-context/: version, trace id, parent id, flags
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


class Told(NamedTuple):
    """What only the route knows of a request: its template, the model and version that answered,
    and the name of the API key that it came with."""

    route: str = "_other"  # of what is no page of ours
    model: str | None = None
    version: str | None = None
    key: str | None = None


class Exchange(NamedTuple):
    """A request, as it is told of."""

    method: str
    target: bytes  # path and query as they were sent
    peer: str  # the other end's address
    forwarded: str | None  # X-Forwarded-For
    begun: float  # time.perf_counter() then
    request_id: str


class Journal:
    """Is told of each answer once it is out. Used from the event loop alone."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._log = AccessLog.of(settings)
        self._trusted = settings.trusted_proxies
        self._tracing: Tracing | None = None

    def start(self) -> None:
        """Starts what a process needs for itself."""
        self._tracing = Tracing.of_environment()

    def stop(self) -> None:
        """Lets go what is still held."""
        if self._log:
            self._log.flush()
        if self._tracing:
            self._tracing.stop()

    def tell(
        self, exchange: Exchange, status: int, told: Told, traceparent: str | None,
        *, at_once: bool = False,
    ) -> None:  # fmt: skip
        """Notes an answer, by the way that metrics.begin() was told of or `at_once`."""
        seconds = time.perf_counter() - exchange.begun
        method, request_id = exchange.method, exchange.request_id
        count = self._metrics.at_once if at_once else self._metrics.end
        count(method, told.route, status, seconds)
        if self._log is None and self._tracing is None:
            return
        trace_id = None
        if traceparent and (match := _TRACEPARENT.fullmatch(traceparent)):
            trace_id = match[1]
        if self._tracing:
            parent = traceparent if trace_id else None
            trace_id = self._tracing.record(method, told, status, seconds, request_id, parent)
        if self._log:
            caller = client(exchange.peer, exchange.forwarded, self._trusted)
            self._log.write(
                Entry(request_id, caller, method, exchange.target.decode("latin-1"), told.route,
                      status, seconds * 1000, told.model, told.version, told.key, trace_id)
            )  # fmt: skip
