"""The sum over all rows, as prometheus_client shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import add
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from scoring.shared_memory.layout import Counters, Histogram, Histograms, Layout
from scoring.shared_memory.store import Store


class Snapshot(NamedTuple):
    """All numbers at one moment, each list by slot."""

    sums: list[float]  # over all rows
    rows: list[list[float]]  # of every process that ever counted
    living: list[list[float]]  # of those that live


# Makes metrics of slots that belong to no counter, gauge or histogram of the layout.
Source = Callable[[Snapshot], Iterator[Metric]]


class Collector:
    """Collects every metric of a layout, and those of `sources`, at the moment that it is asked.

    It claims no row, so that a process which only shows the numbers can use it.
    """

    def __init__(self, store: Store, layout: Layout, *sources: Source) -> None:
        self._store = store
        self._layout = layout
        self._sources = sources
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def text(self) -> bytes:
        """Return every metric of the registry in Prometheus's text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, as prometheus_client asks for them."""
        snapshot = self._snapshot()
        for gauge in self._layout.gauges:
            value = sum(values[gauge.slot] for values in snapshot.living)
            yield GaugeMetricFamily(gauge.name, gauge.text, value=value)
        for counters in self._layout.counters:
            yield _counter(counters, snapshot.sums)
        for histograms in self._layout.histograms:
            yield _histogram(histograms, snapshot.sums)
        for source in self._sources:
            yield from source(snapshot)

    def _snapshot(self) -> Snapshot:
        rows = [(list(values), alive) for values, alive in self._store.rows()]
        sums = [0.0] * self._layout.width
        for values, _ in rows:
            sums = list(map(add, sums, values))
        return Snapshot(
            sums, [values for values, _ in rows], [values for values, alive in rows if alive]
        )


def _counter(counters: Counters, sums: list[float]) -> Metric:
    family = CounterMetricFamily(counters.name, counters.text, labels=counters.labels)
    for labels, slot in counters.slots.items():
        if sums[slot] or labels in counters.shown:
            family.add_metric(labels, sums[slot])
    return family


def _histogram(histograms: Histograms, sums: list[float]) -> Metric:
    family = HistogramMetricFamily(histograms.name, histograms.text, labels=histograms.labels)
    for labels, member in histograms.members.items():
        family.add_metric(labels, _cumulative(member, sums), sums[member.total])
    return family


def _cumulative(member: Histogram, sums: list[float]) -> list[tuple[str, float]]:
    """Return the buckets by their bound, each with the count of all below it added."""
    buckets = []
    below = 0.0
    for slot, name in enumerate(member.names, start=member.first):
        below += sums[slot]
        buckets.append((name, below))
    return buckets
