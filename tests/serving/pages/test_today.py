"""What the service counted, on a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from scoring.models import discover
from serving.app import create_app
from serving.pages.today import today
from serving.settings import Settings

HTML = {"Accept": "text/html"}
RIDE = dict(discover()["ride"].example)


@pytest.fixture
def fresh(models_dir: Path) -> FlaskClient:
    return create_app(Settings(models_dir=models_dir)).test_client()


def shown(html: str) -> list[tuple[str, str]]:
    """Return each line of a chart: its label and its number."""
    rows = re.findall(r'<th scope="row">([^<]*?)\s*<svg.*?<td>(.*?)</td>', html, re.S)
    return [(label, amount) for label, amount in rows]


@pytest.mark.slow
def test_a_service_that_was_asked_nothing_says_so(fresh: FlaskClient) -> None:
    """No zero bars and no time within which nothing was answered."""
    page = fresh.get("/today", headers=HTML)
    assert page.status_code == 200
    assert shown(page.text) == []
    assert "There was none yet." in page.text
    assert "99 of 100" not in page.text


@pytest.mark.slow
def test_predictions_refusals_and_the_unseen_are_counted(fresh: FlaskClient) -> None:
    """By status, by version, by field and reason in the field's words, by feature."""
    for record in (RIDE, RIDE, RIDE | {"PULocationID": "x"}, RIDE | {"PULocationID": 264}):
        fresh.post("/predict", json=record)
    fresh.get("/ping")
    version = fresh.get("/models/ride").get_json()["version"]
    html = fresh.get("/today", headers=HTML).text
    lines = dict(shown(html))
    assert (lines[version], lines["PU_DO"]) == ("3", "1")
    assert lines["Pickup zone: type"] == "1"


@pytest.mark.slow
def test_the_middle_and_the_slowest_are_bounds_of_the_histogram(fresh: FlaskClient) -> None:
    """Half within the bound of the fiftieth of a hundred; beyond the last bound that is said."""
    metrics = fresh.application.services.metrics  # type: ignore[attr-defined]
    predictors = fresh.application.services.predictors  # type: ignore[attr-defined]
    for number in range(100):
        metrics.count_request("POST", "/predict", 200, 0.002 if number < 98 else 60.0)
    metrics.count_request("GET", "/ping", 200, 0.002)
    found = today(metrics.collector.collect(), predictors)
    assert (found.requests, found.others) == ("100", "1")
    assert (found.median, found.slowest) == ("2.5 ms", "more than 10 s")
    assert found.statuses == [("200", "100", 100.0)]
    assert [bar.label for bar in found.latency][:1] == ["1 ms to 2.5 ms"]
    assert found.latency[-1][:2] == ("10 s and more", "2")


@pytest.mark.slow
def test_a_port_of_its_own_keeps_the_numbers_to_itself(models_dir: Path) -> None:
    """With METRICS_PORT who reaches the service's port sees neither metrics nor this page."""
    client = create_app(Settings(models_dir=models_dir, metrics_port=9999)).test_client()
    assert client.get("/today", headers=HTML).status_code == 404
    assert "/today" not in client.get("/", headers=HTML).text
