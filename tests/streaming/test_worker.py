"""The loop over brokers in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from scoring.engine import Predictors
from scoring.intervals import Interval
from scoring.models import discover
from scoring.predictor import Predictor
from streaming.envelope import Envelope
from streaming.errors import StreamError
from streaming.following import Followed
from streaming.health import Health
from streaming.interface import Message
from streaming.journal import Journal
from streaming.letters import KEPT_BYTES
from streaming.meter import Meter
from streaming.outcomes import Scoring
from streaming.stop import Stop
from streaming.worker import Parts, Worker
from tests.streaming.fakes import FakeSink, FakeSource
from tests.streaming.support import ride
from tests.support import write_artifact

LARGE = b"x" * (KEPT_BYTES + 1)


@dataclass
class Ran:
    """What a worker left behind."""

    source: FakeSource
    sink: FakeSink
    dead: FakeSink
    meter: Meter
    health: Health

    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(one.value) for one in self.sink.got]

    def letters(self) -> list[dict[str, Any]]:
        return [json.loads(one.value) for one in self.dead.got]


def made(
    values: Sequence[bytes | None], models_dir: Path, folder: Path, *, batch: int = 100,
    sink: FakeSink | None = None, dead: FakeSink | None = None, grace_s: float = 10,
    interval: float | None = None,
) -> tuple[Worker, Ran]:  # fmt: skip
    """Return a worker that stops when the events are at an end, and what it will leave."""
    predictor = Predictor.from_folder(models_dir / "ride", discover()["ride"])
    stop = Stop(grace_s)
    source = FakeSource(values, stop.request)
    ran = Ran(source, sink or FakeSink(), dead or FakeSink(), Meter(), Health())
    parts = Parts(
        source=source, sink=ran.sink, dead=ran.dead, batch=batch, stop=stop, meter=ran.meter,
        followed=Followed(Predictors({"ride": predictor})), health=ran.health,
        scoring=Scoring("rides", Envelope(), interval=interval),
        journal=Journal.take(folder / "state", "g"),
    )  # fmt: skip
    return Worker(parts), ran


def test_every_event_has_its_prediction_or_its_letter_in_order(
    models_dir: Path, tmp_path: Path
) -> None:
    """And is committed, batch after batch."""
    values = [ride(n) if n % 10 else b"{}" for n in range(250)]
    worker, ran = made(values, models_dir, tmp_path)
    worker.run()
    assert [one["id"] for one in ran.answers()] == [f"rides/0/{n}" for n in range(250) if n % 10]
    assert [one["id"] for one in ran.letters()] == [f"rides/0/{n}" for n in range(0, 250, 10)]
    assert ran.source.committed == list(range(250))


def test_answers_have_the_interval_that_is_asked_for(models_dir: Path, tmp_path: Path) -> None:
    """That of a request; what is not valid is refused as ever."""
    worker, ran = made([ride(1), b"[", ride(2)], models_dir, tmp_path, interval=0.9)
    worker.run()
    predictor = Predictor.from_folder(models_dir / "ride", discover()["ride"])
    interval = Interval(predictor, 0.9)
    for one, value in zip(ran.answers(), (ride(1), ride(2)), strict=True):
        [score] = predictor.one(json.loads(value)).scores
        assert interval.ends(score).items() <= one["answer"].items()
    assert [letter["reason"] for letter in ran.letters()] == ["not_json"]


def test_a_version_without_calibration_makes_letters_that_say_so(tmp_path: Path) -> None:
    """One that the registry's alias moved to, say: events are not answered with less than what was
    asked for."""
    write_artifact(discover()["ride"], tmp_path / "models")
    worker, ran = made([ride(1), ride(2)], tmp_path / "models", tmp_path, interval=0.9)
    worker.run()
    assert ran.answers() == []
    problems = [letter["problem"]["errors"][0]["problem"] for letter in ran.letters()]
    assert len(problems) == 2
    assert all("was made without calibration" in problem for problem in problems)


def test_a_stop_while_nothing_comes_commits_nothing(models_dir: Path, tmp_path: Path) -> None:
    """There is no batch at hand that would have to be made final."""
    worker, ran = made([], models_dir, tmp_path)
    worker.run()
    assert ran.meter.last_batch is None


def test_a_bad_event_does_not_change_its_neighbours_answers(
    models_dir: Path, tmp_path: Path
) -> None:
    """They are those of a batch without it, and of requests; also of records that are spelt in
    another way than most."""
    predictor = Predictor.from_folder(models_dir / "ride", discover()["ride"])
    odd = json.dumps({**json.loads(ride(3)), "PULocationID": 4.0, "more": {"a": 1}}).encode()
    worker, ran = made([ride(1), b"[", odd, ride(2)], models_dir, tmp_path)
    worker.run()
    expected = [predictor.one(json.loads(value)).answers[0] for value in (ride(1), odd, ride(2))]
    version = {"model_version": predictor.version}
    assert [one["answer"] for one in ran.answers()] == [one | version for one in expected]


@pytest.mark.slow
def test_an_absent_sink_is_waited_for_and_the_source_kept_alive(
    models_dir: Path, tmp_path: Path
) -> None:
    """Nothing is committed before the sink has acknowledged; then all is."""
    sink = FakeSink()
    sink.failures = 2
    worker, ran = made([ride(1)], models_dir, tmp_path, sink=sink)
    worker.run()
    assert len(ran.answers()) == 1
    assert ran.source.committed == [0]
    assert ran.source.alive >= 2
    assert ran.health.ready() == {}


def test_a_stop_does_not_wait_longer_than_the_grace_time(models_dir: Path, tmp_path: Path) -> None:
    """What is at hand is not committed: it comes again."""
    sink = FakeSink()
    sink.failures = 1_000_000
    worker, ran = made([ride(1)], models_dir, tmp_path, sink=sink, grace_s=0)
    worker._parts.stop.request()
    worker._parts.stop._since = 1.0
    with pytest.raises(Exception, match="away"):
        worker._work(ran.source.poll(1, 0))
    assert ran.source.committed == []


def test_what_the_sink_refuses_becomes_a_letter(models_dir: Path, tmp_path: Path) -> None:
    """With the broker's words; the others are sent."""
    sink = FakeSink(lambda message: b"rides/0/1" in message.value)
    worker, ran = made([ride(0), ride(1), ride(2)], models_dir, tmp_path, sink=sink)
    worker.run()
    [letter] = ran.letters()
    assert (letter["id"], letter["reason"]) == ("rides/0/1", "refused")
    assert "too large" in letter["problem"]["detail"]
    assert len(ran.answers()) == 2


def test_a_letter_that_is_too_large_goes_without_its_event(
    models_dir: Path, tmp_path: Path
) -> None:
    """Where it came from and why is kept."""
    dead = FakeSink(lambda message: len(message.value) > 10_000)
    worker, ran = made([LARGE], models_dir, tmp_path, dead=dead)
    worker.run()
    [letter] = ran.letters()
    assert letter["event"] == {"truncated": True}
    assert letter["source"]["offset"] == 0


def test_a_letter_that_is_refused_in_every_form_ends_the_worker(
    models_dir: Path, tmp_path: Path
) -> None:
    """It says what to do; the event is not committed, so nothing is lost."""
    worker, ran = made([b"{"], models_dir, tmp_path, dead=FakeSink(lambda _: True))
    with pytest.raises(StreamError, match="have it take larger messages"):
        worker.run()
    assert ran.source.committed == []


def test_a_letter_keeps_a_bounded_part_of_its_event(models_dir: Path, tmp_path: Path) -> None:
    """And says how long it was."""
    worker, ran = made([LARGE, None], models_dir, tmp_path)
    worker.run()
    large, none = ran.letters()
    assert len(large["event"]["value"]) == KEPT_BYTES
    assert large["event"]["bytes"] == KEPT_BYTES + 1
    assert none["event"]["value"] is None


def test_a_fault_of_ours_is_one_events_letter(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is scored one by one then, and the letter tells nothing of the fault."""
    each = Predictor.each

    def failing(self: Predictor, items: Sequence[Any]) -> Any:
        if ride(3) in items:
            raise ArithmeticError("secret detail")
        return each(self, items)

    monkeypatch.setattr(Predictor, "each", failing)
    worker, ran = made([ride(n) for n in range(6)], models_dir, tmp_path)
    worker.run()
    [letter] = ran.letters()
    assert (letter["id"], letter["reason"]) == ("rides/0/3", "failed")
    assert "secret" not in json.dumps(letter)
    assert len(ran.answers()) == 5


@pytest.mark.parametrize("seconds", [-1.5, 1e13, 9.2e15, 0.0, 1700000000.25])
def test_a_brokers_clock_may_say_anything(models_dir: Path, tmp_path: Path, seconds: float) -> None:
    """The event is answered all the same, with what it said."""
    worker, ran = made([ride(1), b"{"], models_dir, tmp_path)
    ran.source.events = [replace(one, time=seconds) for one in ran.source.events]
    worker.run()
    assert ran.answers()[0]["event_time"] == ran.letters()[0]["source"]["time"]
    if seconds == 1700000000.25:
        assert ran.answers()[0]["event_time"] == "2023-11-14T22:13:20.250+00:00"


def test_headers_are_passed_on_without_those_of_the_event_alone(
    models_dir: Path, tmp_path: Path
) -> None:
    """The trace goes on; a CloudEvent's id is not the prediction's."""
    worker, ran = made([ride(1)], models_dir, tmp_path)
    headers = (("traceparent", b"00-1"), ("ce_id", b"x"), ("Content-Type", b"a"))
    ran.source.events = [replace(ran.source.events[0], headers=headers)]
    worker.run()
    [message] = ran.sink.got
    assert list(message.headers) == [("traceparent", b"00-1")]
    assert message.key == b"k"
    assert json.loads(message.value)["event_id"] == "x"


def test_secrets_in_headers_are_not_in_letters(models_dir: Path, tmp_path: Path) -> None:
    """By their names; other headers help to find the cause."""
    worker, ran = made([b"{"], models_dir, tmp_path)
    names = ["Authorization", "X-Api-Key", "cookie", "session-token", "traceparent"]
    ran.source.events = [replace(ran.source.events[0], headers=[(name, b"v") for name in names])]
    worker.run()
    assert ran.letters()[0]["event"]["headers"] == [["traceparent", "v"]]


def test_a_lone_answer_is_logged_where_there_is_no_place_for_letters(
    models_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ids and problems, not the event."""
    worker, ran = made([b'{"PULocationID": 12345678}'], models_dir, tmp_path)
    worker._show([Message(json.dumps(worker_letter(worker)).encode(), None, ())])
    assert "rides/0/0" in caplog.text
    assert ran.sink.got == []


def worker_letter(worker: Worker) -> dict[str, Any]:
    """Return the letter of the worker's first event."""
    events = worker._parts.source.poll(1, 0)
    outcome = worker._parts.scoring.outcome(worker._parts.followed.current, events)
    found: dict[str, Any] = json.loads(outcome.letters[0].value)
    return found
