"""What is counted of requests, whatever becomes of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from scoring.shared_memory.layout import OTHER as OTHER  # for those who count requests
from scoring.shared_memory.layout import Histogram, Layout
from scoring.shared_memory.store import Store

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Those that the service, its framework and its server answer with.
STATUSES: Final = (
    200, 204, 301, 302, 304, 308, 400, 401, 403, 404, 405, 406, 408, 411, 412, 413, 414, 415, 416,
    417, 422, 429, 431, 500, 501, 502, 503, 504, 505,
)  # fmt: skip
_SHOWN: Final = ("200", "400", "422", "500", "503")  # also while they are zero

SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
)  # fmt: skip


class HttpSeries:
    """Requests by method, route and status.

    A method, route or status that was not declared is `_other`, so that no caller can make a
    series.
    """

    def __init__(self, layout: Layout, routes: Iterable[str]) -> None:
        self._in_progress = layout.gauge(
            "http_requests_in_progress", "Requests that are being read, wait or are being answered."
        )
        self._routes = frozenset((*routes, OTHER))
        methods = (*METHODS, OTHER)
        statuses = (*map(str, STATUSES), OTHER)
        predictions = sorted(route for route in self._routes if route.startswith("/predict"))
        self._requests = layout.counter(
            "http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            ((m, r, s) for r in sorted(self._routes) for m in methods for s in statuses),
            shown=[("POST", route, status) for route in predictions for status in _SHOWN],
        )
        self._seconds = layout.histogram(
            "http_request_duration_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("route",),
            {(route,): SECONDS for route in sorted(self._routes)},
        )
        self._shed = layout.counter(
            "http_requests_shed",
            "Requests answered 503 beyond MAX_IN_FLIGHT or MAX_CONNECTIONS.",
            shown=[()],
        )[()]
        self._timed_out = layout.counter(
            "http_requests_timed_out",
            "Requests cut off after TIMEOUT.",
            shown=[()],
        )[()]
        # of declared sets only: a text from outside never becomes a key here
        self._known: dict[tuple[str, str, int], tuple[int, Histogram]] = {}

    def begin(self, store: Store) -> None:
        """Count a request as being in progress."""
        _add(store, self._in_progress, 1.0)

    def leave(self, store: Store) -> None:
        """End a request in progress that gets no answer."""
        _add(store, self._in_progress, -1.0)

    def shed(self, store: Store) -> None:
        """Count a request that is refused because of the load."""
        _add(store, self._shed, 1.0)

    def timed_out(self, store: Store) -> None:
        """Count a request that is cut because it, or its answer, takes too long."""
        _add(store, self._timed_out, 1.0)

    def end(
        self,
        store: Store,
        method: str,
        route: str,
        status: int,
        seconds: float,
        *,
        in_progress: bool,
    ) -> None:
        """Count an answer, and end its request where that is in progress."""
        slot, histogram = self._known.get((method, route, status)) or self._find(
            method, route, status
        )
        row = store.row
        values = row.values
        with row.lock:
            if in_progress:
                values[self._in_progress] -= 1.0
            values[slot] += 1.0
            values[histogram.first + bisect_left(histogram.bounds, seconds)] += 1.0
            values[histogram.total] += seconds

    def _find(self, method: str, route: str, status: int) -> tuple[int, Histogram]:
        known = (
            method if method in METHODS else OTHER,
            route if route in self._routes else OTHER,
            str(status) if status in STATUSES else OTHER,
        )
        series = self._requests[known], self._seconds[known[1:2]]
        if known == (method, route, str(status)):
            self._known[method, route, status] = series
        return series


def _add(store: Store, slot: int, more: float) -> None:
    row = store.row
    with row.lock:
        row.values[slot] += more
