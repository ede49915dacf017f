"""What a service does with what the poller has named, and with a poller that fails."""

from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import StartError
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.registry.cache import Status
from scoring.registry.reloader import ModelReloader, Waits
from serving.app import create_app
from tests.scoring.registry.rides import RIDE
from tests.scoring.registry.scripted import Bench
from tests.support import wait_for

AT_ONCE = Waits(look=0.01, retry=0.0, cached_start=0.0)


class NoPoller:
    """Keeps nothing running: the bench's own poller is called by the test."""

    def __init__(self, exit_status: int | None = None) -> None:
        self._exit_status = exit_status

    def keep_running(self, *, now: bool = False) -> None:
        pass

    def exit_status(self) -> int | None:
        return self._exit_status

    def close(self) -> None:
        pass


@pytest.fixture
def reload(bench: Bench, tmp_path: Path) -> Iterator[Callable[..., ModelReloader]]:
    """Makes reloaders over the bench's cache; their poller is a process, unless one is given."""
    reloaders: list[ModelReloader] = []

    def make(waits: Waits | None = None, poller: Any = None, **more: Any) -> ModelReloader:
        settings = bench.settings.model_copy(
            update={"registry_poll_seconds": 0.2, "models_dir": tmp_path / "none", **more}
        )
        reloaders.append(ModelReloader(settings, {"ride": RIDE}, waits=waits, poller=poller))
        return reloaders[-1]

    yield make
    for reloader in reloaders:
        reloader.close()


@pytest.mark.slow
def test_a_version_damaged_in_the_cache_is_downloaded_again(
    bench: Bench, reload: Callable[..., ModelReloader], tmp_path: Path
) -> None:
    """At the start, and while it runs: a disk that forgets costs a download."""
    bench.add("1")
    bench.add("2")
    bench.follow("1")
    file = next(bench.model_cache.versions.rglob("lin_reg.bin"))
    file.write_bytes(b"damaged")
    reloader = reload()
    predictors = reloader.start()
    assert predictors.default.version == "1"
    reloader.watch()
    bench.registry.alias = "2"
    wait_for(lambda: predictors.default.version == "2", "version 2")
    # removed as something that cleans up /tmp would, the cache is made again
    bench.cache.root.rename(tmp_path / "cleaned up")
    bench.registry.alias = "1"
    wait_for(lambda: predictors.default.version == "1", "version 1")


@pytest.mark.slow
def test_predictors_are_one_object_from_beginning_to_end(
    bench: Bench, reload: Callable[..., ModelReloader]
) -> None:
    """Empty until the start; whoever holds it sees every later version."""
    bench.add("1")
    bench.add("2")
    bench.follow("1")
    reloader = reload(AT_ONCE, NoPoller())
    held = reloader.predictors
    assert list(held) == []
    assert reloader.start() is held
    assert [predictor.version for predictor in held] == ["1"]
    bench.follow("2")
    replaced: list[Predictor] = []
    reloader.catch_up(replaced.append)
    assert [predictor.version for predictor in held] == ["2"]
    assert replaced == [held.default]
    reloader.catch_up(replaced.append)
    assert len(replaced) == 1


@pytest.mark.slow
def test_the_card_says_which_version_served_since_when(
    bench: Bench, reload: Callable[..., ModelReloader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whom and why, as the registry told it when the present version came; as text."""
    bench.registry.history = {
        f"champion.history.{version}": json.dumps(
            {
                "when": f"2021-03-0{version}T08:00:00.000Z",
                "action": "promote",
                "from": before,
                "to": str(version),
                "by": "Ann",
                "why": "<b>two</b> more months",
            }
        )
        for version, before in ((1, None), (2, "1"))
    }
    bench.add("2")
    bench.follow("2")
    reloader = reload(AT_ONCE, NoPoller())
    monkeypatch.setattr("serving.services.ModelReloader", lambda *_: reloader)
    card = create_app(bench.settings).test_client().get("/models/ride/card").text
    rows = card[card.index('id="changes"') :].split("<tbody>")[1].split("</tbody>")[0]
    [last, first] = re.findall(r"<code>(.*?)</code></th><td>(.*?)</td><td>(.*?)</td>", rows)
    assert last == ("2", "2021-03-02 08:00 UTC", "promote, before it 1")
    assert first == ("1", "2021-03-01 08:00 UTC", "promote")
    assert rows.count("<td>Ann</td><td>&lt;b&gt;two&lt;/b&gt; more months</td>") == 2


@pytest.mark.slow
def test_a_worker_that_cannot_load_goes_on_and_has_it_downloaded_again(
    bench: Bench, reload: Callable[..., ModelReloader]
) -> None:
    """The damaged copy is forgotten once, so that the poller brings it again; then it serves."""
    bench.add("1")
    bench.add("2")
    bench.follow("1")
    reloader = reload(AT_ONCE, NoPoller())
    predictors = reloader.start()
    bench.follow("2")
    current = bench.model_cache.current()
    assert current is not None
    (bench.model_cache.versions / current.digest / "lin_reg.bin").write_bytes(b"damaged")
    reloader.catch_up()
    assert predictors.default.version == "1"
    assert bench.model_cache.current() is None
    bench.follow("2")
    reloader.catch_up()
    assert predictors.default.version == "2"


@pytest.mark.slow
def test_a_version_that_stays_damaged_is_loaded_again_after_a_pause(
    bench: Bench, reload: Callable[..., ModelReloader], caplog: pytest.LogCaptureFixture
) -> None:
    """It is brought again at once, but not tried again all the time."""
    bench.add("1")
    bench.add("2")
    bench.follow("1")
    reloader = reload(Waits(cached_start=0.0, retry=600.0), NoPoller())
    predictors = reloader.start()
    for _ in range(3):
        bench.follow("2")
        current = bench.model_cache.current()
        assert current is not None
        (bench.model_cache.versions / current.digest / "lin_reg.bin").write_bytes(b"damaged")
        reloader.catch_up()
    assert predictors.default.version == "1"
    assert caplog.text.count("it was damaged or exchanged") == 1


@pytest.mark.slow
def test_a_registry_that_nobody_asks_is_stale(
    bench: Bench, reload: Callable[..., ModelReloader]
) -> None:
    """Should the poller itself be stuck, the age of its last word tells."""
    bench.add("1")
    bench.follow("1")
    reloader = reload(AT_ONCE, NoPoller())
    reloader.start()
    assert reloader.stale() == {}
    status = bench.model_cache.status()
    bench.model_cache.write_status(status.model_copy(update={"asked": time.time() - 1000}))
    assert reloader.stale()["ride"]["reason"] == "the registry has not been asked since"


def test_a_poller_that_cannot_be_started_is_logged(
    reload: Callable[..., ModelReloader],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No process, no memory: one line, and the next turn tries again; the start has its reason."""

    def none(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr("scoring.registry.poller_process.subprocess.Popen", none)
    reloader = reload(registry_start_seconds=0.1)
    with pytest.raises(StartError, match="was not asked to the end within REGISTRY_START_SECONDS"):
        reloader.start()
    assert "cannot be started: Cannot allocate memory" in caplog.text


@pytest.mark.slow
def test_a_start_says_what_it_waited_for(
    bench: Bench, reload: Callable[..., ModelReloader]
) -> None:
    """A poller that ended, a download that goes on, a time that is too short: each is named."""
    with pytest.raises(StartError, match="the registry poller ended with status 3; the lines"):
        reload(poller=NoPoller(exit_status=3)).start()
    with pytest.raises(StartError, match=r"within REGISTRY_START_SECONDS=0\.1; give it more time"):
        reload(poller=NoPoller(), registry_start_seconds=0.1).start()
    status = bench.model_cache.status()
    bench.model_cache.write_status(status.model_copy(update={"busy": "version 7"}))
    with pytest.raises(StartError, match="version 7 was still being downloaded after REGISTRY_ST"):
        reload(poller=NoPoller(), registry_start_seconds=0.1).start()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked_for", "starts"),
    [
        ({}, True),
        ({"models": ("ride",)}, True),
        ({"models": ("churn", "ride")}, False),
        ({"model_version": {"churn": "3"}}, False),
    ],
    ids=["nobody named it", "another is named", "it is named", "it is pinned"],
)
def test_a_model_that_is_not_registered_is_left_out_unless_it_is_named(
    bench: Bench, caplog: pytest.LogCaptureFixture, asked_for: dict[str, Any], starts: bool
) -> None:
    """Who registers one of two models gets that one, and a line about the other."""
    bench.add("1")
    bench.follow("1")
    settings = bench.settings.model_copy(
        update={"registry_start_seconds": 0.1, "models": (), **asked_for}
    )
    models = {name: discover()[name] for name in settings.models or ("churn", "ride")}
    reloader = ModelReloader(settings, models, waits=AT_ONCE, poller=NoPoller())
    absent = Status(asked=time.time() + 60, problem="no such model", absent=True)
    if "churn" in models:
        reloader.cache.for_model("churn").write_status(absent)
    if starts:
        assert [predictor.model.name for predictor in reloader.start()] == ["ride"]
        assert list(reloader.models) == ["ride"]
        assert ("model 'churn'" in caplog.text) == ("churn" in models)
        assert "churn" not in reloader.stale()
    else:
        with pytest.raises(StartError, match="model 'churn': no version churn@.*no such model"):
            reloader.start()


def test_where_no_model_is_registered_nothing_starts(bench: Bench) -> None:
    """Left out is what others stand in for."""
    settings = bench.settings.model_copy(update={"registry_start_seconds": 0.1, "models": ()})
    assert bench.follow(None).absent
    reloader = ModelReloader(settings, {"ride": RIDE}, waits=AT_ONCE, poller=NoPoller())
    absent = Status(asked=time.time() + 60, problem="no such model", absent=True)
    reloader.cache.for_model("ride").write_status(absent)
    with pytest.raises(StartError, match="model 'ride': no version"):
        reloader.start()


@pytest.mark.slow
def test_a_thread_that_fails_goes_on(
    bench: Bench, reload: Callable[..., ModelReloader], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong while looking for a version is logged, and looked for again."""
    bench.add("1")
    bench.follow("1")

    class Failing(NoPoller):
        calls = 0

        def keep_running(self, *, now: bool = False) -> None:
            self.calls += 1
            if not now:
                raise RuntimeError("once more")

    poller = Failing()
    reloader = reload(AT_ONCE, poller)
    reloader.start()
    reloader.watch()
    wait_for(lambda: poller.calls > 3, "three looks")
    assert "the registry's thread failed" in caplog.text
