"""The sum over all rows, as prometheus_client shows it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from operator import add
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from scoring import __version__
from scoring.metrics import board
from scoring.metrics.layout import Histogram, Layout
from scoring.metrics.places import Places
from scoring.metrics.store import Store

FORMER: Final = "_former"
_RELOADS: Final = ("loaded", "refused", "failed")


class Registry(Protocol):
    """What is asked of whoever follows a model registry."""

    def describe(self, name: str) -> dict[str, Any]:
        """Gives how the following of a model goes."""


class Collector:
    """Gives every metric with its value at this moment; needs no row itself, so that a process
    that only shows the numbers can ask it."""

    def __init__(
        self,
        store: Store,
        layout: Layout,
        entered: board.Board,
        places: Places,
        *,
        aliases: Mapping[str, str],
        following: Registry | None,
    ) -> None:
        self._store = store
        self._layout = layout
        self._board = entered
        self._places = places
        self._aliases = aliases
        self._following = following
        self._started = time.time()
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def text(self) -> bytes:
        """Gives all of it in Prometheus's text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """Gives prometheus_client's metrics."""
        documents = self._board.read()
        rows: list[tuple[list[float], bool]] = [
            (list(values), alive) for values, alive in self._store.rows()
        ]
        sums = [0.0] * self._layout.width
        for values, _ in rows:
            sums = list(map(add, sums, values))
        living = [values for values, alive in rows if alive]
        yield from self._of_the_service(living)
        for counters in self._layout.counters:
            family = CounterMetricFamily(counters.name, counters.text, labels=counters.labels)
            for labels, place in counters.places.items():
                if sums[place] or labels in counters.shown:
                    family.add_metric(labels, sums[place])
            yield family
        for histograms in self._layout.histograms:
            divided = HistogramMetricFamily(
                histograms.name, histograms.text, labels=histograms.labels
            )
            for labels, member in histograms.members.items():
                divided.add_metric(labels, *_shown(member, sums))
            yield divided
        yield self._of_categories(sums)
        yield from self._of_versions(documents, [values for values, _ in rows])
        yield from self._of_what_serves(documents, living)
        if self._following:
            yield from _of_the_registry(self._following, list(self._places.models))

    def _of_the_service(self, living: list[list[float]]) -> Iterator[Metric]:
        yield _gauge("process_start_time_seconds", "When the service started.", self._started)
        yield _gauge("service_workers", "Processes that answer requests.", len(living))
        built = GaugeMetricFamily("service_info", "Always 1.", labels=("version",))
        built.add_metric((__version__,), 1)
        yield built
        for gauge in self._layout.gauges:
            if gauge.text:
                value = sum(values[gauge.place] for values in living)
                yield _gauge(gauge.name, gauge.text, value)

    def _of_categories(self, sums: list[float]) -> Metric:
        family = CounterMetricFamily(
            "model_input_category",
            "What was predicted for: a record's categories.",
            labels=("model", "field", "category"),
        )
        for name, groups in self._places.choices.items():
            counts: Counter[tuple[str, ...]] = Counter()
            for place, labels in (found for group in groups for found in group.labels):
                for pair in labels:
                    counts[pair] += int(sums[place])
            for pair, count in counts.items():
                if count:
                    family.add_metric((name, *pair), count)
        return family

    def _of_versions(
        self, documents: Mapping[str, board.Document], rows: list[list[float]]
    ) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "model_predictions",
            "Records that were answered; _former: by versions of long ago.",
            labels=("model", "version"),
        )
        for name, document in documents.items():
            first = self._places.models[name].cells
            shown = {found["generation"]: found["version"] for found in board.shown(document)}
            counts: dict[str, float] = dict.fromkeys(shown.values(), 0.0)
            former = 0.0
            for values in rows:
                for cell in range(first, first + board.CELLS * board.CELL_WIDTH, board.CELL_WIDTH):
                    generation, base, count = values[cell : cell + board.CELL_WIDTH]
                    if generation in shown:
                        counts[shown[int(generation)]] += count - base
                        former += base
                    else:
                        former += count
            if former:
                counts[FORMER] = former
            for version, value in counts.items():
                family.add_metric((name, version), value)
        yield family

    def _of_what_serves(
        self, documents: Mapping[str, board.Document], living: list[list[float]]
    ) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "model_info",
            "1 for each version that some worker serves.",
            labels=("model", "version", "alias", "digest"),
        )
        loaded = GaugeMetricFamily(
            "model_loaded_timestamp_seconds", "When what serves was loaded.", labels=("model",)
        )
        trained = GaugeMetricFamily(
            "model_trained_timestamp_seconds", "When what was loaded last was made.",
            labels=("model",),
        )  # fmt: skip
        means = GaugeMetricFamily(
            "model_training_mean", "Of the training data.", labels=("model", "field")
        )
        deviations = GaugeMetricFamily(
            "model_training_stddev", "Of the training data.", labels=("model", "field")
        )
        for name, document in documents.items():
            places = self._places.models[name]
            serving = {values[places.serving] for values in living}
            for found in document["versions"]:
                if found["generation"] in serving:
                    labels = (found["version"], self._aliases.get(name, ""), found["digest"])
                    info.add_metric((name, *labels), 1)
            if times := [values[places.serving + 1] for values in living]:
                loaded.add_metric((name,), max(times))
            trained.add_metric((name,), document["trained"])
            for field, (mean, deviation) in document["training"].items():
                field_or_output = field if field in places.schema else "_output"
                means.add_metric((name, field_or_output), mean)
                deviations.add_metric((name, field_or_output), deviation)
        yield from (info, loaded, trained, means, deviations)


def _shown(member: Histogram, sums: list[float]) -> tuple[list[tuple[str, float]], float]:
    """Gives the buckets as Prometheus wants them, each with all that are below it, and the sum."""
    found = []
    below = 0.0
    for place, name in enumerate(member.names, start=member.first):
        below += sums[place]
        found.append((name, below))
    return found, sums[member.total]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _of_the_registry(registry: Registry, names: list[str]) -> Iterator[Metric]:
    reloads = CounterMetricFamily(
        "model_reloads", "Versions that the registry named.", labels=("model", "result")
    )
    away = CounterMetricFamily(
        "registry_unanswered", "Questions that the registry did not answer.", labels=("model",)
    )
    refused = GaugeMetricFamily(
        "model_refused",
        "1 while the version that the registry names is refused.",
        labels=("model",),
    )
    is_up = True
    for name in names:
        found = registry.describe(name)
        for result in _RELOADS:
            reloads.add_metric((name, result), found["counts"][result])
        away.add_metric((name,), found["counts"]["away"])
        refused.add_metric((name,), float(found["refused"] is not None))
        is_up = is_up and found["stale_since"] is None
    yield from (reloads, away, refused, _gauge("registry_up", "1 while it answers.", float(is_up)))
