"""What the worker counts, in Prometheus's words: docs/streaming.md lists it."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

_LATENCIES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
_BATCHES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class _Histogram:
    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, values: list[float]) -> None:
        """Count `values`; sorting them is quicker than looking each up."""
        values.sort()
        before = 0
        for place, bound in enumerate(self.bounds):
            upto = bisect_right(values, bound)
            self.counts[place] += upto - before
            before = upto
        self.counts[-1] += len(values) - before
        self.total += sum(values)

    def family(self, name: str, text: str) -> Metric:
        """Return the histogram as Prometheus has it: each count with those below."""
        sums = 0
        buckets = []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            sums += count
            buckets.append((bound, sums))
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self.total)


class Meter:
    """Counts for one worker. Written by its thread, read by that of the port."""

    def __init__(self, restarts: int = 0) -> None:
        self.restarts = restarts
        self._lock = threading.Lock()
        self._events = 0
        self._predictions = 0
        self._letters: Counter[str] = Counter()
        self._commits: Counter[str] = Counter()
        self._rebalances = 0
        self._lag: Mapping[str, int] = {}
        self._latency = _Histogram(_LATENCIES)
        self._batches = _Histogram(_BATCHES)
        self.last_batch: float | None = None

    def polled(self, events: int) -> None:
        """Count a batch of events that came."""
        with self._lock:
            self._events += events
            self._batches.add([float(events)])

    def done(self, predictions: int, reasons: Mapping[str, int], times: Sequence[float]) -> None:
        """Count what became final: predictions, dead letters by reason; `times` are the events'."""
        now = time.time()
        with self._lock:
            self._predictions += predictions
            self._letters.update(reasons)
            self._latency.add([max(0.0, now - moment) for moment in times])
            self.last_batch = now

    def committed(self, outcome: str) -> None:
        """Count a commit: `done` or `lost`."""
        with self._lock:
            self._commits[outcome] += 1

    def rebalanced(self) -> None:
        """Count that the partitions of this worker changed."""
        with self._lock:
            self._rebalances += 1

    def lagging(self, lag: Mapping[str, int]) -> None:
        """Show how many events wait, by partition."""
        with self._lock:
            self._lag = dict(lag)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, as prometheus_client asks for them."""
        with self._lock:
            yield CounterMetricFamily(
                "stream_events", "Events that were polled", value=self._events
            )
            yield CounterMetricFamily(
                "stream_predictions", "Predictions that are final", value=self._predictions
            )
            letters = CounterMetricFamily(
                "stream_dead_letters", "Events without a prediction", labels=["reason"]
            )
            for reason, count in self._letters.items():
                letters.add_metric([reason], count)
            yield letters
            commits = CounterMetricFamily(
                "stream_commits", "Batches that were made final, or given up", labels=["result"]
            )
            for result in ("done", "lost"):
                commits.add_metric([result], self._commits[result])
            yield commits
            yield CounterMetricFamily(
                "stream_rebalances", "Changes of this worker's partitions", value=self._rebalances
            )
            yield GaugeMetricFamily(
                "stream_restarts", "Starts after the process was killed", value=self.restarts
            )
            lag = GaugeMetricFamily("stream_lag", "Events that wait", labels=["partition"])
            for partition, count in self._lag.items():
                lag.add_metric([partition], count)
            yield lag
            yield self._batches.family("stream_batch_events", "Events of one poll")
            yield self._latency.family(
                "stream_latency_seconds", "From an event's time to its final prediction"
            )
