"""Exactly once by Kafka's transactions, against a real broker: who reads what is committed sees
each event's outcome once, whatever happened to the worker."""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from streaming.addresses import Address
from streaming.delivery import Patience
from streaming.errors import StreamError
from streaming.health import Health
from streaming.interface import Event, Message
from streaming.meter import Meter
from tests.streaming.kafka_broker import OURS_TO_STOP, KafkaBroker, kafka_broker
from tests.streaming.support import WorkerProcess, ride, working
from tests.streaming.test_kafka import QUICK, STATIC, words
from tests.support import wait_for

pytestmark = pytest.mark.slow

EXACTLY = ("--guarantee", "exactly-once")
KILLS = int(os.environ.get("KILLS", "6"))  # fifty take minutes


def ids(kafka: KafkaBroker, topic: str, *, committed: bool = True) -> Counter[str]:
    """Return how often each event has an outcome, predictions and dead letters together."""
    return Counter(
        json.loads(message.value())["id"]
        for kind in ("out", "dead")
        for message in kafka.messages(f"{topic}-{kind}", committed=committed)
    )


def fed(kafka: KafkaBroker, topic: str, count: int) -> int:
    """Feed events, one in fifty of which is not valid; return how many."""
    kafka.feed(topic, [ride(number) if number % 50 else b"{}" for number in range(count)])
    return count


def test_each_event_has_one_outcome_whenever_the_worker_is_killed(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path
) -> None:
    """At random moments; its successor takes back what it had begun."""
    total = fed(kafka, topic, 2000 * KILLS)
    moments = random.Random(7)
    every = words(kafka, topic, *EXACTLY, "--batch", "200", options=STATIC)
    worker = WorkerProcess(tmp_path, models_dir, *every)
    try:
        for _ in range(KILLS):
            worker.start()
            worker.ready()
            time.sleep(moments.uniform(0, 0.3))  # any moment will do
            worker.kill()
            total += fed(kafka, topic, 500)
        worker.start()
        wait_for(lambda: len(ids(kafka, topic)) == total, "every outcome", 180)
        assert worker.stop() == 0
    finally:
        if worker.process.poll() is None:
            worker.kill()
    found = ids(kafka, topic)
    assert set(found.values()) == {1}
    assert len(found) == total


@pytest.mark.long
def test_each_event_has_one_outcome_while_workers_come_and_go(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path
) -> None:
    """Partitions change hands in the middle of the work."""
    every = words(kafka, topic, *EXACTLY, "--batch", "100")
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    total = fed(kafka, topic, 6000)
    with working(folders[0], models_dir, *every, STREAM_NAME="first"):
        for _ in range(2):
            with working(folders[1], models_dir, *every, STREAM_NAME="second") as other:
                total += fed(kafka, topic, 4000)
                wait_for(lambda: other.count("stream_events_total") > 0, "the second", 180)
            total += fed(kafka, topic, 1000)
        wait_for(lambda: len(ids(kafka, topic)) == total, "every outcome", 180)
    assert set(ids(kafka, topic).values()) == {1}


def test_a_worker_of_the_same_name_takes_over(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path
) -> None:
    """The one before it is fenced: it ends with a sentence, and what it had is not doubled."""
    every = words(kafka, topic, *EXACTLY)
    folders = [tmp_path / name for name in ("old", "new")]
    for folder in folders:
        folder.mkdir()
    old = WorkerProcess(folders[0], models_dir, *every, STREAM_NAME="one")
    old.start()
    try:
        old.ready()
        total = fed(kafka, topic, 500)
        wait_for(lambda: len(ids(kafka, topic)) == total, "the first's outcomes", 180)
        with working(folders[1], models_dir, *every, STREAM_NAME="one"):

            def is_fenced() -> bool:
                nonlocal total
                total += fed(kafka, topic, 100)
                return old.process.poll() is not None

            wait_for(is_fenced, "the first to end", 180)
            wait_for(lambda: len(ids(kafka, topic)) == total, "every outcome", 180)
        assert old.process.returncode == 1
        assert "fenced" in old.said()
    finally:
        if old.process.poll() is None:
            old.kill()
    assert set(ids(kafka, topic).values()) == {1}


@pytest.mark.long
@OURS_TO_STOP
def test_a_worker_that_waited_does_not_fence_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker did not answer, another worker of the name came, and got the partitions, too: it is
    the first that ends."""
    from streaming.brokers.kafka import KafkaSource
    from streaming.brokers.kafka_transaction import ExactlyOnce

    def opened(group: str) -> tuple[KafkaSource, ExactlyOnce, list[Event]]:
        source = KafkaSource(Address.parse(broker.url("rides")), group=group)
        closing.callback(source.close)
        patience = Patience(Health(), lambda: False)
        sink = Address.parse(broker.url("rides-out"))
        delivery = ExactlyOnce(source, sink, None, "one", patience, Meter(), never)
        closing.callback(delivery.close)
        return source, delivery, wait_for(lambda: source.poll(1, 0.5), "an event")

    def never(*_: object) -> Message:
        pytest.fail("nothing is refused")

    with kafka_broker(tmp_path) as broker, contextlib.ExitStack() as closing:
        broker.make("rides", "rides-out")
        broker.feed("rides", [ride(1)])
        source, old, events = opened("old")
        newer: list[tuple[ExactlyOnce, list[Event]]] = []

        def meanwhile() -> None:
            if not newer:
                hanging.close()
                newer.append(opened("newer")[1:])
                monkeypatch.setattr(source, "lost", lambda _: True)

        monkeypatch.setattr(source, "keep_alive", meanwhile)
        with contextlib.ExitStack() as hanging:
            hanging.enter_context(broker.hanging())
            with pytest.raises(StreamError, match="fenced: another worker has the name one"):
                old.deliver(events, [Message(b"old", None, ())], [])
        [(delivery, events)] = newer
        assert delivery.deliver(events, [Message(b"newer", None, ())], []) == 0
        assert broker.values("rides-out") == [b"newer"]


@OURS_TO_STOP
def test_a_broker_that_hangs_doubles_nothing(models_dir: Path, tmp_path: Path) -> None:
    """A transaction that it cut off is tried again, or taken back."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = KafkaBroker(folder)
    broker.start()
    try:
        broker.make("rides", "rides-out", "rides-dead")
        total = fed(broker, "rides", 20_000)
        every = words(broker, "rides", *EXACTLY, "--batch", "100")
        with working(tmp_path, models_dir, *every, **QUICK) as worker:
            wait_for(lambda: worker.count("stream_predictions_total") > 500, "a part", 180)
            with broker.hanging():
                wait_for(lambda: worker.waiting(), "the worker to see it")
            wait_for(lambda: len(ids(broker, "rides")) == total, "every outcome", 180)
        assert set(ids(broker, "rides").values()) == {1}
    finally:
        broker.close()
