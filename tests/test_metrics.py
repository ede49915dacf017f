"""A real gunicorn whose workers are killed, reloaded and moved: its counters add up exactly."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
import requests

from scoring.models import discover
from tests.scoring.metrics.exposition import Scrape
from tests.support import ROOT, Server, environment, free_port, serving, wait_for

pytestmark = pytest.mark.slow

RIDE = discover()["ride"]


def children(pid: int) -> set[int]:
    """Gives the processes that `pid` started and that still run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    alive = set()
    for child in found:
        with contextlib.suppress(OSError):  # it may end meanwhile
            if Path(f"/proc/{child}/cmdline").read_bytes():
                alive.add(int(child))
    return alive


def scrape(url: str) -> Scrape:
    """Gives what Prometheus would get."""
    response = requests.get(f"{url}/metrics", timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    return Scrape(response.content)


def ask(server: Server, seen: Counter[tuple[str, str]], stop: threading.Event) -> None:
    """Asks for all kinds of answers, each on a connection of its own, and notes what came."""
    good = dict(RIDE.example)
    while not stop.is_set():
        for route, value in (
            ("/predict", good), ("/predict/<name>", [good] * 3), ("/predict", {}), ("_other", good),
        ):  # fmt: skip
            path = {"/predict/<name>": "/predict/ride", "_other": "/nowhere"}.get(route, route)
            try:
                response = requests.post(f"{server.url}{path}", json=value, timeout=30)
            except requests.RequestException:
                seen["lost", "lost"] += 1
                continue
            seen[route, str(response.status_code)] += 1


def test_counters_add_up_over_a_workers_death(models_dir: Path, tmp_path: Path) -> None:
    """Three workers under load, of which one is killed, then all are exchanged: what is counted is
    what the clients saw. The killed one may have counted an answer that it did not send."""
    seen: Counter[tuple[str, str]] = Counter()
    stop = threading.Event()
    with serving(models_dir, tmp_path / "log", WORKERS="3", GRACEFUL_TIMEOUT="20") as server:
        master = server.process.pid
        wait_for(lambda: scrape(server.url).sum("service_workers") == 3, "three workers")
        asking = [threading.Thread(target=ask, args=(server, seen, stop)) for _ in range(4)]
        for thread in asking:
            thread.start()
        wait_for(lambda: seen.total() > 100, "answers")
        victim = min(children(master))
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(children(master) - {victim}) == 3, "another worker in its place")
        so_far = seen.total()
        wait_for(lambda: seen.total() > so_far + 50, "more answers")
        before = children(master)
        os.kill(master, signal.SIGHUP)
        wait_for(lambda: len(now := children(master)) == 3 and not now & before, "new workers")
        stop.set()
        for thread in asking:
            thread.join()
        lost = seen.pop(("lost", "lost"), 0)
        wait_for(lambda: scrape(server.url).sum("service_workers") == 3, "the old ones to be gone")
        found = scrape(server.url)
    counted = {(r, s): found.sum("http_requests_total", method="POST", route=r, status=s)
               for r, s in seen}  # fmt: skip
    assert set(seen) == {("/predict", "200"), ("/predict", "422"), ("/predict/<name>", "200"),
                         ("_other", "404")}  # fmt: skip
    surplus = sum(counted.values()) - seen.total()
    assert 0 <= surplus <= lost <= 4, (counted, seen)
    assert all(counted[key] >= seen[key] for key in seen)
    assert found.sum("model_requests_refused_total", model="ride") == counted["/predict", "422"]
    answered = counted["/predict", "200"] + 3 * counted["/predict/<name>", "200"]
    assert found.sum("model_predictions_total", model="ride") == pytest.approx(
        answered, abs=3 * lost
    )
    assert found.sum("http_requests_in_progress") == 1  # this very scrape
    assert len(found.of("model_info")) == 2  # of two models


def test_a_scrape_is_complete_before_anything_was_asked(server: Server) -> None:
    """Every worker tells what it serves at its start."""
    found = wait_for(
        lambda: (got := scrape(server.url)).sum("service_workers") == 2 and got, "two workers"
    )
    assert len(found.of("model_info")) == 2
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
        given = {"HOST": "127.0.0.1", "PORT": str(free_port()), "MODELS_DIR": str(models_dir),
                 "METRICS_PORT": str(taken.getsockname()[1])}  # fmt: skip
        command = [Path(sys.executable).with_name("gunicorn"), "-c", "web-service/gunicorn.conf.py"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(**given), capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    said = f"prediction-service cannot start: METRICS_PORT={given['METRICS_PORT']}: "
    assert said + "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
