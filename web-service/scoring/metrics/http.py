"""What is counted of a request, whatever becomes of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from scoring.metrics.layout import Histogram, Layout
from scoring.metrics.store import Store

OTHER: Final = "_other"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Those that the service, its framework and its server are known to answer with.
STATUSES: Final = (
    200, 204, 301, 302, 304, 308, 400, 401, 403, 404, 405, 406, 408, 411, 412, 413, 414, 415, 416,
    417, 422, 429, 431, 500, 501, 502, 503, 504, 505,
)  # fmt: skip
_TOLD: Final = ("200", "400", "422", "500", "503")  # also while there were none

SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
)  # fmt: skip


class Http:
    """Requests by method, route and status; the method, route or status that is none of those
    known is `_other`, so that nobody outside can make a series."""

    def __init__(self, layout: Layout, routes: Iterable[str], in_progress: int) -> None:
        self._in_progress = in_progress
        self._routes = (*routes, OTHER)
        methods = (*METHODS, OTHER)
        statuses = (*map(str, STATUSES), OTHER)
        predictions = [route for route in self._routes if route.startswith("/predict")]
        self._requests = layout.counter(
            "http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            ((m, r, s) for r in self._routes for m in methods for s in statuses),
            shown=[("POST", route, status) for route in predictions for status in _TOLD],
        )
        self._seconds = layout.histogram(
            "http_request_duration_seconds",
            "From a request's head to the end of its answer.",
            ("route",),
            {(route,): SECONDS for route in self._routes},
        )
        self.shed = layout.counter(
            "http_requests_shed", "Requests refused at once, as too much was asked for.",
            shown=[()],
        )[()]  # fmt: skip
        self.timed_out = layout.counter(
            "http_requests_timed_out", "Requests cut, as they or their answer took too long.",
            shown=[()],
        )[()]  # fmt: skip
        # of the sets that were asked for: a text from outside never becomes a key here
        self._known: dict[tuple[str, str, int], tuple[int, Histogram]] = {}

    def begin(self, store: Store) -> None:
        """A request has come that is not answered at once."""
        row = store.row
        with row.lock:
            row.values[self._in_progress] += 1.0

    def leave(self, store: Store) -> None:
        """One that had begun ends without an answer."""
        row = store.row
        with row.lock:
            row.values[self._in_progress] -= 1.0

    def end(
        self, store: Store, method: str, route: str, status: int, seconds: float, *, begun: bool
    ) -> None:
        """One that had begun was answered, whoever answered it."""
        place, histogram = self._known.get((method, route, status)) or self._find(
            method, route, status
        )
        row = store.row
        values = row.values
        with row.lock:
            if begun:
                values[self._in_progress] -= 1.0
            values[place] += 1.0
            values[histogram.first + bisect_left(histogram.bounds, seconds)] += 1.0
            values[histogram.total] += seconds

    def _find(self, method: str, route: str, status: int) -> tuple[int, Histogram]:
        known = (
            method if method in METHODS else OTHER,
            route if route in self._routes else OTHER,
            str(status) if status in STATUSES else OTHER,
        )
        found = self._requests[known], self._seconds[known[1:2]]
        if known == (method, route, str(status)):
            self._known[method, route, status] = found
        return found
