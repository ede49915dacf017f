"""Metrics of the registry: whether it answers, and what became of the versions that it named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from scoring.registry.reloader import ModelReloader

_RESULTS: Final = ("loaded", "refused", "failed")


class RegistryMetrics:
    """A collector of prometheus_client; it reads what the poller has written to the cache."""

    def __init__(self, reloader: ModelReloader) -> None:
        self._reloader = reloader

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of every model."""
        reloads = CounterMetricFamily(
            "model_reloads",
            "Versions named by the registry, by what became of them.",
            labels=("model", "result"),
        )
        unanswered = CounterMetricFamily(
            "registry_unanswered", "Polls that the registry did not answer.", labels=("model",)
        )
        refused = GaugeMetricFamily(
            "model_refused",
            "1 while the version that the registry names cannot be served.",
            labels=("model",),
        )
        is_up = True
        for name in self._reloader.models:
            state = self._reloader.describe(name)
            for result in _RESULTS:
                reloads.add_metric((name, result), state["counts"][result])
            unanswered.add_metric((name,), state["counts"]["unanswered"])
            refused.add_metric((name,), float(state["refused"] is not None))
            is_up = is_up and state["stale_since"] is None
        up = GaugeMetricFamily(
            "registry_up",
            "1 while the registry names a version for every model.",
            value=float(is_up),
        )
        yield from (reloads, unanswered, refused, up)
