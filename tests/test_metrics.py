"""A real gunicorn whose workers are killed, reloaded and moved: its counters add up exactly."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest
import requests

from scoring.models import discover
from tests.load import Fate, Load, Request
from tests.serving.metrics.exposition import Scrape
from tests.support import Server, children, free_port, run_to_end, serving, wait_for

pytestmark = pytest.mark.slow

RIDE = discover()["ride"]


def scrape(url: str) -> Scrape:
    """Return what Prometheus would get."""
    response = requests.get(f"{url}/metrics", timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    return Scrape(response.content)


def test_counters_add_up_over_a_workers_death(models_dir: Path, tmp_path: Path) -> None:
    """Three workers under load, of which one is killed, then all are exchanged: what is counted is
    what the clients saw. The killed one may have counted an answer that it did not send."""
    record = dict(RIDE.example)
    asked = [
        Request.of("/predict", record),
        Request.of("/predict", {}, 422),
        Request.of(f"/predict/{RIDE.name}", [record] * 3, name="/predict/<name>"),
        Request.of("/nowhere", record, 404, name="_other"),
    ]
    with serving(models_dir, tmp_path / "log", WORKERS="3", GRACEFUL_TIMEOUT="20") as server:
        master = server.process.pid
        wait_for(lambda: scrape(server.url).sum("service_workers") == 3, "three workers")
        with Load(("127.0.0.1", server.port), asked, keep_alive=False) as load:
            wait_for(lambda: load.total() > 100, "answers")
            victim = min(children(master))
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: len(children(master) - {victim}) == 3, "another worker in its place")
            so_far = load.total()
            wait_for(lambda: load.total() > so_far + 50, "more answers")
            before = children(master)
            os.kill(master, signal.SIGHUP)
            wait_for(lambda: len(now := children(master)) == 3 and not now & before, "new workers")
        wait_for(lambda: scrape(server.url).sum("service_workers") == 3, "the old ones to be gone")
        found = scrape(server.url)
    seen = {(name, str(status)): number for (name, status), number in load.answers.items()}
    counted = {(r, s): found.sum("http_requests_total", method="POST", route=r, status=s)
               for r, s in seen}  # fmt: skip
    assert set(seen) == {("/predict", "200"), ("/predict", "422"), ("/predict/<name>", "200"),
                         ("_other", "404")}  # fmt: skip
    # what had reached the victim: one request of each client at most
    lost = len(load.failed(Fate.UNACCEPTED, Fate.BROKEN))
    surplus = sum(counted.values()) - load.total()
    assert 0 <= surplus <= lost <= 4, (counted, seen, load.failures)
    assert load.failed(Fate.CLOSED) == []
    assert all(counted[key] >= seen[key] for key in seen)
    refused = found.sum("model_requests_refused_total", model=RIDE.name)
    # the victim counts a refusal before the request that it belongs to
    assert 0 <= refused - counted["/predict", "422"] <= lost
    answered = counted["/predict", "200"] + 3 * counted["/predict/<name>", "200"]
    predictions = found.sum("model_predictions_total", model=RIDE.name)
    assert predictions == pytest.approx(answered, abs=3 * lost)
    assert found.sum("http_requests_in_progress") == 1  # this very scrape
    assert len(found.of("model_info")) == len(discover())


def test_a_scrape_is_complete_before_anything_was_asked(server: Server) -> None:
    """Every worker tells what it serves at its start."""
    found = wait_for(
        lambda: (got := scrape(server.url)).sum("service_workers") == 2 and got, "two workers"
    )
    assert len(found.of("model_info")) == len(discover())
    assert set(found.values("model_loaded_timestamp_seconds", "model")) == set(discover())


def test_metrics_move_to_a_port_of_their_own(models_dir: Path, tmp_path: Path) -> None:
    """There they answer while no worker does, survive a death, and end with the service; the
    service's own port has them no more."""
    port = free_port()
    apart = f"http://127.0.0.1:{port}"
    with serving(models_dir, tmp_path / "log", WORKERS="1", METRICS_PORT=str(port)) as server:
        assert requests.get(f"{server.url}/metrics", timeout=10).status_code == 404
        requests.post(f"{server.url}/predict", json=dict(RIDE.example), timeout=10)
        assert scrape(apart).sum("model_predictions_total") == 1
        assert scrape(apart).sum("service_workers") == 1
        keeper, worker = sorted(children(server.process.pid))
        os.kill(worker, signal.SIGSTOP)
        assert scrape(apart).sum("model_predictions_total") == 1
        os.kill(worker, signal.SIGCONT)
        [exporter] = children(keeper)
        os.kill(exporter, signal.SIGKILL)
        wait_for(lambda: answers(apart), "another process to answer")
        assert scrape(apart).sum("model_predictions_total") == 1
    wait_for(lambda: not answers(apart), "the end of it")


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/metrics", timeout=5).ok
    except requests.RequestException:
        return False


def test_the_prediction_log_is_whole_after_a_stop(models_dir: Path, tmp_path: Path) -> None:
    """Two workers write to one file, which is exchanged meanwhile: each answer has its line."""
    path = tmp_path / "log.jsonl"
    given = {"PREDICTION_LOG": str(path), "PREDICTION_LOG_MAX_BYTES": "20000", "WORKERS": "2",
             "PREDICTION_LOG_KEEP": "100", "PREDICTION_LOG_OMIT": "trip_distance"}  # fmt: skip
    with serving(models_dir, tmp_path / "log", **given) as server:
        ids = []
        for _ in range(100):
            answer = requests.post(
                f"{server.url}/predict", json=[dict(RIDE.example)] * 2, timeout=10
            )
            ids += [answer.headers["X-Request-ID"]] * 2
    files = list(tmp_path.glob("log*.jsonl"))
    assert len(files) > 2
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert sorted(line["request_id"] for line in lines) == sorted(ids)
    assert not any("trip_distance" in line["features"] for line in lines)


def test_a_taken_metrics_port_stops_the_start(models_dir: Path, tmp_path: Path) -> None:
    """With a line that names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run_to_end(MODELS_DIR=str(models_dir), METRICS_PORT=port)
    assert done.returncode == 1
    said = f"prediction-service cannot start: METRICS_PORT={port}: "
    assert said + "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
