"""What is wrong with a version or a registry is refused and told; the service goes on."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import requests

from scoring.artifact.manifest import MANIFEST
from tests.scoring.registry.conftest import Shop
from tests.scoring.registry.mlflow_server import Mlflow, Weather, answer, is_file
from tests.scoring.registry.rides import RIDES
from tests.support import Server, post, serving, wait_for

pytestmark = pytest.mark.slow


class Service:
    """A service that follows a shop through a proxy, and the version that it must go on with."""

    def __init__(self, server: Server, shop: Shop, proxy: Weather) -> None:
        self.server, self.shop, self.proxy = server, shop, proxy
        self.good = shop.register()
        shop.promote(self.good)

    def registry(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"{self.server.url}/models/ride", timeout=30).json()[
            "registry"
        ]
        return found

    def answers_with(self) -> str:
        got = post(f"{self.server.url}/predict/ride", RIDES[0])
        assert got.status_code == 200, got.text
        version: str = got.json()["model_version"]
        assert got.json()["duration"] == pytest.approx(self.shop.answers[version][0])
        return version

    def until_good(self) -> None:
        self.proxy.change = lambda *_: False
        self.shop.promote(self.good)
        wait_for(lambda: self.answers_with() == self.good, "the good version")
        wait_for(
            lambda: self.registry()["refused"] is None and not self.registry()["problem"], "peace"
        )

    def refuses(self, version: str) -> str:
        """Promote a version, wait until it is refused, and return the reason, which the log has
        too; the good one answers meanwhile."""
        before = self.registry()["counts"]
        self.shop.promote(version)
        told = wait_for(
            lambda: (r := self.registry()["refused"]) and r["version"] == version and r, "a refusal"
        )
        assert self.answers_with() == self.good
        after = self.registry()["counts"]
        assert after["refused"] + after["failed"] > before["refused"] + before["failed"]
        assert f"ride-duration {version} is refused" in self.server.log.read_text()
        assert not re.search(r"(?<!\w)/\w", told["reason"])  # no path leaves the house
        reason: str = told["reason"]
        return reason


@pytest.fixture(scope="module")
def service(mlflow_url: Mlflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all the bad weather: it must outlive every kind."""
    tmp_path = tmp_path_factory.mktemp("weather")
    shop, proxy = Shop(mlflow_url, tmp_path / "artifacts"), Weather(mlflow_url.url)
    first = shop.register()
    shop.promote(first)
    settings = shop.settings(tmp_path / "cache", WORKERS="1", MLFLOW_TRACKING_URI=proxy.url)
    # one worker: what one answer says is what all say
    settings |= {"REGISTRY_DOWNLOAD_SECONDS": "5", "REGISTRY_KEEP": "2"}
    with serving(tmp_path, tmp_path / "log", **settings) as server:
        yield Service(server, shop, proxy)
    proxy.close()
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.fixture(autouse=True)
def calm(service: Service) -> Iterator[None]:
    service.until_good()
    yield
    service.proxy.cleared.set()
    service.proxy.cleared.clear()


@pytest.mark.long
def test_an_overwritten_artifact_is_refused(service: Service) -> None:
    """Other bytes under a registered version fail its manifest's digest."""
    shop = service.shop
    version = shop.register()
    other = shop.artifact() / "lin_reg.bin"
    shop.mlflow.put(f"{shop.paths[version]}/lin_reg.bin", other.read_bytes())
    assert "it was damaged or exchanged" in service.refuses(version)


def test_an_artifact_overwritten_together_with_its_manifest_is_refused(service: Service) -> None:
    """Where the version carries its manifest's digest, as ours do, a fitting pair of other files
    does not pass either."""
    shop = service.shop
    folder = shop.artifact()
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    version = shop.register(folder, manifest_sha256=digest)
    other = shop.artifact()
    for name in ("lin_reg.bin", MANIFEST):
        shop.mlflow.put(f"{shop.paths[version]}/{name}", (other / name).read_bytes())
    assert "was overwritten after it was registered" in service.refuses(version)


def _truncate(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    if not is_file(handler.path):
        return False
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    return True


def _shorten(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    return is_file(handler.path) and answer(handler, body[: len(body) // 2])


def _html(handler: BaseHTTPRequestHandler, _body: bytes) -> bool:
    return answer(handler, b"<html><h1>Sign in</h1></html>", kind="text/html")


def _html_files(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    return is_file(handler.path) and _html(handler, body)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_truncate, "broke off"),
        (_shorten, r"came with \d+ of \d+ bytes"),
        (_html_files, r"came with \d+ of \d+ bytes"),
    ],
    ids=["broken off", "shorter than announced", "a page instead of a file"],
)
def test_a_download_that_is_not_whole_is_refused_and_tried_again(
    service: Service, change: Callable[[BaseHTTPRequestHandler, bytes], bool], reason: str
) -> None:
    """Nothing of it is kept; when the weather clears, the same version serves."""
    version = service.shop.register()
    service.proxy.change = change
    assert re.search(reason, service.refuses(version))
    service.proxy.change = lambda *_: False
    wait_for(lambda: service.answers_with() == version, "the version after the storm")


def test_a_download_that_hangs_is_given_up(service: Service) -> None:
    """A server that accepts and never answers costs REGISTRY_DOWNLOAD_SECONDS, not for ever."""
    version = service.shop.register()
    service.proxy.change = lambda handler, _: (
        is_file(handler.path) and service.proxy.cleared.wait(60)
    )
    assert "took longer than 5 s" in service.refuses(version)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_html, "not JSON"),
        (lambda h, _: answer(h, b"{}"), "no model version"),
        (lambda h, _: answer(h, b"[1"), "not JSON"),
        (lambda h, _: answer(h, b"{}", 503), "HTTP 503"),
        (lambda h, _: answer(h, b"{}", 401), "MLFLOW_TRACKING_USERNAME"),
        (lambda h, _: answer(h, b"", 302), "is there a login"),
        (lambda h, _: answer(h, b" " * 5_000_000), "without an end"),
    ],
    ids=["a page", "empty", "broken JSON", "503", "401", "a redirect", "endless"],
)
def test_a_registry_that_talks_nonsense_makes_the_models_stale(
    service: Service, change: Callable[[BaseHTTPRequestHandler, bytes], bool], reason: str
) -> None:
    """What serves goes on, and both the health and the catalogue say since when and why."""
    service.proxy.change = change
    problem = wait_for(lambda: service.registry()["problem"], "a problem")
    assert reason in problem
    ready = requests.get(f"{service.server.url}/health/ready", timeout=30)
    assert ready.status_code == 200
    assert ready.json()["stale"]["ride"]["reason"] == problem
    assert service.answers_with() == service.good


def test_a_registry_that_hangs_does_not_stop_the_service(service: Service) -> None:
    """Answers go on while the poller waits; afterwards it follows again."""
    version = service.shop.register()
    service.shop.promote(version)
    service.proxy.change = lambda *_: service.proxy.cleared.wait(60)
    asked = len(service.proxy.asked)
    wait_for(lambda: len(service.proxy.asked) > asked, "a question")
    assert service.answers_with() == service.good
    service.proxy.change = lambda *_: False
    service.proxy.cleared.set()
    wait_for(lambda: service.answers_with() == version, "the version after the hang")


def test_a_foreign_class_is_refused_before_it_runs(service: Service, tmp_path: Path) -> None:
    """A pickle that would run a command, under a right digest, runs nothing."""
    mark = tmp_path / "ran"

    class Command:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {mark}",)

    folder = service.shop.artifact()
    data = pickle.dumps((Command(), Command()))
    (folder / "lin_reg.bin").write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest |= {"sha256": hashlib.sha256(data).hexdigest(), "compiled": None}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    reason = service.refuses(service.shop.register(folder))
    assert "not on the service's allow-list" in reason
    assert not mark.exists()


def test_a_version_that_answers_its_golden_records_otherwise_is_refused(service: Service) -> None:
    """The pair is whole and ours, and yet not what its maker tried."""
    folder = service.shop.artifact()
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["golden"][0]["answer"]["duration"] += 1
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert "golden record 1" in service.refuses(service.shop.register(folder))


def test_a_manifest_that_names_a_path_is_refused(service: Service) -> None:
    """`../` in a manifest leads nowhere."""
    folder = service.shop.artifact()
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["file"] = "../../etc/passwd"
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert "names no file that can be fetched" in service.refuses(service.shop.register(folder))


def test_a_removed_alias_leaves_the_version_serving(service: Service) -> None:
    """Deleting the alias by mistake is no way to stop a service."""
    body = {"name": "ride-duration", "alias": service.shop.alias}
    service.shop.mlflow.call("DELETE", "registered-models/alias", body)
    assert "alias" in wait_for(lambda: service.registry()["problem"], "a problem")
    assert service.answers_with() == service.good


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_refuses_the_new_version_and_keeps_the_old(shop: Shop, tmp_path: Path) -> None:
    """A version that does not fit is refused; one that does is served after it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    small, large, next_small = shop.artifact(), shop.artifact(), shop.artifact()
    (large / "lin_reg.bin").write_bytes(os.urandom(2_000_000))
    first, big, third = shop.register(small), shop.register(large), shop.register(next_small)
    shop.promote(first)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        settings = shop.settings(disk, WORKERS="1")
        with serving(tmp_path, tmp_path / "log", **settings) as server:

            def told() -> dict[str, Any]:
                found: dict[str, Any] = requests.get(f"{server.url}/models/ride", timeout=30).json()
                return found

            assert told()["version"] == first
            shop.promote(big)
            refused = wait_for(lambda: told()["registry"]["refused"], "a refusal")
            assert "No space left on device" in refused["reason"]
            assert told()["version"] == first
            assert list(disk.glob("*/ride/incoming-*/*")) == []
            shop.promote(third)
            wait_for(lambda: told()["version"] == third, "the version that fits")
    finally:
        # the poller ends a moment after the service
        unmount = ["umount", str(disk)]
        wait_for(lambda: subprocess.run(unmount).returncode == 0, "the disk to be free")
