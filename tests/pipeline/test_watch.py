"""A model that is watched: when it runs, when it does not, and what is said of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import run as module
from pipeline.config import Config, Data, Gate, Watch
from pipeline.errors import LostError, PipelineError, StoppedError
from pipeline.notify import People
from pipeline.records import Runs
from pipeline.shared.lease import Leases
from pipeline.shared.store import Store
from pipeline.watching import HAND, Watcher
from tests.pipeline.support import asked, copied, month, months
from tests.pipeline.test_lease import Clock
from tests.training.support import saved

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, good: Path) -> None:
    monkeypatch.setattr(module, "fit", copied(good))


@pytest.fixture
def clock() -> Clock:
    """The clock by which it waits."""
    return Clock()


@pytest.fixture
def watcher(tmp_path: Path, clock: Clock) -> Callable[..., Watcher]:
    """Make what watches the folder `new`, where three months are, with its own folder of runs."""
    (tmp_path / "new").mkdir()
    months(tmp_path / "new", 3)

    def make(where: str = ".", **config: Any) -> Watcher:
        store = Store(str(tmp_path / "pipeline.db"))
        wanted = {"debounce_seconds": 0, "cooldown_minutes": 0, "max_a_week": 99, **config}
        call = asked(
            tmp_path, config=Config(data=Data(folder=str(tmp_path / "new")), watch=Watch(**wanted)),
            runs=Runs(tmp_path / where / "runs", "ride"),
        )  # fmt: skip
        call.runs.make()
        call = replace(call, leases=Leases(store, call.runs.folder))
        return Watcher(call, People(store, {}), clock)

    return make


def said(watcher: Watcher) -> list[str]:
    """Return what was done about each event."""
    return [one.said for one in watcher.store.events("ride")]


def turns(watcher: Watcher, clock: Clock, number: int = 1, after_s: float = 3600) -> None:
    """Let time pass and take a turn."""
    for _ in range(number):
        clock.now += after_s
        watcher.turn()


def test_new_data_is_run_once(
    watcher: Callable[..., Watcher], clock: Clock, tmp_path: Path
) -> None:
    """A month that comes is a reason, one that is there is none; the event says what was done."""
    one = watcher()
    turns(one, clock, 3)
    [record] = one.asked.runs.all()
    assert (record["state"], record["why"]) == ("promoted", "no run has finished yet")
    assert said(one) == [f"run {record['run']}: promoted: {record['said']}"]
    saved(month(4), tmp_path / "new/trips-2021-04.parquet")
    turns(one, clock, 2, after_s=60)  # it is looked at every ten minutes
    assert len(one.asked.runs.all()) == 1
    turns(one, clock)
    assert one.asked.runs.all()[-1]["why"] == "new data: trips-2021-04.parquet"


def test_what_keeps_coming_is_one_run(
    watcher: Callable[..., Watcher], clock: Clock, tmp_path: Path
) -> None:
    """It waits until nothing has come for a while, but not for ever; several triggers are one."""
    one = watcher(debounce_seconds=100)
    turns(one, clock)
    one.store.add_event("ride", "webhook", "w1", "webhook of ours: a tariff")
    turns(one, clock, after_s=90)
    turns(one, clock, after_s=90)
    assert one.asked.runs.all() == []
    turns(one, clock, after_s=20)
    [record] = one.asked.runs.all()
    assert record["why"] == "webhook of ours: a tariff: no run has finished yet"
    assert len(set(said(one))) == 1
    for number in range(14):
        saved(month(4, 400 + number), tmp_path / "new/trips-2021-04.parquet")
        one.store.add_event("ride", "webhook", f"x{number}", "webhook of ours: more")
        turns(one, clock, after_s=90)
    assert len(one.asked.runs.all()) == 2


def test_why_it_does_not_run_is_kept(
    watcher: Callable[..., Watcher], clock: Clock, tmp_path: Path
) -> None:
    """The cool-down and the week hold an event back, too few rows end it; by hand nothing does."""
    one = watcher(cooldown_minutes=60, min_new_rows=300)
    turns(one, clock)
    saved(month(4, 250), tmp_path / "new/trips-2021-04.parquet")
    turns(one, clock)
    assert said(one)[-1].startswith("cools down until 20")
    turns(one, clock)
    assert len(one.asked.runs.all()) == 1
    other = watcher(min_new_rows=300)
    turns(other, clock)
    assert said(one)[-1] == "not run: 250 new rows, 300 are asked for (min_new_rows)"
    third = watcher(cooldown_minutes=60, min_new_rows=300)
    third.store.add_event("ride", HAND, "h", "by hand: the boss")
    turns(third, clock)
    record = third.asked.runs.all()[-1]
    assert record["why"] == "by hand: the boss: new data: trips-2021-04.parquet"
    assert said(one)[-1].startswith(f"run {record['run']}: promoted")
    one.store.add_event("ride", "clock", "c", "by the clock: 30 5 * * *")
    turns(watcher(), clock)
    assert said(one)[-1].startswith(f"not run: nothing to do: run {record['run']} did the same")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(PipelineError("MLflow does not answer"), id="MLflow"),
        pytest.param(OSError(28, "No space left on device", "steps"), id="disk"),
    ],
)
def test_what_fails_is_tried_again_later(
    watcher: Callable[..., Watcher], clock: Clock, monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:  # fmt: skip
    """Not at each turn; the event waits with the reason."""
    one = watcher(retry_minutes=10)

    def away(*_: object) -> Any:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(module, "fit", lambda *_: away)
        turns(one, clock)
        turns(one, clock, 3, after_s=60)
    assert [record["state"] for record in one.asked.runs.all()] == ["failed"]
    assert said(one) == [f"failed, and is tried again in 10 minutes: {error}"]
    assert one.asked.runs.all()[0]["said"]
    turns(one, clock, after_s=600)
    assert one.asked.runs.all()[-1]["state"] == "promoted"


def test_a_refusal_is_an_answer(
    watcher: Callable[..., Watcher], clock: Clock, tmp_path: Path
) -> None:
    """It is not tried again."""
    saved(month(4, miles=1.609), tmp_path / "new/trips-2021-04.parquet")
    one = watcher()
    turns(one, clock, 3)
    [record] = one.asked.runs.all()
    assert record["state"] == "refused"
    assert said(one)[0].startswith(f"run {record['run']} was refused: trip_distance is 61% higher")


def test_a_look_that_fails_is_said_and_made_again(
    watcher: Callable[..., Watcher], clock: Clock, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The clock still fires; the same words are said once."""
    one = watcher()

    def away(*_: object) -> Any:
        raise PipelineError("the publisher does not answer")

    with monkeypatch.context() as broken:
        broken.setattr("pipeline.triggers.data.files", away)
        turns(one, clock, 3)
    assert caplog.text.count("the publisher does not answer; it is looked for again in 10 min") == 1
    turns(one, clock)
    assert one.asked.runs.all()[-1]["state"] == "promoted"


def test_two_machines_do_it_once(watcher: Callable[..., Watcher], clock: Clock) -> None:
    """The second has another folder of runs, and finds in the database that it was done; while the
    first is at work, it does nothing."""
    one, other = watcher("a"), watcher("b")
    with module.alone(one.asked):
        turns(other, clock)
    assert said(other) == [""]
    turns(one, clock)
    turns(other, clock)
    other.store.add_event("ride", HAND, "h", "by hand: again")
    turns(other, clock)
    assert len(one.asked.runs.all()) == 1
    assert other.asked.runs.all() == []
    assert "did the same at" in said(other)[-1]


def test_a_run_that_has_lost_its_lease_moves_nothing(
    watcher: Callable[..., Watcher], clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    good: Path,
) -> None:  # fmt: skip
    """Another machine has taken over while it trained: the fence stops it before the alias."""
    one, other = watcher("a"), watcher("b")

    def slow(*given: Any) -> Any:
        def work(folder: Path) -> Any:
            monkeypatch.setattr(module, "fit", copied(good))
            there = other.asked.leases
            assert there is not None
            monkeypatch.setattr(there, "_stands_still", lambda _: True)
            with there.held("ride"):
                return copied(good)(*given)(folder)

        return work

    monkeypatch.setattr(module, "fit", slow)
    turns(one, clock)
    [record] = one.asked.runs.all()
    assert record["state"] == "killed"
    assert "has taken over (token 2, this run's is 1): nothing was moved" in record["said"]
    assert not (tmp_path / "models/ride").exists()
    turns(other, clock)
    assert other.asked.runs.all()[-1]["state"] == "promoted"


def test_a_lost_lease_ends_a_run_and_not_the_watcher(
    watcher: Callable[..., Watcher], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that stops it ends both."""
    one = watcher()
    for error, ends in ((LostError("lost"), False), (StoppedError("stopped"), True)):

        def lost(_: Path, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(module, "fit", lambda *_, work=lost: work)
        if ends:
            with pytest.raises(StoppedError):
                turns(one, clock)
        else:
            turns(one, clock)
    assert {record["state"] for record in one.asked.runs.all()} == {"killed"}


def test_other_triggers_do_not_change_what_a_run_does(
    watcher: Callable[..., Watcher], clock: Clock
) -> None:
    """The debounce is no parameter of a model; the gate is."""
    turns(watcher(), clock)
    other = watcher(cron=("* * * * *",), min_new_rows=1)
    turns(other, clock, 3)
    assert len(other.asked.runs.all()) == 1
    call = other.asked
    changed = replace(call, config=replace_gate(call.config))
    assert module.run(changed)["state"] == "promoted"


def replace_gate(config: Config) -> Config:
    """Return the same with another gate."""
    return config.model_copy(update={"gate": Gate(margin=0.5)})
