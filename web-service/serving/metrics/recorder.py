"""`Metrics`: all that a service counts, in one object made before the workers are forked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily, Metric

from scoring import __version__
from scoring.observers.model_metrics import ModelMetrics
from scoring.predictor import Predictor
from scoring.shared_memory.collector import Collector, Snapshot
from scoring.shared_memory.layout import Layout
from scoring.shared_memory.store import Store
from serving.metrics.http import HttpSeries

_SPARE_ROWS: Final = 30


class Metrics:
    """Counts requests in whatever process it is called, and `models` their predictions.

    `text` shows the sums over all processes. Several threads may call all of it at once.
    """

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(
        self,
        routes: Iterable[str],
        predictors: Sequence[Predictor],
        *,
        workers: int = 1,
        aliases: Mapping[str, str] | None = None,
        collectors: Iterable[Any] = (),
    ) -> None:
        """Declare the series of requests to `routes` (templates) and of `predictors`' models.

        Twice as many processes as `workers` may live at the same time, and some more: at a reload,
        the old ones end while the new ones work. `aliases` are the registry's, by model. Other
        collectors of prometheus_client are shown with the rest.
        """
        layout = Layout()
        self._http = HttpSeries(layout, routes)
        self.models = ModelMetrics(layout, predictors, aliases=aliases)
        self._store = Store(layout, rows=2 * workers + _SPARE_ROWS)
        self.models.use(self._store)
        self._started = time.time()
        self.collector = Collector(self._store, layout, self._service, self.models.collect)
        for collector in collectors:
            self.collector.registry.register(collector)

    def begin(self) -> None:
        """Count a request as being in progress, until it is `end`ed or has `left`."""
        self._http.begin(self._store)

    def left(self) -> None:
        """End a request in progress that will not be answered: its caller or the worker is gone."""
        self._http.leave(self._store)

    def end(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count the answer to a request in progress, which took `seconds`.

        A method, route or status that was not declared is counted as `_other`.
        """
        self._http.end(self._store, method, route, status, seconds, in_progress=True)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request with its answer, which was never seen in progress."""
        self._http.end(self._store, method, route, status, seconds, in_progress=False)

    def shed(self) -> None:
        """Count a request that is refused because of the load; its answer is counted as well."""
        self._http.shed(self._store)

    def timed_out(self) -> None:
        """Count a request that is cut because it, or its answer, takes too long."""
        self._http.timed_out(self._store)

    def text(self) -> bytes:
        """Return every metric in Prometheus's text format, summed over all processes."""
        return self.collector.text()

    def _service(self, snapshot: Snapshot) -> Iterator[Metric]:
        """Yield what is known of the service as a whole."""
        yield GaugeMetricFamily(
            "process_start_time_seconds",
            "Unix time at which the service started.",
            value=self._started,
        )
        yield GaugeMetricFamily(
            "service_workers", "Worker processes that are alive.", value=len(snapshot.living)
        )
        info = GaugeMetricFamily(
            "service_info",
            "Always 1; the label is the release of this service.",
            labels=("version",),
        )
        info.add_metric((__version__,), 1)
        yield info
