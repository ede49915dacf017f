"""What Prometheus is shown of the registry."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from scoring.registry.metrics import RegistryMetrics
from scoring.registry.reloader import ModelReloader
from tests.scoring.registry.rides import RIDE
from tests.scoring.registry.scripted import Bench, send
from tests.serving.metrics.exposition import Scrape


@pytest.mark.slow
def test_the_registry_is_shown(bench: Bench) -> None:
    """Whether it answers, and what became of the versions that it named."""
    registry = CollectorRegistry()
    registry.register(RegistryMetrics(ModelReloader(bench.settings, {"ride": RIDE})))

    def look() -> Scrape:
        return Scrape(generate_latest(registry))

    bench.add("1")
    bench.follow("1")
    seen = look()
    assert seen.sum("registry_up") == 1
    assert seen.values("model_reloads_total", "result") == {"loaded": 1, "refused": 0, "failed": 0}
    assert seen.of("model_refused") == {frozenset({("model", "ride")}): 0}
    (bench.add("2") / "lin_reg.bin").write_bytes(b"other")
    bench.follow("2")
    bench.registry.instead = lambda handler: send(handler, 503, {})
    bench.follow("2")
    seen = look()
    assert seen.values("model_reloads_total", "result") == {"loaded": 1, "refused": 1, "failed": 0}
    assert seen.sum("registry_unanswered_total", model="ride") == 1
    assert seen.sum("model_refused", model="ride") == 1
    assert seen.sum("registry_up") == 0
