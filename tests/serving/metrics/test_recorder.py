"""What is counted of requests and predictions, read from what Prometheus gets to see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from scoring import __version__
from scoring.models import Model
from scoring.observers.observer import Caller
from scoring.predictor import Predictor
from serving.metrics.recorder import Metrics
from tests.serving.metrics.exposition import Scrape

ROUTES = ["/predict", "/predict/<name>", "/ping"]


@pytest.fixture
def predictor(model: Model, models_dir: Path) -> Predictor:
    return Predictor.from_folder(models_dir / model.name, model)


@pytest.fixture
def metrics(predictor: Predictor) -> Metrics:
    return Metrics(ROUTES, [predictor], aliases={predictor.model.name: "champion"})


def look(metrics: Metrics) -> Scrape:
    return Scrape(metrics.text())


def test_a_request_is_counted_by_method_route_and_status(metrics: Metrics) -> None:
    """Once, with its time."""
    for status in (200, 200, 422):
        metrics.begin()
        metrics.end("POST", "/predict", status, 0.003)
    metrics.count_request("GET", "/ping", 200, 0.0001)
    seen = look(metrics)
    assert seen.sum("http_requests_total") == 4
    assert seen.values("http_requests_total", "status", route="/predict")["200"] == 2
    assert seen.sum("http_request_duration_seconds_count", route="/predict") == 3
    assert seen.sum("http_request_duration_seconds_sum", route="/predict") == pytest.approx(0.009)
    below = seen.values("http_request_duration_seconds_bucket", "le", route="/predict")
    assert (below["0.0025"], below["0.005"], below["+Inf"]) == (0, 3, 3)


def test_what_is_in_progress_is_shown(metrics: Metrics) -> None:
    """Also one whose caller has gone ends."""
    metrics.begin()
    metrics.begin()
    assert look(metrics).sum("http_requests_in_progress") == 2
    metrics.end("GET", "/ping", 200, 0.1)
    metrics.left()
    assert look(metrics).sum("http_requests_in_progress") == 0
    assert look(metrics).sum("http_requests_total") == 1


def test_nobody_outside_can_make_a_series(metrics: Metrics) -> None:
    """Methods, routes and statuses that are not known are one."""
    lines = len(look(metrics).samples)
    for number in range(100):
        metrics.count_request(f"M{number}", f"/{number}", 600 + number, 0.0)
    seen = look(metrics)
    labels = {"method": "_other", "route": "_other", "status": "_other"}
    assert seen.sum("http_requests_total", **labels) == 100
    assert len(seen.samples) == lines + 1


def test_what_is_refused_and_cut_is_counted(metrics: Metrics) -> None:
    """Each is there, at zero, from the start: an alert needs it."""
    names = ("http_requests_shed_total", "http_requests_timed_out_total")
    assert [look(metrics).of(name) for name in names] == [{frozenset(): 0}] * 2
    metrics.shed()
    metrics.timed_out()
    metrics.models.count_log_lines(3, 2)
    seen = look(metrics)
    assert [seen.sum(name) for name in names] == [1, 1]
    assert seen.values("prediction_log_lines_total", "result") == {"written": 3, "dropped": 2}


def test_the_service_is_described(metrics: Metrics, predictor: Predictor) -> None:
    """Version, start, and the workers that have told what they serve."""
    assert look(metrics).sum("service_workers") == 0
    metrics.models.serve(predictor)
    seen = look(metrics)
    assert seen.sum("service_workers") == 1
    assert seen.values("service_info", "version") == {__version__: 1}
    assert seen.values("model_info", "alias") == {"champion": 1}


class Weather:
    """A collector of somebody else's."""

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("degrees", "Outside.", value=7)


def test_other_collectors_are_shown_with_the_rest(predictor: Predictor) -> None:
    """The registry's, say, where there is one."""
    assert look(Metrics([], [predictor], collectors=[Weather()])).sum("degrees") == 7


def test_every_metric_says_what_it_is(metrics: Metrics, predictor: Predictor) -> None:
    """Names, kinds and help are there, and a counter's name ends in _total."""
    scored = predictor.one(dict(predictor.model.example))
    metrics.models.answered(predictor, scored, 0.001, Caller("id"))
    text = metrics.text().decode()
    helped = {line.split(" ", 3)[2] for line in text.splitlines() if line.startswith("# HELP")}
    kinds = Scrape(text).kinds
    assert {
        name + "_total" if kind == "counter" else name for name, kind in kinds.items()
    } == helped
    assert metrics.content_type.startswith("text/plain; version=")
