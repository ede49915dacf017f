"""Dead letters become events again."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streaming.addresses import Address
from streaming.errors import BatchLost
from streaming.interface import Event
from streaming.replay import Replay, ReplayOptions, event_of, summary
from streaming.stop import Stop
from tests.streaming.fakes import FakeSink, FakeSource
from tests.streaming.redis_server import RedisServer
from tests.streaming.support import WorkerProcess, ride, until, working

OPTIONS = ReplayOptions(
    source=Address.parse("redis://h/dead"), sink=Address.parse("redis://h/rides"),
    group="replay", reasons=(), idle_s=-1, dry_run=False,
)  # fmt: skip


def letter(**event: Any) -> dict[str, Any]:
    return {
        "id": "rides/0/1", "time": "2020-11-27T10:00:00+00:00", "reason": "invalid",
        "event": {"key": "k", "headers": [["a", "b"], ["n", None]], "value": "x", **event},
    }  # fmt: skip


def opened(body: Any, *reasons: str) -> Any:
    value = body if isinstance(body, bytes) else json.dumps(body).encode()
    return event_of(Event(value, None, (), 0, 1, None), reasons, time.time())


def test_an_event_is_as_it_was() -> None:
    """Value, key and headers, also where they are no text; with the letter's id."""
    message, why = opened(letter())
    assert why == "sent"
    assert (message.value, message.key) == (b"x", b"k")
    assert message.headers == [("a", b"b"), ("n", None), ("dead-letter-id", b"rides/0/1")]
    coded = letter(key={"value_base64": "/w=="}, value_base64="/v8=")
    message, _ = opened(coded)
    assert (message.value, message.key) == (b"\xfe\xff", b"\xff")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "no letter"),
        ({"id": 1}, "no letter"),
        (letter(truncated=True), "truncated"),
        (letter(value=None), "without a value"),
        ({**letter(), "reason": "failed"}, "another reason"),
        ({**letter(), "time": "2999-01-01T00:00:00+00:00"}, "later"),
    ],
    ids=["half", "other", "truncated", "tombstone", "reason", "later"],
)
def test_what_cannot_be_sent_says_why(body: Any, why: str) -> None:
    """And is left, rather than sent in another form."""
    assert opened(body, "invalid", "x") == (None, why)


def test_letters_of_after_the_start_are_not_marked_as_sent() -> None:
    """An event that is still bad would go round for ever; the next replay has it."""
    later = {**letter(), "time": "2999-01-01T00:00:00+00:00"}
    stop = Stop(10)
    source = FakeSource([json.dumps(one).encode() for one in (letter(), later)], lambda: None)
    sink = FakeSink()
    counts = Replay(OPTIONS, source, sink, stop).run()
    assert [one.value for one in sink.got] == [b"x"]
    assert source.committed == [0]
    assert summary(counts) == "1 events sent; left: 1 later"


@pytest.mark.slow
def test_letters_go_through_once_their_cause_is_mended(
    redis: RedisServer, stream: str, models_dir: Path, tmp_path: Path
) -> None:
    """Here the path to the record was wrong; a second replay finds nothing to send."""
    out, dead = redis.url(f"{stream}-out"), redis.url(f"{stream}-dead")
    for number in range(5):
        redis.client.xadd(stream, {"value": json.dumps({"ride": json.loads(ride(number))})})
    words = ["ride", "--source", redis.url(stream), "--sink", out, "--dead-letters", dead]
    with working(tmp_path, models_dir, *words, "--record", "data"):
        until(lambda: redis.values(f"{stream}-dead"), 5, "dead letters")
    again = ["replay", "--source", dead, "--sink", redis.url(stream), "--idle", "0.1"]
    said = ""
    for turn in ("5 events sent", "0 events sent"):
        replay = WorkerProcess(tmp_path, models_dir, *again)
        replay.start()
        assert replay.process.wait(60) == 0
        said = replay.said().removeprefix(said)
        assert turn in said
    with working(tmp_path, models_dir, *words, "--record", "ride"):
        until(lambda: redis.values(f"{stream}-out"), 5, "predictions")


def replayed(options: ReplayOptions, source: FakeSource, sink: FakeSink) -> dict[str, int]:
    """Return what a replay of these counts."""
    source.waiting = lambda: None  # type: ignore[method-assign]
    return dict(Replay(options, source, sink, Stop(20)).run())


def test_a_dry_replay_counts_and_sends_nothing() -> None:
    """Nor does it remember a letter."""
    values = [json.dumps(letter()).encode(), b"{"]
    source, sink = FakeSource(values, lambda: None), FakeSink()
    counts = replayed(replace(OPTIONS, dry_run=True), source, sink)
    assert (counts, sink.got, source.committed) == ({"sent": 1, "no letter": 1}, [], [])


@pytest.mark.slow
def test_what_the_sink_refuses_is_counted_and_brokers_are_waited_for() -> None:
    """A replay goes on where they are back."""
    values = [json.dumps(letter()).encode(), json.dumps(letter(value="y")).encode()]
    source = FakeSource(values, lambda: None)
    source.failures = 1
    sink = FakeSink(lambda message: message.value == b"y")
    assert replayed(OPTIONS, source, sink) == {"sent": 1, "refused": 1}
    assert source.committed == [0, 1]


def test_letters_that_are_another_s_by_now_are_not_counted(caplog: Any) -> None:
    """What is known of them is said."""

    class Gone(FakeSource):
        def commit(self, events: Any) -> None:
            raise BatchLost(f"the partition of {len(events)} letters went to another worker")

    source = Gone([json.dumps(letter()).encode()], lambda: None)
    assert replayed(OPTIONS, source, FakeSink()) == {}
    assert "1 letters were not marked as sent: the partition of 1 letters" in caplog.text
