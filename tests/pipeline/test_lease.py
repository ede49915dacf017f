"""One holder of a model's lease at a time, on all machines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LostError, PipelineError, UsageError
from pipeline.records import Busy
from pipeline.shared.lease import Leases
from pipeline.shared.store import Store
from tests.scoring.registry.test_shared_server import postgres  # noqa: F401  # a fixture


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the second machine."""
    return Clock()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "pipeline.db")
    found: str = request.getfixturevalue("postgres")
    return found


def machine(url: str, folder: Path, **more: Any) -> Leases:
    """Return what a machine with its own folder of runs may take."""
    folder.mkdir(exist_ok=True)
    return Leases(Store(url), folder, **{"lease_s": 60, **more})


def test_one_holds_it_and_each_has_a_higher_token(url: str, tmp_path: Path) -> None:
    """The other is told who does; what is given back can be taken at once."""
    one, other = machine(url, tmp_path / "a"), machine(url, tmp_path / "b")
    with one.held("ride") as first:
        with pytest.raises(Busy, match="a run of ride is at work .process "), other.held("ride"):
            pass
        with other.held("churn"):  # another model is another lease
            pass
        with first.fenced():
            pass
    with other.held("ride") as second:
        assert second.token == first.token + 1


def test_a_lease_without_a_beat_is_taken_over_and_its_holder_moves_nothing(
    url: str, tmp_path: Path, clock: Clock
) -> None:
    """After the whole of it without a renewal, by the clock of whoever waits."""
    one, other = machine(url, tmp_path / "a"), machine(url, tmp_path / "b", clock=clock)
    with one.held("ride") as first:
        refused(other)
        clock.now += 59
        refused(other)
        assert first.renew()
        clock.now += 2
        refused(other)  # it has a new beat since
        clock.now += 61
        with other.held("ride"):
            tokens = rf"token {first.token + 1}, this run's is {first.token}"
            why = rf"has taken over \({tokens}\): nothing was moved"
            with pytest.raises(LostError, match=why), first.fenced():
                pytest.fail("it has lost the lease")
            assert not first.renew()


def refused(leases: Leases) -> None:
    """Show that another has the lease."""
    with pytest.raises(Busy), leases.held("ride"):
        pass


def test_what_was_seen_of_a_lease_outlives_a_command(tmp_path: Path, clock: Clock) -> None:
    """So that commands of cron take over as well; a machine that was started anew waits anew."""
    url, place = str(tmp_path / "p.db"), tmp_path / "b"
    with machine(url, tmp_path / "a").held("ride"):
        refused(machine(url, place, clock=clock))
        clock.now += 61
        (place / "lease.json").write_text((place / "lease.json").read_text().replace(
            '"boot": "', '"boot": "before '))  # fmt: skip
        refused(machine(url, place, clock=clock))
        clock.now += 61
        with machine(url, place, clock=clock).held("ride"):
            pass


def test_what_a_dead_process_of_this_folder_held_is_free(tmp_path: Path) -> None:
    """The folder's own lock says that nobody is at work there."""
    url = str(tmp_path / "p.db")
    one, again = machine(url, tmp_path / "a"), machine(url, tmp_path / "a")
    with one.held("ride") as first, again.held("ride") as second:
        assert second.token == first.token + 1


def test_none_takes_it_while_something_is_moved(url: str, tmp_path: Path, clock: Clock) -> None:
    """However long that takes: the next holder comes after it."""
    one, other = machine(url, tmp_path / "a"), machine(url, tmp_path / "b", clock=clock)
    order = []
    with one.held("ride") as first:
        refused(other)
        clock.now += 61

        def take() -> None:
            with other.held("ride"):
                order.append("taken")

        thread = threading.Thread(target=take)
        with first.fenced():
            thread.start()
            thread.join(0.3)
            order.append("moved")
        thread.join(60)
    assert order == ["moved", "taken"]


def test_a_lost_lease_is_told(tmp_path: Path, clock: Clock) -> None:
    """In a thread, when the next renewal finds another holder."""
    url, told = str(tmp_path / "p.db"), threading.Event()
    with machine(url, tmp_path / "a", lease_s=600).held("ride"):
        pass
    one = machine(url, tmp_path / "a", lease_s=0.1, lost=told.set)
    other = machine(url, tmp_path / "b", clock=clock)
    with one.held("ride") as lease:
        for _ in range(1000):  # it is renewed all the time: sooner or later one look finds none
            try:
                with other.held("ride"):
                    break
            except Busy:
                clock.now += 61
        assert told.wait(30)
        assert lease.lost.is_set()


def test_a_holder_whose_database_is_away_stops_before_another_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tries again for two thirds of the lease."""
    told, tries = threading.Event(), []
    one = machine(str(tmp_path / "p.db"), tmp_path / "a", lease_s=0.3, lost=told.set)

    @contextmanager
    def away() -> Iterator[None]:
        tries.append(1)
        raise PipelineError("the store does not answer")
        yield

    with one.held("ride"):
        monkeypatch.setattr(one.store, "writing", away)
        assert told.wait(30)
        assert len(tries) >= 2
    monkeypatch.undo()
    with one.held("ride"):  # it could not be given back, and is this folder's own
        pass


def test_a_store_that_is_none_or_away_is_one_line(tmp_path: Path) -> None:
    """Without the password."""
    with pytest.raises(UsageError, match="a file's name or a URL such as"):
        Store("no-such-database://x")
    with pytest.raises(PipelineError, match="does not answer") as error:
        Store("postgresql+psycopg2://me:secret@127.0.0.1:9/pipeline")
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)
