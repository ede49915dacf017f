"""`Metrics`: all that a service counts, from one object made before the workers are forked."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from scoring.metrics import board
from scoring.metrics.collector import Collector, Registry
from scoring.metrics.http import Http
from scoring.metrics.layout import Layout
from scoring.metrics.meter import Meter
from scoring.metrics.places import ModelPlaces, Places
from scoring.metrics.store import Store
from scoring.predictor import Predictor

_SPARE_ROWS: Final = 30
_KEPT_METERS: Final = 2  # a model: of the version that serves, and of the one before


class Metrics:
    """Counts requests and predictions in whatever process it is called; `text` shows the sums over
    all of them. Everything here may be called by several threads at once."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(
        self,
        routes: Iterable[str],
        predictors: Sequence[Predictor],
        *,
        workers: int = 1,
        aliases: Mapping[str, str] | None = None,
        following: Registry | None = None,
    ) -> None:
        """`routes` are the templates that requests are counted by; the buckets of inputs and
        outputs are those of the `predictors` that serve first; `aliases` are the registry's, by
        model. Twice as many workers may live at once as there are to be, and some more."""
        names = [("http_requests_in_progress", "Requests that are being answered.")]
        for predictor in predictors:
            names += [
                (f"{predictor.model.name} serves", ""),
                (f"{predictor.model.name} loaded", ""),
            ]
        layout = Layout(names)
        self._http = Http(layout, routes, in_progress=0)
        models = [ModelPlaces(found, 1 + 2 * at) for at, found in enumerate(predictors)]
        self._places = Places(layout, models)
        self._lines = layout.counter(
            "prediction_log_lines",
            "Lines of the prediction log, and those that there was no room for.",
            ("result",),
            [("written",), ("dropped",)],
            shown=[("written",), ("dropped",)],
        )
        fields = {m.model.name: [*m.numeric, m.model.target] for m in models}
        self._store = Store(
            layout.width,
            gauges=len(names),
            rows=2 * workers + _SPARE_ROWS,
            board_bytes=board.size(fields),
        )
        self._board = board.Board(self._store)
        self.collector = Collector(
            self._store, layout, self._board, self._places,
            aliases=aliases or {}, following=following,
        )  # fmt: skip
        self._meters: dict[Predictor, Meter] = {}
        self._making = threading.Lock()

    def begin(self) -> None:
        """A request has come that is not answered at once; `end` it."""
        self._http.begin(self._store)

    def left(self) -> None:
        """A request that has begun will not be answered: its caller has gone, or the worker."""
        self._http.leave(self._store)

    def end(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request that has begun was answered, by whatever part of the service, with `status`
        after `seconds`. What is no known method, route or status is counted as `_other`."""
        self._http.end(self._store, method, route, status, seconds, begun=True)

    def at_once(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered at once: like `begin` and `end`, but never seen in progress."""
        self._http.end(self._store, method, route, status, seconds, begun=False)

    def shed(self) -> None:
        """A request was refused at once, as too much is asked for. It ends as others do."""
        self._add(self._http.shed, 1)

    def timed_out(self) -> None:
        """A request was cut, as it or its answer took too long. It ends as others do."""
        self._add(self._http.timed_out, 1)

    def logged(self, written: int, dropped: int) -> None:
        """So many lines of the prediction log were written, and so many dropped."""
        self._add(self._lines["written",], written)
        self._add(self._lines["dropped",], dropped)

    def meter(self, predictor: Predictor) -> Meter:
        """Gives what counts for `predictor`: the same one every time."""
        return self._meters.get(predictor) or self._make(predictor)

    def serve(self, predictor: Predictor) -> None:
        """Says that this process answers with `predictor` from now on, also before it is asked."""
        self.meter(predictor).mark()

    def text(self) -> bytes:
        """Gives every metric in Prometheus's text format, summed over all processes."""
        return self.collector.text()

    def _make(self, predictor: Predictor) -> Meter:
        with self._making:
            if predictor not in self._meters:
                made = Meter(self._store, self._board, self._places, predictor)
                name = predictor.model.name
                same = [found for found in self._meters if found.model.name == name]
                gone = same[: len(same) + 1 - _KEPT_METERS]
                kept = {p: m for p, m in self._meters.items() if p not in gone}
                self._meters = {**kept, predictor: made}
            return self._meters[predictor]

    def _add(self, place: int, more: int) -> None:
        row = self._store.row
        with row.lock:
            row.values[place] += more
