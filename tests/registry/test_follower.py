"""One follower in this process, over a scripted registry and artifacts in a folder."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from scoring.errors import StartError
from scoring.models import Model, discover
from scoring.registry import client as rest
from scoring.registry import follower as following_process
from scoring.registry import following as service
from scoring.registry.cache import Cache, Shelf, Status
from scoring.registry.errors import Away, Failed, Refused
from scoring.registry.follower import Follower, prove_apart
from scoring.registry.following import Following
from scoring.registry.prove import prove
from scoring.settings import Settings
from tests.registry.conftest import RIDE
from tests.support import free_port, wait_for, write_artifact


class Registry:
    """Answers as MLflow does for the versions in `places`; `alias` names the one to serve."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}  # by number
        self.alias: str | None = None
        self.tags: dict[str, str] = {}
        self.files: object = []
        self.asked: list[str] = []
        self.instead: Callable[[BaseHTTPRequestHandler], None] | None = None
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(urlsplit(self.path).path.rpartition("/")[2])
                if registry.instead:
                    registry.instead(self)
                else:
                    registry.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path)
        query = {k: v[0] for k, v in parse_qs(path.query).items()}
        what = path.path.rpartition("/")[2]
        number = query.get("version", self.alias)
        if what == "artifacts":
            send(handler, 200, {"files": self.files})
        elif number not in self.places:
            send(handler, 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such"})
        elif what == "get-download-uri":
            send(handler, 200, {"artifact_uri": self.places[number]})
        else:
            tags = [{"key": key, "value": value} for key, value in self.tags.items()]
            version = {"version": number, "creation_timestamp": 1, "tags": tags}
            send(handler, 200, {"model_version": version})


def send(handler: BaseHTTPRequestHandler, status: int, value: object) -> None:
    body = json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.close()


class Bench:
    """A follower and the shelf it fills, with proofs in this process: they are tested elsewhere."""

    def __init__(self, registry: Registry, folder: Path, **more: Any) -> None:
        self.registry, self.folder = registry, folder
        self.settings = Settings(
            mlflow_tracking_uri=registry.url,
            registry_cache=folder / "cache",
            registry_keep=2,
            models=("ride",),
            **more,
        )
        self.cache = Cache(self.settings)
        self.cache.prepare(["ride"])
        self.follower = Follower(self.settings, {"ride": RIDE})
        self.shelf: Shelf = self.cache.shelf("ride")

    def add(self, number: str, **facts: Any) -> Path:
        folder = self.folder / f"version-{number}"
        write_artifact(RIDE, folder, notes=[f"version {number}"], **facts)
        self.registry.places[number] = str(folder / "ride")
        return folder / "ride"

    def follow(self, number: str | None, *, now: bool = False) -> Status:
        self.registry.alias = number
        self.follower.round(now=now)
        return self.shelf.status()

    def serving(self) -> str | None:
        current = self.shelf.current()
        return current.origin.number if current else None


@pytest.fixture
def bench(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    def here(model: Model, folder: Path, origin: Any) -> str:
        try:
            return prove(model, folder, origin)
        except StartError as error:
            raise Refused(str(error)) from error

    monkeypatch.setattr(following_process, "prove_apart", here)
    return Bench(registry, tmp_path)


def test_a_version_that_lies_in_the_cache_is_not_fetched_again(bench: Bench) -> None:
    """Moving the alias back asks for the version and downloads nothing."""
    bench.add("1")
    bench.add("2")
    bench.follow("1")
    bench.follow("2")
    shutil.rmtree(bench.folder / "version-1")
    bench.registry.asked.clear()
    status = bench.follow("1")
    assert bench.serving() == "1"
    assert bench.registry.asked == ["alias"]
    assert status.counts == {"loaded": 3}


def test_the_cache_keeps_the_last_few_and_what_serves(bench: Bench) -> None:
    """Older versions and abandoned downloads go; a young download is somebody's."""
    old, young = (bench.cache.root / "ride" / f"incoming-{age}" for age in ("old", "young"))
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (1, 1))
    for number in ("1", "2", "3", "4"):
        bench.add(number)
        bench.follow(number)
    assert len(list(bench.shelf.versions.iterdir())) == 2
    assert bench.serving() == "4"
    assert young.exists()
    assert not old.exists()


def test_a_refused_version_is_not_fetched_at_every_turn(bench: Bench) -> None:
    """The pause grows; "ask now" ends it; a repaired version serves and the refusal is gone."""
    folder = bench.add("1")
    data = (folder / "lin_reg.bin").read_bytes()
    (folder / "lin_reg.bin").write_bytes(b"other")
    assert "sha256" in bench.follow("1").refused.reason
    assert bench.follow("1").counts == {"refused": 1}
    assert bench.follow("1", now=True).counts == {"refused": 2}
    (folder / "lin_reg.bin").write_bytes(data)
    status = bench.follow("1", now=True)
    assert status.refused is None
    assert bench.serving() == "1"


def test_a_version_of_the_same_number_but_made_anew_is_fetched(bench: Bench) -> None:
    """A registry that was set up again counts from one: the number alone says nothing."""
    bench.add("1")
    bench.follow("1")
    first = bench.shelf.current()
    answer = bench.registry.answer

    def later(handler: BaseHTTPRequestHandler) -> None:
        if "/alias" in handler.path:
            version = {"version": "1", "creation_timestamp": 2}
            send(handler, 200, {"model_version": version})
        else:
            answer(handler)

    bench.registry.instead = later
    bench.follow("1")
    assert bench.shelf.current().origin.created == 2
    assert bench.shelf.current().digest == first.digest


def test_a_pinned_version_comes_from_the_cache_while_the_registry_is_away(
    bench: Bench, tmp_path: Path
) -> None:
    """The way out of a bad champion when nothing else answers."""
    for number in ("1", "2"):
        bench.add(number)
        bench.follow(number)
    pinned = Bench(bench.registry, tmp_path, model_version="ride:1")
    bench.registry.instead = lambda handler: send(handler, 503, {})
    assert pinned.follow(None).stale_since
    assert pinned.serving() == "1"


def test_a_missing_alias_makes_it_stale_and_an_answer_fresh_again(bench: Bench) -> None:
    """Since when does not move while it lasts."""
    bench.add("1")
    bench.follow("1")
    since = bench.follow(None).stale_since
    assert since
    assert bench.follow(None).stale_since == since
    assert bench.follow("1").stale_since is None
    assert bench.serving() == "1"


def test_one_silence_is_waited_for_once(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that drips a byte now and then is given up after a whole question's time, and not
    asked for the second model."""
    monkeypatch.setattr(following_process, "_ASK_S", 0.3)
    done = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not done.wait(0.05):
            handler.wfile.write(b" ")

    registry.instead = drip
    bench = Bench(registry, tmp_path)
    bench.cache.prepare(["ride", "churn"])
    try:
        Follower(bench.settings, discover()).round()
    finally:
        done.set()
    assert registry.asked == ["alias"]
    for name in ("ride", "churn"):
        assert "took more than 0.3 s" in bench.cache.shelf(name).status().problem


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda h: send(h, 200, {"artifact_uri": ""}), "names no place"),
        (lambda h: send(h, 404, {"error_code": "OTHER"}), "HTTP 404"),
        (lambda h: send(h, 400, ["no object"]), "HTTP 400"),
    ],
)
def test_a_registry_that_does_not_say_where_is_told(
    bench: Bench, answer: Callable[[Any], None], reason: str
) -> None:
    """The version is known, its place is not."""
    bench.add("1")
    usual = bench.registry.answer
    bench.registry.instead = lambda h: answer(h) if "uri" in h.path else usual(h)
    status = bench.follow("1")
    assert reason in status.refused.reason
    assert status.counts == {"failed": 1}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([{"path": "../manifest.json", "file_size": 1}], "no plain name"),
        ([{"path": "a\nb"}], "no plain name"),
        ([{"size": 1}], "cannot be read"),
        ("text", "cannot be read"),
        ([{"path": "model.pkl", "is_dir": True}, {"path": "notes.txt"}], "it holds none of"),
    ],
    ids=["a path", "a control character", "no path", "no list", "nothing readable"],
)
def test_a_listing_that_leads_elsewhere_is_refused(
    bench: Bench, files: object, reason: str
) -> None:
    """What a server says of its files is looked at before anything is fetched."""
    bench.registry.places["1"] = "mlflow-artifacts:/1/model"
    bench.registry.files = files
    assert reason in bench.follow("1").refused.reason


def test_a_file_that_the_listing_has_and_the_server_has_not_is_told(bench: Bench) -> None:
    """It was removed in between."""
    bench.registry.places["1"] = "mlflow-artifacts:/1/model"
    usual = bench.registry.answer
    bench.registry.files = [{"path": "model.pkl", "file_size": 3}]
    bench.registry.instead = lambda h: (
        send(h, 404, {}) if h.path.endswith("model.pkl") else usual(h)
    )
    assert "not there any more" in bench.follow("1").refused.reason
    bench.registry.instead = lambda h: (
        send(h, 404, {}) if "mlflow-artifacts" in h.path else usual(h)
    )
    assert "is it an MLflow server?" in bench.follow("1", now=True).refused.reason


def test_a_full_disk_at_any_step_leaves_what_serves(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Storing, publishing, and even noting that it failed."""
    bench.add("1")
    bench.add("2")
    bench.follow("1")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        assert "No space left" in bench.follow("2").refused.reason
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        bench.follow("2", now=True)
    assert "REGISTRY_CACHE cannot be written: No space left on device" in caplog.text
    assert bench.serving() == "1"
    assert not list(bench.cache.root.rglob(".*.json.*"))
    bench.follow("2", now=True)
    assert bench.serving() == "2"


@pytest.mark.parametrize(
    ("script", "error", "reason"),
    [
        ("import os; os._exit(9)", Refused, r"crashed \(status 9\)"),
        ("import time; time.sleep(60)", Refused, "took longer than"),
        ('print(\'{"failed": "the disk"}\')', Failed, "the disk"),
        ('print(\'{"refused": "a class"}\')', Refused, "a class"),
    ],
    ids=["crashes", "hangs", "cannot store", "refuses"],
)
def test_a_proof_that_goes_wrong_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type, reason: str
) -> None:
    """It runs in a process of its own."""
    monkeypatch.setattr(following_process, "command", lambda _: [sys.executable, "-c", script])
    monkeypatch.setattr(following_process, "_PROVE_S", 2.0)
    origin = following_process.Origin(number="1", created=1, source="", model="ride-duration")
    with pytest.raises(error, match=reason):
        prove_apart(RIDE, tmp_path, origin)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.SSLError(), "certificate"),
        (requests.ReadTimeout(), "no byte came in time"),
        (requests.ConnectionError(), "no connection"),
        (requests.exceptions.InvalidHeader(), "InvalidHeader"),
    ],
)
def test_a_failure_is_told_without_its_address(error: Exception, words: str) -> None:
    """requests' own words hold the address, and with it a password."""
    assert words in rest._short(error)


def test_a_server_that_is_not_there_is_away() -> None:
    """A refused connection, told in one line without the password."""
    server = f"http://me:hidden@127.0.0.1:{free_port()}"
    asking = rest.Client(Settings(mlflow_tracking_uri=server))
    with pytest.raises(Away, match="does not answer") as away:
        asking.find("ride-duration", "champion")
    assert "hidden" not in str(away.value)


@pytest.fixture
def follow(registry: Registry, tmp_path: Path, bench: Bench) -> Iterator[Callable[..., Following]]:
    """Makes a Following whose follower is a process, over the bench's cache."""
    made: list[Following] = []

    def make(**more: Any) -> Following:
        settings = bench.settings.model_copy(
            update={"registry_poll_seconds": 0.2, "models_dir": tmp_path / "none", **more}
        )
        made.append(Following(settings, {"ride": RIDE}))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.slow
def test_a_version_damaged_in_the_cache_is_fetched_again(
    bench: Bench, follow: Callable[..., Following]
) -> None:
    """At the start, and while it runs: a disk that forgets costs a download."""
    bench.add("1")
    bench.add("2")
    bench.follow("1")
    file = next(bench.shelf.versions.rglob("lin_reg.bin"))
    file.write_bytes(b"damaged")
    following = follow()
    predictors = following.start()
    assert predictors.default.version == "1"
    following.watch()
    bench.registry.alias = "2"
    wait_for(lambda: predictors.default.version == "2", "version 2")
    # removed as something that tidies /tmp would, the cache is made anew
    shutil.rmtree(bench.cache.root)
    bench.registry.alias = "1"
    wait_for(lambda: predictors.default.version == "1", "version 1")


def test_a_worker_that_cannot_load_goes_on_and_asks_for_it_again(
    bench: Bench, follow: Callable[..., Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is forgotten once, so that the follower fetches it; then there are pauses."""
    bench.add("1")
    bench.add("2")
    bench.follow("1")
    following = follow()
    monkeypatch.setattr(following, "keep_follower", lambda **_: None)
    monkeypatch.setattr(service, "_PATIENCE_S", 0.0)
    predictors = following.start()
    bench.follow("2")
    current = bench.shelf.current()
    (bench.shelf.versions / current.digest / "lin_reg.bin").write_bytes(b"damaged")
    following.catch_up()
    assert predictors.default.version == "1"
    assert bench.shelf.current() is None
    bench.follow("2")
    following.catch_up()
    assert predictors.default.version in {"1", "2"}
    monkeypatch.setattr(service, "_RESPAWN_S", 0.0)
    following._failed.clear()
    following.catch_up()
    assert predictors.default.version == "2"


def test_a_registry_that_nobody_asks_is_stale(
    bench: Bench, follow: Callable[..., Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the follower itself be stuck, the age of its last word tells."""
    bench.add("1")
    bench.follow("1")
    following = follow()
    monkeypatch.setattr(following, "keep_follower", lambda **_: None)
    monkeypatch.setattr(service, "_PATIENCE_S", 0.0)
    following.start()
    assert following.stale() == {}
    status = bench.shelf.status()
    bench.shelf.write_status(status.model_copy(update={"asked": time.time() - 1000}))
    assert following.stale()["ride"]["reason"] == "the registry has not been asked since"


def test_a_follower_that_cannot_be_started_is_told(
    follow: Callable[..., Following],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No process, no memory: one line, and the next turn tries again; the start has its reason."""

    def none(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    following = follow(registry_start_seconds=0.1)
    monkeypatch.setattr(service.subprocess, "Popen", none)
    with pytest.raises(StartError, match="did not answer in time"):
        following.start()
    assert "cannot be started: Cannot allocate memory" in caplog.text


def test_a_thread_that_fails_goes_on(
    bench: Bench,
    follow: Callable[..., Following],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever goes wrong while looking for a version is logged, and looked for again."""
    bench.add("1")
    bench.follow("1")
    following = follow()
    monkeypatch.setattr(service, "_LOOK_S", 0.01)
    monkeypatch.setattr(service, "_RESPAWN_S", 0.01)
    monkeypatch.setattr(service, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(following, "keep_follower", lambda **_: None)
    following.start()
    calls: list[int] = []

    def fails(**_: Any) -> None:
        calls.append(1)
        raise RuntimeError("once more")

    monkeypatch.setattr(following, "keep_follower", fails)
    following.watch()
    wait_for(lambda: len(calls) > 2, "three looks")
    assert "the registry's thread failed" in caplog.text
