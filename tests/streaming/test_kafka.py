"""A worker over Kafka's protocol, against a real broker: at least once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scoring.models import discover
from scoring.predictor import Predictor
from tests.streaming.kafka_broker import OURS_TO_STOP, KafkaBroker
from tests.streaming.support import WorkerProcess, ride, working
from tests.support import wait_for

pytestmark = pytest.mark.slow

# a worker that comes back under its name gets its partitions at once; noida-db, unlike Kafka, never
# gives those of a killed one to others
STATIC = "?group.instance.id=one"
QUICK = {"LIBRDKAFKA_SOCKET_TIMEOUT_MS": "2000"}  # of a request that is not answered


def words(kafka: KafkaBroker, topic: str, *more: str, options: str = "") -> list[str]:
    """Return a worker's words: from a topic to two others, in a group of the topic's name."""
    return ["ride", "--source", kafka.url(topic, options), "--sink", kafka.url(f"{topic}-out"),
            "--dead-letters", kafka.url(f"{topic}-dead"), "--group", topic, *more]  # fmt: skip


def answers(kafka: KafkaBroker, topic: str) -> dict[str, Any]:
    """Return the predictions by id."""
    found = [json.loads(value) for value in kafka.values(f"{topic}-out")]
    return {one["id"]: one for one in found}


def test_predictions_keep_key_headers_and_order(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path
) -> None:
    """And are the service's answers; each key's are in the order of its events."""
    kafka.feed(topic, [ride(number) for number in range(500)])
    kafka.feed(topic, [b"{bad"], headers={"traceparent": b"00-1"})
    kafka.feed(topic, [ride(7)], headers={"traceparent": b"00-2", "cookie": b"c"})
    with working(tmp_path, models_dir, *words(kafka, topic)) as worker:
        wait_for(lambda: worker.count("stream_predictions_total") == 501, "predictions")
        wait_for(lambda: worker.count("stream_dead_letters_total") == 1, "the dead letter")
        wait_for(lambda: worker.count("stream_lag") == 0, "lag to be none")
        assert worker.count("stream_rebalances_total") >= 1
    predictor = Predictor.from_folder(models_dir / "ride", discover()["ride"])
    events = {(m.partition(), m.offset()): m for m in kafka.messages(topic)}
    by_key: dict[bytes, list[int]] = {}
    for message in kafka.messages(f"{topic}-out"):
        got = json.loads(message.value())
        _, partition, offset = got["id"].rsplit("/", 2)
        event = events[int(partition), int(offset)]
        assert message.key() == event.key()
        assert message.headers() == event.headers()
        expected = predictor.one(json.loads(event.value())).answers[0]
        assert got["answer"] == expected | {"model_version": predictor.version}
        by_key.setdefault(message.key(), []).append(int(offset))
    assert all(offsets == sorted(offsets) for offsets in by_key.values())
    [letter] = [json.loads(value) for value in kafka.values(f"{topic}-dead")]
    assert letter["event"] == {"key": "k0", "headers": [["traceparent", "00-1"]], "value": "{bad"}


def test_partitions_are_shared_as_workers_come_and_go(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path
) -> None:
    """Both work; after one has left, the other does all. Nothing is lost; of what was at hand
    while partitions changed hands some may come twice, with the same ids."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    every = words(kafka, topic, "--batch", "50")
    total = 0
    with working(first, models_dir, *every) as one:
        with working(second, models_dir, *every) as other:

            def both_work() -> bool:
                nonlocal total
                kafka.feed(topic, [ride(number) for number in range(200)])
                total += 200
                return other.count("stream_predictions_total") > 0

            wait_for(both_work, "the second worker to have partitions")
        kafka.feed(topic, [ride(number) for number in range(200)])
        total += 200
        wait_for(lambda: len(answers(kafka, topic)) == total, "every prediction")
        assert one.count("stream_predictions_total") > 0
    assert len(kafka.values(f"{topic}-out")) <= total + 4 * 50


def test_a_killed_worker_loses_nothing(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path
) -> None:
    """What it had at hand comes again under the same ids, also its dead letters."""
    kafka.feed(topic, [ride(number) if number % 50 else b"{}" for number in range(20_000)])
    every = words(kafka, topic, "--batch", "100", options=STATIC)
    worker = WorkerProcess(tmp_path, models_dir, *every)
    try:
        for turn in range(3):
            worker.start()
            done = 2000.0 * turn + 300
            wait_for(lambda done=done: len(answers(kafka, topic)) >= done, "predictions")  # type: ignore[misc]
            worker.kill()
        worker.start()
        worker.ready()
        wait_for(lambda: len(answers(kafka, topic)) == 19_600, "every prediction", 180)
        assert worker.stop() == 0
    finally:
        if worker.process.poll() is None:
            worker.kill()
    letters = {json.loads(value)["id"] for value in kafka.values(f"{topic}-dead")}
    assert len(letters) == 400
    assert not letters & answers(kafka, topic).keys()


@OURS_TO_STOP
def test_an_absent_broker_is_waited_for(models_dir: Path, tmp_path: Path) -> None:
    """Before it was ever there, and while it answers nothing; readiness says so, and nothing is
    lost."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = KafkaBroker(folder)
    worker = WorkerProcess(tmp_path, models_dir, *words(broker, "rides", "--batch", "100"), **QUICK)
    worker.start()
    try:
        wait_for(lambda: "127.0.0.1" in worker.waiting().get("source", ""), "the reason")
        assert worker.ask("/health/live")
        broker.start()
        broker.make("rides", "rides-out", "rides-dead")
        broker.feed("rides", [ride(number) for number in range(20_000)])
        wait_for(lambda: worker.count("stream_predictions_total") > 500, "predictions", 180)
        with broker.hanging():
            wait_for(lambda: worker.waiting(), "the worker to see it")
        wait_for(lambda: len(answers(broker, "rides")) == 20_000, "every prediction", 180)
        assert worker.stop() == 0
    finally:
        if worker.process.poll() is None:
            worker.kill()
        broker.close()


def test_options_of_librdkafka_that_there_are_not_stop_the_start(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path
) -> None:
    """With its words and status 2."""
    every = words(kafka, topic, options="?no.such.option=1")
    worker = WorkerProcess(tmp_path, models_dir, *every)
    worker.start()
    assert worker.process.wait(60) == 2
    assert "no.such.option" in worker.said()
