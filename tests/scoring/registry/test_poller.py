"""One poller in this process, over a scripted registry and artifacts in a folder."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from scoring.models import discover
from scoring.registry.cache import Status, VersionRef
from scoring.registry.errors import FetchFailed, VersionRejected
from scoring.registry.poller import RegistryPoller
from scoring.registry.validation import validate_in_subprocess
from tests.scoring.registry.rides import RIDE
from tests.scoring.registry.scripted import Bench, Registry, send


def reason_of(status: Status) -> str:
    """Return why a version was refused."""
    assert status.refused is not None
    return status.refused.reason


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
    assert bench.registry.asked == ["alias", "get"]
    assert status.counts == {"loaded": 3}


def test_a_version_comes_with_who_let_it_serve_and_why(bench: Bench) -> None:
    """As our own command leaves it in the registry; a tag of another shape is left out, and no
    history keeps a version from serving."""
    bench.registry.history = {
        "champion.history.2": '{"when": "2021-03-02T08:00:00.000Z", "action": "rollback", '
        '"from": "2", "to": "1", "by": "Ann", "why": "bias", "forced": true}',
        "champion.history.1": '{"when": "2021-03-01T08:00:00.000Z", "action": "promote", '
        '"from": null, "to": "1", "by": "Bob", "why": ""}',
        "champion.history.3": "[]",
        "champion.history.4": '{"when": 1}',
        "champion.history.5": "no JSON",
        "another": "{}",
    }
    bench.add("1")
    bench.follow("1")
    current = bench.model_cache.current()
    assert current is not None
    first, last = current.changes
    assert (first.to, first.before, first.by, first.why) == ("1", "", "Bob", "")
    assert (last.action, last.before, last.by, last.why, last.forced) == (
        "rollback", "2", "Ann", "bias", True,
    )  # fmt: skip
    bench.add("2")
    bench.registry.history = {"champion.history.1": 7}
    bench.follow("2")
    assert bench.serving() == "2"


@pytest.mark.slow
def test_the_cache_keeps_the_last_few_and_what_serves(bench: Bench) -> None:
    """Older versions and abandoned downloads go; a young download is somebody's."""
    old, young = (bench.cache.root / "ride" / f"incoming-{age}" for age in ("old", "young"))
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (1, 1))
    for number in ("1", "2", "3", "4"):
        bench.add(number)
        bench.follow(number)
    assert len(list(bench.model_cache.versions.iterdir())) == 2
    assert bench.serving() == "4"
    assert young.exists()
    assert not old.exists()


def test_a_refused_version_is_not_fetched_at_every_turn(bench: Bench) -> None:
    """The pause grows; "ask now" ends it; a repaired version serves and the refusal is gone."""
    folder = bench.add("1")
    data = (folder / "lin_reg.bin").read_bytes()
    (folder / "lin_reg.bin").write_bytes(b"other")
    assert "sha256" in reason_of(bench.follow("1"))
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
    first = bench.model_cache.current()
    assert first is not None
    answer = bench.registry.answer

    def later(handler: BaseHTTPRequestHandler) -> None:
        if "/alias" in handler.path:
            version = {"version": "1", "creation_timestamp": 2}
            send(handler, 200, {"model_version": version})
        else:
            answer(handler)

    bench.registry.instead = later
    bench.follow("1")
    again = bench.model_cache.current()
    assert again is not None
    assert (again.ref.created, again.digest) == (2, first.digest)


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


@pytest.mark.slow
def test_one_silence_is_waited_for_once(registry: Registry, tmp_path: Path) -> None:
    """A server that drips a byte now and then is given up after a whole question's time, and not
    asked for the second model."""
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
        RegistryPoller(bench.settings, discover(), question_s=0.3).round()
    finally:
        done.set()
    assert registry.asked == ["alias"]
    for name in ("ride", "churn"):
        assert "took more than 0.3 s" in (bench.cache.for_model(name).status().problem or "")


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
    assert reason in reason_of(status)
    assert status.counts == {"failed": 1}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([{"path": "../manifest.json", "file_size": 1}], "not a plain file name"),
        ([{"path": "a\nb"}], "not a plain file name"),
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
    bench.registry.locations["1"] = "mlflow-artifacts:/1/model"
    bench.registry.files = files
    assert reason in reason_of(bench.follow("1"))


def test_a_file_that_the_listing_has_and_the_server_has_not_is_told(bench: Bench) -> None:
    """It was removed in between."""
    bench.registry.locations["1"] = "mlflow-artifacts:/1/model"
    usual = bench.registry.answer
    bench.registry.files = [{"path": "model.pkl", "file_size": 3}]
    bench.registry.instead = lambda h: (
        send(h, 404, {}) if h.path.endswith("model.pkl") else usual(h)
    )
    assert "not there any more" in reason_of(bench.follow("1"))
    bench.registry.instead = lambda h: (
        send(h, 404, {}) if "mlflow-artifacts" in h.path else usual(h)
    )
    assert "is it an MLflow server?" in reason_of(bench.follow("1", now=True))


@pytest.mark.slow
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
        assert "No space left" in reason_of(bench.follow("2"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        bench.follow("2", now=True)
    assert "REGISTRY_CACHE cannot be written: No space left on device" in caplog.text
    assert bench.serving() == "1"
    assert not list(bench.cache.root.rglob(".*.tmp"))
    bench.follow("2", now=True)
    assert bench.serving() == "2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "error", "reason"),
    [
        ("import os; os._exit(9)", VersionRejected, r"crashed \(status 9\)"),
        ("import time; time.sleep(60)", VersionRejected, "took longer than"),
        ('print(\'{"failed": "the disk"}\')', FetchFailed, "the disk"),
        ('print(\'{"refused": "a class"}\')', VersionRejected, "a class"),
    ],
    ids=["crashes", "hangs", "cannot store", "refuses"],
)
def test_a_validation_that_goes_wrong_harms_nobody(
    tmp_path: Path, script: str, error: type[Exception], reason: str
) -> None:
    """It runs in a process of its own."""
    ref = VersionRef(number="1", created=1, source="", model="ride-duration")
    program = [sys.executable, "-c", script]
    with pytest.raises(error, match=reason):
        validate_in_subprocess(RIDE, tmp_path, ref, program=program, limit_s=2)
