"""From a layout and rows to what Prometheus reads."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from scoring.shared_memory.collector import Collector, Snapshot
from scoring.shared_memory.layout import Layout
from scoring.shared_memory.store import Store
from tests.serving.metrics.exposition import Scrape


def add(store: Store, slot: int, more: float = 1.0) -> None:
    with store.row.lock:
        store.row.values[slot] += more


@pytest.mark.slow
def test_counters_are_summed_over_processes() -> None:
    """Those of a process that has ended too; zeros are shown where that was asked for."""
    layout = Layout()
    jobs = layout.counter("jobs", "Jobs.", ("kind",), [("a",), ("b",), ("c",)], shown=[("b",)])
    store = Store(layout, rows=2)
    child = os.fork()
    if not child:
        add(store, jobs["a",], 2)
        os._exit(0)
    os.waitpid(child, 0)
    add(store, jobs["a",])
    scrape = Scrape(Collector(store, layout).text())
    assert scrape.values("jobs_total", "kind") == {"a": 3, "b": 0}


@pytest.mark.slow
def test_gauges_are_those_of_living_processes() -> None:
    """The next process to claim the row begins at zero."""
    layout = Layout()
    busy = layout.gauge("busy", "What is being done.")
    store = Store(layout, rows=2)
    collector = Collector(store, layout)
    child = os.fork()
    if not child:
        add(store, busy, 5)
        os._exit(0)
    os.waitpid(child, 0)
    assert Scrape(collector.text()).sum("busy") == 0
    add(store, busy)
    assert Scrape(collector.text()).sum("busy") == 1


def test_buckets_are_cumulative() -> None:
    """A value on a bound is below it; the last bucket has all of them."""
    layout = Layout()
    sizes = layout.histogram("size", "Sizes.", ("kind",), {("a",): (1, 2, 5)})["a",]
    store = Store(layout, rows=1)
    for bucket, value in ((0, 1.0), (1, 2.0), (3, 9.0)):
        add(store, sizes.first + bucket)
        add(store, sizes.total, value)
    scrape = Scrape(Collector(store, layout).text())
    assert scrape.values("size_bucket", "le") == {"1.0": 1, "2.0": 2, "5.0": 2, "+Inf": 3}
    assert scrape.sum("size_count") == 3
    assert scrape.sum("size_sum") == 12


def test_a_source_makes_metrics_of_its_own_slots() -> None:
    """Slots that are of no series are left to whoever asked for them."""
    layout = Layout()
    mine, now = layout.slots(2), layout.process_slots(1)
    store = Store(layout, rows=1)
    add(store, mine + 1, 4)
    add(store, now, 7)

    def source(snapshot: Snapshot) -> Iterator[Metric]:
        yield GaugeMetricFamily("mine", "Mine.", value=snapshot.sums[mine + 1])
        yield GaugeMetricFamily("now", "Now.", value=snapshot.living[0][now])

    scrape = Scrape(Collector(store, layout, source).text())
    assert scrape.sum("mine") == 4
    assert scrape.sum("now") == 7
