"""`monitoring watch`: reports again and again, their page and metrics, and a webhook."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from monitoring import notify
from monitoring.errors import MonitoringError
from monitoring.report import Finding, Report, report
from monitoring.store import Store
from monitoring.watching import Board, forever, listen
from tests.monitoring.support import BEGIN, lines, rides, write
from tests.monitoring.test_labels import truth
from tests.monitoring.test_report import DAY, log, until
from tests.support import ROOT, wait_for

Run = Callable[..., Any]
SECRET = "a secret of some length"
HOUR = int(BEGIN.timestamp()) // 3600


class Receiver:
    """A webhook that answers with these statuses, the last one again and again."""

    def __init__(self, statuses: list[int]) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.append((dict(self.headers), body))
                self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(*statuses: int) -> Receiver:
        made.append(Receiver(list(statuses)))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


@pytest.fixture
def drifted(monitoring: Run, store: Store) -> Store:
    """A store in which the last two days differ from the two before."""
    for day in range(4):
        log(monitoring, day, rows=300, factor=3 if day > 1 else 1)
    return store


def ill(one: Report) -> Report:
    return replace(one, findings=[Finding("alarm", "the model is ill")])


def made(store: Store, day: int, against: Any = "previous") -> Any:
    return report(store, "ride", 24, HOUR + 24 * day, against)


@pytest.mark.slow
def test_an_alarm_is_told_once(drifted: Store, receiver: Callable[..., Receiver]) -> None:
    """Signed, tried again where it is not taken, and told when it ends."""
    got = receiver(500, 302, 204)
    pauses: list[float] = []
    hook = notify.Webhook(got.url, SECRET, pauses.append)
    alarm, quiet = ill(made(drifted, 4)), made(drifted, 2)
    assert quiet.state == "quiet"
    assert hook.tell(drifted, quiet)
    assert got.came == []
    assert hook.tell(drifted, alarm)
    assert pauses == [1.0, 2.0]
    assert len(got.came) == 3
    headers, body = got.came[-1]
    delivery, sent = headers["X-Monitoring-Delivery-Id"], headers["X-Monitoring-Timestamp"]
    assert headers["X-Monitoring-Signature"] == notify.signature(SECRET, delivery, sent, body)
    assert {h["X-Monitoring-Delivery-Id"] for h, _ in got.came} == {delivery}
    told = json.loads(body)
    assert (told["model"], told["state"], told["before"]) == ("ride", "alarm", "unknown")
    assert told["findings"][0]["sentence"] == "the model is ill"
    assert hook.tell(Store(str(Path("monitoring.db"))), alarm)  # another process
    assert len(got.came) == 3
    assert hook.tell(drifted, quiet)
    assert json.loads(got.came[-1][1])["state"] == "quiet"


@pytest.mark.slow
def test_an_alarm_that_is_not_taken_waits(
    drifted: Store, receiver: Callable[..., Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    """The next turn tells it; the log has no address, which may hold a secret."""
    got = receiver(503)
    alarm = ill(made(drifted, 4))
    assert not notify.Webhook(got.url, SECRET, lambda _: None).tell(drifted, alarm)
    assert "status 503" in caplog.text
    nobody = notify.Webhook("http://127.0.0.1:9/token", SECRET, lambda _: None)
    assert not nobody.tell(drifted, alarm)
    assert "ConnectionError" in caplog.text
    assert "token" not in caplog.text
    assert drifted.told("ride") is None


@pytest.mark.slow
def test_the_metrics_say_what_the_report_says(monitoring: Run, store: Store) -> None:
    """Drift and its threshold, realised performance, data quality; the files and the pages."""
    for day in range(2):
        some = lines(rides(300, seed=day), BEGIN + day * DAY, first=day * 1000)
        if day:
            for one in some[:30]:
                del one["features"]["DOLocationID"]
                one["features"]["PULocationID"] = 200
                one["unseen"] = ["PU_DO=200_41"]
        monitoring("profile", write(Path(f"{day}.jsonl"), some))
    monitoring("labels", truth("t.parquet", some), "--key", "request_id")
    words = ("--until", until(2), "--against", "previous", "--reports", "out", "--metrics-file",
             "m.prom", "--once")  # fmt: skip
    assert monitoring("watch", *words).status == 0
    found = {f.name: f.samples for f in text_string_to_metric_families(Path("m.prom").read_text())}

    def value(name: str, **labels: str) -> float:
        return next(float(s.value) for s in found[name] if s.labels == {"model": "ride", **labels})

    assert value("model_drift", field="PULocationID") > value(
        "model_drift_threshold", field="PULocationID"
    )
    assert value("model_performance", metric="rmse", kind="realised") == pytest.approx(1, abs=0.15)
    assert value("model_data_missing_ratio", field="DOLocationID") == pytest.approx(0.1)
    assert value("model_data_new_ratio", field="PULocationID") == pytest.approx(0.1)
    assert value("model_data_unseen_ratio") == pytest.approx(0.1)
    assert value("model_data_repeated_ratio") == value("model_data_future_ratio") == 0
    assert value("model_monitoring_truths") == value("model_monitoring_rows") == 300
    found_first = json.loads(Path("out/ride.json").read_text())
    assert found_first["model"] == "ride"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", found_first["since"])
    with store.writing() as writing:
        assert writing.since("ride", found_first["state"]) == found_first["since"]
    assert Path("out/ride.html").read_text().startswith("<!doctype html>")


@pytest.mark.slow
def test_the_page_shows_the_last_reports(drifted: Store) -> None:
    """And what there is, for an address that is not there; a turn that fails changes nothing."""
    board, stop = Board(0.01), threading.Event()
    server = listen("127.0.0.1", 0, board)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        assert "monitoring_turns_total 0" in requests.get(f"{url}/metrics", timeout=5).text
        turns = iter([[made(drifted, 4)], MonitoringError("the store is away"), OSError("full")])

        def turn() -> Any:
            found = next(turns, None)
            if found is None:
                stop.set()
                raise MonitoringError("the end")
            if isinstance(found, Exception):
                raise found
            return found

        forever(turn, board, 0.001, stop)
        metrics = requests.get(f"{url}/metrics", timeout=5)
        assert "monitoring_turns_total 4" in metrics.text
        assert "monitoring_failed_turns_total 3" in metrics.text
        assert 'model_drift{field="trip_distance",model="ride"}' in metrics.text
        page = requests.get(f"{url}/ride", timeout=5)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.text.startswith("<!doctype html>")
        assert requests.get(f"{url}/ride.json", timeout=5).json()["model"] == "ride"
        assert requests.head(f"{url}/ride", timeout=5).content == b""
        nothing = requests.get(f"{url}/tips", timeout=5)
        assert (nothing.status_code, nothing.text) == (
            404, "there are /health, /metrics, /ride, /ride.json")  # fmt: skip
        assert requests.get(f"{url}/health", timeout=5).json() == {"status": "ready"}
        board._last -= 100
        assert requests.get(f"{url}/health", timeout=5).status_code == 503
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_it_runs_until_it_is_told_to_stop(
    tmp_path: Path, receiver: Callable[..., Receiver]
) -> None:
    """A log that grows is read at the next turn, an alarm is told, SIGTERM is status 0."""
    got = receiver(200)
    start = lines(rides(2000, seed=1), BEGIN) + lines(
        rides(2000, seed=2), BEGIN + 7 * DAY, first=10_000
    )
    path = write(tmp_path / "log.jsonl", start)
    environ = {**os.environ, "MODELS_DIR": str(tmp_path), "MONITORING_WEBHOOK": got.url,
               "MONITORING_WEBHOOK_SECRET": SECRET}  # fmt: skip
    words = ["watch", "ride", "--store", str(tmp_path / "m.db"), "--log", str(path), "--every",
             "0.1", "--port", "0", "--until", until(9), "--against", "same-weekday"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "monitoring", *words], cwd=ROOT, env=environ, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]

        def state(wanted: str) -> Callable[[], bool]:
            return lambda: f'model_monitoring_state{{model="ride"}} {wanted}' in requests.get(
                url, timeout=5).text  # fmt: skip

        wait_for(state("20.0"), "silence to be an alarm")
        with path.open("ab") as file:
            more = lines(rides(2000, seed=3), BEGIN + 8 * DAY, first=20_000)
            file.write(write(tmp_path / "more", more).read_bytes())
        wait_for(lambda: not state("20.0")(), "the alarm to end")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
    assert [json.loads(body)["state"] == "alarm" for _, body in got.came][:2] == [True, False]


@pytest.mark.parametrize(
    ("environ", "words", "says"),
    [({}, ["tips"], "no model 'tips'"), ({}, ["--every", "0"], "above 0"),
     ({"MONITORING_WEBHOOK": "mail"}, [], "must begin with http"),
     ({"MONITORING_WEBHOOK": "http://a"}, [], "needs MONITORING_WEBHOOK_SECRET")],
    ids=["model", "every", "address", "secret"],
)  # fmt: skip
def test_wrong_usage_is_one_line(
    monitoring: Run, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], words: list[str],
    says: str,
) -> None:  # fmt: skip
    """Status 2, before anything is read."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    told = monitoring("watch", "--once", *words)
    assert (told.status, says in told.err) == (2, True)
