"""What a service does with what the follower has named, and with a follower that fails."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import StartError
from scoring.registry import following as service
from scoring.registry.following import Following
from tests.registry.rides import RIDE
from tests.registry.scripted import Bench, Registry
from tests.support import wait_for


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
    bench: Bench, follow: Callable[..., Following], tmp_path: Path
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
    bench.cache.root.rename(tmp_path / "tidied")
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
