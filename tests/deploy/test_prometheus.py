"""The alerts and the dashboard, before a real Prometheus that scrapes a real service."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from scoring.models import discover
from scoring.observers.series import REASONS
from tests.load import Load, Request
from tests.serving.metrics.exposition import Scrape
from tests.support import (
    ROOT,
    Server,
    free_port,
    installed,
    records,
    serving,
    wait_for,
    write_artifact,
)

pytestmark = pytest.mark.slow

RULES = ROOT / "deploy" / "prometheus"
ALERTS = yaml.safe_load((RULES / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
EVERY = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
# those of `monitoring watch` have a test of their own
QUERIES = [query for query in EVERY if "prediction-monitoring" not in query]
DOCS = (ROOT / "docs" / "metrics.md").read_text()


def checked(*words: str) -> str:
    """Run promtool and return what it says; an error of it is one of the test."""
    installed("promtool", package="prometheus")
    command = ["promtool", *words]
    done = subprocess.run(command, cwd=RULES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_is_valid() -> None:
    """And finds its rules."""
    said = checked("check", "config", "prometheus.yml")
    assert f"{len(ALERTS)} rules found" in said


def test_each_alert_fires_where_it_should() -> None:
    """None of them does over a healthy service."""
    assert "SUCCESS" in checked("test", "rules", "alerts_test.yml")
    tried = yaml.safe_load((RULES / "alerts_test.yml").read_text())["tests"]
    names = [rule["alert"] for rule in ALERTS]
    assert [test["name"] for test in tried] == [*names, "a healthy service"]
    assert [test["alertname"] for test in tried[-1]["alert_rule_test"]] == names


def test_each_alert_says_what_to_do() -> None:
    """Its runbook is a chapter of the documentation."""
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/metrics.md#{rule['alert'].lower()}"
        assert f"### {rule['alert']}\n" in DOCS


@dataclass
class Prometheus:
    url: str

    def ask(self, path: str, **parameters: str) -> Any:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found


@contextlib.contextmanager
def scraping(program: str, folder: Path, until: str) -> Iterator[Prometheus]:
    """Run a Prometheus with the `prometheus.yml` of a folder and our rules; yield it once the query
    `until` has an answer."""
    for rules in RULES.glob("*alerts.yml"):
        (folder / rules.name).write_bytes(rules.read_bytes())
    port = free_port()
    command = [program, f"--config.file={folder}/prometheus.yml",
               f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    made = Prometheus(f"http://127.0.0.1:{port}")

    def scraped() -> bool:
        with contextlib.suppress(requests.RequestException, AssertionError):
            return bool(made.query(until))
        return False

    try:
        wait_for(scraped, f"an answer to {until}", 60)
        yield made
    finally:
        process.terminate()
        process.wait(20)


def traffic() -> list[Request]:
    """Return requests for everything that is counted: good, bad, many, unknown."""
    asked = [Request.of("/nowhere", {}, 404)]
    for name, model in discover().items():
        some = records(model, 10)
        for value, status in ((some[0], 200), (some, 200), ({}, 422), ("no record", 422)):
            asked.append(Request.of(f"/predict/{name}", value, status))
    far = {"PULocationID": 265, "DOLocationID": 263, "trip_distance": 1.0}
    return [*asked, Request.of("/predict", far)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service under traffic, with all that training tells, following a registry that is away."""
    folder = tmp_path_factory.mktemp("served")
    numbers = {"min": 0.0, "max": 90.0, "mean": 5.0, "std": 2.0, "quantiles": {"0.5": 4.0}}
    for model in discover().values():
        names = (*model.record.model_fields, model.target)
        write_artifact(model, folder / "models", profile=dict.fromkeys(names, numbers))
    given = {
        "WORKERS": "2",
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}",
        "MODEL_FALLBACK": "image",
        "REGISTRY_START_SECONDS": "1",
        "REGISTRY_CACHE": str(folder / "cache"),
        "PREDICTION_LOG": str(folder / "log.jsonl"),
    }
    with serving(folder / "models", folder / "log", **given) as server:
        with Load(("127.0.0.1", server.port), traffic(), clients=1, pause_s=0.005) as load:
            yield server
        assert load.failures == []


@pytest.fixture(scope="module")
def prometheus(served: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with our configuration, in which only the intervals and the target differ."""
    program = installed("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    text = (RULES / "prometheus.yml").read_text()
    assert "interval: 15s" in text
    assert '"localhost:9696"' in text
    text = text.replace("interval: 15s", "interval: 1s").replace("localhost:9696", served.url[7:])
    (folder / "prometheus.yml").write_text(text)
    with scraping(program, folder, "sum_over_time(up[20s]) >= 4") as made:
        yield made


def test_each_query_of_the_dashboard_has_data(prometheus: Prometheus) -> None:
    """As Grafana asks it: with the variables replaced, over the last seconds."""
    assert len(QUERIES) > 30
    for query in QUERIES:
        has_data(prometheus, query)


def has_data(prometheus: Prometheus, query: str) -> None:
    for name, value in (("$__rate_interval", "10s"), ("$job", "prediction-service"),
                        ("$model", ".+")):  # fmt: skip
        query = query.replace(name, value)
    assert "$" not in query
    found = wait_for(lambda: prometheus.query(query), f"data of {query}")
    assert any(value not in {"NaN", "+Inf"} for _, value in (one["value"] for one in found))


def test_the_variables_and_marks_of_the_dashboard_have_data(prometheus: Prometheus) -> None:
    """What is chosen from at its top, and the line that a new version draws."""
    jobs = prometheus.ask("label/job/values", **{"match[]": "http_requests_total"})
    assert jobs == ["prediction-service"]
    assert set(prometheus.ask("label/model/values", **{"match[]": "model_info"})) == set(discover())
    [mark] = DASHBOARD["annotations"]["list"]
    query = mark["expr"].replace("$job", jobs[0]).replace("$model", ".+")
    now = time.time()
    asked = {"query": query, "start": str(now - 600), "end": str(now), "step": "1"}
    assert prometheus.ask("query_range", **asked)["result"]


def test_each_alert_is_evaluated(prometheus: Prometheus) -> None:
    """Without an error; the registry that is away is seen, and nothing says that we are down."""

    def rules() -> Any:
        groups = prometheus.ask("rules")["groups"]
        group = next(one for one in groups if one["name"] == "prediction-service")
        return all(rule["health"] == "ok" for rule in group["rules"]) and group["rules"]

    found = {rule["name"]: rule for rule in wait_for(rules, "all rules to be evaluated")}
    assert set(found) == {rule["alert"] for rule in ALERTS}
    wait_for(lambda: rules() and {r["name"]: r for r in rules()}["RegistryDown"]["alerts"],
             "the registry to be missed")  # fmt: skip
    assert found["PredictionServiceDown"]["state"] == "inactive"
    wait_for(lambda: {r["name"]: r for r in rules() or []}.get("InvalidRequests", {}).get("alerts"),
             "bad requests to be noticed")  # fmt: skip


def test_every_metric_is_described_and_every_name_is_real(served: Server) -> None:
    """The documentation, the alerts and the dashboard name what is there, and leave out none."""
    described = set(re.findall(r"^\| `([a-z_]+)(?:\{[^}]*\})?` \|", DOCS, flags=re.M))
    described.remove("model_class_total")  # of models of more than two classes: test_classes.py

    def scrape() -> tuple[Scrape, set[str]]:
        found = Scrape(requests.get(f"{served.url}/metrics", timeout=10).content)
        return found, {re.sub("_(bucket|count|sum)$", "", name) for name, _ in found.samples}

    # some are there once something was asked, or once the registry has been missed
    wait_for(lambda: described <= scrape()[1], "every metric that is described")
    found, families = scrape()
    assert families == described
    there = {name for name, _ in found.samples}
    used = "\n".join([rule["expr"] for rule in ALERTS] + QUERIES)
    named = set(
        re.findall(r"\b((?:http|model|registry|service|prediction_log|process)_\w+)\{", used)
    )
    assert named <= there
    assert {dict(k)["reason"] for k in found.of("model_validation_errors_total")} <= set(REASONS)
