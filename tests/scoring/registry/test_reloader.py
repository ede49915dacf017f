"""The service follows a real MLflow server: swaps, rollbacks, restarts, dying workers."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from serving.routes.webhook import signature
from tests.load import Answer, Load, Request
from tests.scoring.registry.conftest import Shop
from tests.scoring.registry.mlflow_server import Weather
from tests.scoring.registry.rides import RIDES
from tests.support import Server, command_lines, free_port, post, run_to_end, serving, wait_for

pytestmark = pytest.mark.slow

SECRET = "a webhook's secret"


def version_of(server: Server) -> str:
    """The version that one answer names, over a connection of its own."""
    answer = post(f"{server.url}/predict/ride", RIDES[0])
    assert answer.status_code == 200, answer.text
    version: str = answer.json()["model_version"]
    assert answer.headers["Model-Version"] == version
    return version


def registry_of(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{server.url}/models/ride", timeout=30).json()["registry"]
    return found


def has_loaded(server: Server, count: int) -> bool:
    return bool(registry_of(server)["counts"]["loaded"] == count)


def everywhere(server: Server, version: str) -> bool:
    """Whether forty fresh connections, which reach every worker, all meet the version."""
    return all(version_of(server) == version for _ in range(40))


class Versions:
    """Checks that each answer is its named version's own, and keeps the versions that it saw."""

    def __init__(self, expected: dict[str, list[float]]) -> None:
        self.expected = expected
        self.seen: set[str] = set()

    def problem_of(self, answer: Answer) -> str | None:
        """Return what is wrong with an answer, None where nothing is."""
        if answer.status != 200:
            return f"{answer.status}: {answer.body!r}"
        found = json.loads(answer.body)
        version = found["model_version"]
        self.seen.add(version)
        durations = [one["duration"] for one in found.get("predictions", [found])]
        if durations != pytest.approx(self.expected[version][: len(durations)]):
            return f"not {version}'s: {found}"
        if answer.headers["Model-Version"] != version:
            return f"header {answer.headers['Model-Version']}: {found}"
        return None


@pytest.mark.long
def test_twenty_promotions_and_rollbacks_lose_no_request(shop: Shop, tmp_path: Path) -> None:
    """Three workers under load follow twenty moves of the alias: every answer is 200 and its named
    version's own, and the last rollback is in every worker within the poll interval and 2 s."""
    versions = [shop.register() for _ in range(3)]
    promotions = [versions[number % 3] for number in range(1, 11)]
    moves = promotions + 5 * [versions[2], versions[1]]
    shop.promote(versions[0])
    settings = shop.settings(tmp_path / "cache", WORKERS="3", REGISTRY_POLL_SECONDS="0.5")
    with serving(tmp_path, tmp_path / "log", **settings) as server:
        asked = [Request.of("/predict/ride", RIDES[0]), Request.of("/predict/ride", RIDES)]
        checked = Versions(shop.answers)
        with Load(
            ("127.0.0.1", server.port), asked, clients=3, pause_s=0.005, check=checked.problem_of
        ) as load:
            for number, version in enumerate(moves, start=2):
                began = time.monotonic()
                shop.promote(version)
                wait_for(
                    partial(has_loaded, server, number), f"move {number - 1}, to version {version}"
                )
            wait_for(lambda: everywhere(server, moves[-1]), "the rollback in every worker")
            took = time.monotonic() - began
        assert load.wrong == []
        assert load.failures == []
        assert checked.seen == set(versions)
        # forty fresh connections are a part of the time
        assert took < 0.5 + 2 + 1.5
        assert "Traceback" not in server.log.read_text()


def test_a_killed_worker_comes_back_with_the_current_version(shop: Shop, tmp_path: Path) -> None:
    """gunicorn forks the new worker from a master that still holds the first version; what it
    answers with is the registry's."""
    old, new = shop.register(), shop.register()
    shop.promote(old)
    with serving(
        tmp_path, tmp_path / "log", **shop.settings(tmp_path / "c", WORKERS="1")
    ) as server:
        assert version_of(server) == old
        shop.promote(new)
        wait_for(lambda: version_of(server) == new, "the new version")
        [worker] = _workers(server)
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: _workers(server) not in ([], [worker]), "a new worker")
        assert {version_of(server) for _ in range(10)} == {new}


def test_a_killed_poller_is_started_again(shop: Shop, tmp_path: Path) -> None:
    """Whoever kills the process that talks to the registry delays the next version, no more."""
    old, new = shop.register(), shop.register()
    shop.promote(old)
    with serving(
        tmp_path, tmp_path / "log", **shop.settings(tmp_path / "c", WORKERS="2")
    ) as server:
        [poller] = wait_for(lambda: _pollers(server), "the poller")
        os.kill(poller, signal.SIGKILL)
        shop.promote(new)
        wait_for(lambda: everywhere(server, new), "the new version")
        assert len(_pollers(server)) == 1


def test_the_last_good_version_serves_within_three_seconds_without_the_registry(
    shop: Shop, tmp_path: Path, weather: Callable[[], Weather], models_dir: Path
) -> None:
    """Registry hung or killed, service stopped, service started: the last good version answers, and
    the service says that it is stale, since when and why."""
    proxy = weather()
    version = shop.register()
    shop.promote(version)
    settings = shop.settings(tmp_path / "cache", WORKERS="2", MLFLOW_TRACKING_URI=proxy.url)
    with serving(tmp_path, tmp_path / "log", **settings) as server:
        assert version_of(server) == version
        assert requests.get(f"{server.url}/health/ready", timeout=9).json().get("stale") is None
    proxy.change = lambda *_: proxy.cleared.wait(60)
    with serving(tmp_path, tmp_path / "log1", **settings) as server:
        assert version_of(server) == version  # before the registry has answered or given up
        assert not proxy.cleared.is_set()
    proxy.close()
    began = time.monotonic()
    with serving(models_dir, tmp_path / "log0", WORKERS="2"):
        plain = time.monotonic() - began  # on a busy machine nothing takes three seconds
    began = time.monotonic()
    with serving(tmp_path, tmp_path / "log2", **settings) as server:
        assert version_of(server) == version
        took = time.monotonic() - began
        ready = requests.get(f"{server.url}/health/ready", timeout=9)
        assert ready.status_code == 200
        assert ready.json()["stale"]["ride"]["reason"].startswith("the registry does not answer")
        told = registry_of(server)
        assert told["stale_since"]
        assert told["version"] == version
        assert requests.get(f"{server.url}/health/live", timeout=9).json() == {"status": "live"}
    assert took < max(3, 2 * plain)


def test_without_a_registry_and_a_cache_the_image_serves_if_told_so(
    tmp_path: Path, models_dir: Path
) -> None:
    """Otherwise the start ends with one clear line, at once."""
    nowhere = {"MODELS": "ride", "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"}
    nowhere["REGISTRY_CACHE"] = str(tmp_path / "cache")
    done = run_to_end(**nowhere, MODELS_DIR=str(models_dir))
    assert done.returncode != 0
    [line] = [line for line in done.stderr.splitlines() if "cannot start" in line]
    assert "ride-duration@champion" in line
    assert "MODEL_FALLBACK=image" in line
    assert "Traceback" not in done.stderr
    with serving(models_dir, tmp_path / "log", **nowhere, MODEL_FALLBACK="image") as server:
        manifest = json.loads((models_dir / "ride" / "manifest.json").read_text())
        assert version_of(server) == manifest["version"]
        assert registry_of(server)["version"] is None


def test_sighup_and_a_webhook_ask_now(shop: Shop, tmp_path: Path) -> None:
    """With an hour between two questions, a signal or a signed delivery brings the next version
    within seconds; an unsigned, a stale and a repeated delivery do not count."""
    one, two, three = (shop.register() for _ in range(3))
    shop.promote(one)
    settings = shop.settings(tmp_path / "cache", WORKERS="2", REGISTRY_POLL_SECONDS="3600")
    with serving(tmp_path, tmp_path / "log", **settings, MLFLOW_WEBHOOK_SECRET=SECRET) as server:
        assert version_of(server) == one
        shop.promote(two)
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: everywhere(server, two), "the version after SIGHUP")
        shop.promote(three)
        delivery, now = str(uuid.uuid4()), str(int(time.time()))
        url, body = f"{server.url}/hooks/mlflow", b'{"version": "99"}'

        def deliver(delivery: str, sent: str, secret: str = SECRET) -> int:
            headers = {
                "X-MLflow-Delivery-Id": delivery,
                "X-MLflow-Timestamp": sent,
                "X-MLflow-Signature": signature(secret, delivery, sent, body),
                "Content-Type": "application/json",
            }
            return requests.post(url, data=body, headers=headers, timeout=30).status_code

        assert requests.post(url, json={}, timeout=30).status_code == 401
        assert deliver(delivery, now, "another secret") == 401
        assert deliver(delivery, str(int(now) - 3600)) == 401
        assert version_of(server) == two
        assert deliver(delivery, now) == 202
        assert [deliver(delivery, now) for _ in range(5)] == [401] * 5
        wait_for(lambda: everywhere(server, three), "the version after the webhook")


def test_a_pin_is_stronger_than_the_alias(shop: Shop, tmp_path: Path) -> None:
    """MODEL_VERSION=ride:N serves N, also from the cache while the registry is away."""
    one, two = shop.register(), shop.register()
    shop.promote(two)
    pin = {"MODEL_VERSION": f"ride:{one}"}
    settings = shop.settings(tmp_path / "cache", WORKERS="1", **pin)
    with serving(tmp_path, tmp_path / "log", **settings) as server:
        assert version_of(server) == one
        assert registry_of(server)["pinned"] == one


def _workers(server: Server) -> list[int]:
    """Return the service's processes that are gunicorn's, its own command line among them."""
    return [pid for pid, words in command_lines(server.process.pid).items() if "gunicorn" in words]


def _pollers(server: Server) -> list[int]:
    return [pid for pid, words in command_lines(server.process.pid).items()
            if "scoring.registry.poller" in words]  # fmt: skip
