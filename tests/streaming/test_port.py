"""What the worker says of itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streaming import health
from streaming.health import Health, Port
from streaming.meter import Meter


@pytest.fixture
def meter() -> Meter:
    return Meter(restarts=2)


@pytest.fixture
def state() -> Health:
    return Health()


@pytest.fixture
def url(meter: Meter, state: Health) -> Iterator[str]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(meter)
    port = Port("127.0.0.1", 0, state, lambda: generate_latest(registry))
    yield f"http://127.0.0.1:{port.number}"
    port.close()


@pytest.mark.slow
def test_readiness_says_what_is_waited_for(url: str, state: Health) -> None:
    """503 with the reasons; 200 once there are none."""
    state.waits("sink", "h:9092 does not answer")
    found = requests.get(f"{url}/health/ready", timeout=5)
    assert found.status_code == 503
    assert found.json()["waiting"]["sink"] == "h:9092 does not answer"
    state.waits("sink", None)
    state.waits("source", None)
    assert requests.get(f"{url}/health", timeout=5).json() == {"status": "ready"}
    assert requests.get(f"{url}/ping", timeout=5).content == b"PONG"
    assert requests.get(f"{url}/other", timeout=5).status_code == 404


@pytest.mark.slow
def test_a_loop_that_stands_still_is_not_live(
    url: str, state: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what watches the process starts it anew."""
    assert requests.get(f"{url}/health/live", timeout=5).status_code == 200
    monkeypatch.setattr(health, "_STUCK_S", -1.0)
    assert requests.get(f"{url}/health/live", timeout=5).status_code == 503


@pytest.mark.slow
def test_metrics_are_what_was_counted(url: str, meter: Meter) -> None:
    """Counters, and histograms whose counts include those below."""
    meter.polled(3)
    meter.done(2, {"invalid": 1}, [time.time() - 2, time.time()])
    meter.committed("done")
    meter.lagging({"0": 7})
    text = requests.get(f"{url}/metrics", timeout=5).text
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["stream_events_total",] == 3
    assert samples["stream_predictions_total",] == 2
    assert samples["stream_dead_letters_total", "invalid"] == 1
    assert samples["stream_commits_total", "done"] == 1
    assert samples["stream_lag", "0"] == 7
    assert samples["stream_restarts",] == 2
    assert samples["stream_latency_seconds_bucket", "1"] == 1
    assert samples["stream_latency_seconds_bucket", "2.5"] == 2
    assert samples["stream_latency_seconds_count",] == 2
