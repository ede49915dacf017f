"""The alerts over models and the dashboard's row, before a real Prometheus that scrapes a page of
`monitoring watch`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.cli import main
from monitoring.report import report
from monitoring.store import Store
from monitoring.watching import Board, listen
from tests.deploy.test_prometheus import EVERY, QUERIES, Prometheus, checked, has_data, scraping
from tests.monitoring.support import BEGIN, lines, rides, write
from tests.monitoring.test_labels import truth
from tests.support import ROOT, installed, wait_for

pytestmark = pytest.mark.slow

RULES = ROOT / "deploy" / "prometheus"
ALERTS = yaml.safe_load((RULES / "monitoring_alerts.yml").read_text())["groups"][0]["rules"]
DOCS = (ROOT / "docs" / "monitoring.md").read_text()


def test_each_alert_fires_where_it_should() -> None:
    """None of them does over a model that is well; each says what to do."""
    assert "SUCCESS" in checked("test", "rules", "monitoring_alerts_test.yml")
    tried = yaml.safe_load((RULES / "monitoring_alerts_test.yml").read_text())["tests"]
    names = [rule["alert"] for rule in ALERTS]
    assert [test["name"] for test in tried] == [*names, "a model that is well"]
    assert [test["alertname"] for test in tried[-1]["alert_rule_test"]] == names
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{rule['alert'].lower()}"
        assert f"#### {rule['alert']}\n" in DOCS


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with our configuration, which asks a page of two days of rides."""
    program = installed("prometheus")
    folder: Path = tmp_path_factory.mktemp("prometheus")
    where = ["--store", str(folder / "m.db")]
    some: list[dict[str, Any]] = []
    for day in range(2):
        some = lines(rides(300, seed=day), BEGIN + timedelta(day), first=day * 1000)
        main(["profile", *where, str(write(folder / f"{day}.jsonl", some))])
    main(["labels", *where, str(truth(str(folder / "t.parquet"), some)), "--key", "request_id"])
    board = Board(60)
    end = int(BEGIN.timestamp()) // 3600 + 48
    board.show([report(Store(str(folder / "m.db")), "ride", 24, end, "previous")])
    server = listen("127.0.0.1", 0, board)
    text = (RULES / "prometheus.yml").read_text().replace("interval: 15s", "interval: 1s")
    job = "job_name: prediction-monitoring\n    static_configs:\n      - targets: "
    assert f"{job}[]" in text
    text = text.replace(f"{job}[]", f'{job}["127.0.0.1:{server.server_address[1]}"]')
    (folder / "prometheus.yml").write_text(text)
    try:
        with scraping(program, folder, 'up{job="prediction-monitoring"} == 1') as made:
            yield made
    finally:
        server.shutdown()
        server.server_close()


def test_each_query_of_the_row_has_data(prometheus: Prometheus) -> None:
    """As Grafana asks it; the rules are evaluated without an error."""
    queries = [query for query in EVERY if query not in QUERIES]
    assert len(queries) == 7
    for query in queries:
        has_data(prometheus, query)

    def healthy() -> bool:
        groups = prometheus.ask("rules")["groups"]
        [group] = [one for one in groups if one["name"] == "prediction-monitoring"]
        return [rule["health"] for rule in group["rules"]] == ["ok"] * len(ALERTS)

    wait_for(healthy, "all rules to be evaluated")
