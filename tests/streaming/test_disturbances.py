"""What may happen to a worker, its brokers and its events. Afterwards every event has its
prediction or its dead letter, and, with transactions, none has two.

Short turns here; `make test-stream-long` has the long ones: EVENTS of which HOSTILE are not valid.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.streaming.hostile import hostile
from tests.streaming.kafka_broker import OURS_TO_STOP, KafkaBroker, kafka_broker
from tests.streaming.kafka_mock import STORAGE_ERROR, mock_broker
from tests.streaming.redis_server import RedisServer, redis_server
from tests.streaming.support import WorkerProcess, ride, working
from tests.streaming.test_exactly_once import EXACTLY, fed, ids
from tests.streaming.test_kafka import QUICK, words
from tests.streaming.test_redis import words as redis_words
from tests.support import wait_for

pytestmark = pytest.mark.slow

EVENTS = int(os.environ.get("EVENTS", "6000"))
HOSTILE = int(os.environ.get("HOSTILE", "300"))
GUARANTEES = [
    pytest.param((), id="at-least-once"),
    pytest.param(EXACTLY, id="exactly-once"),
]


def check(found: Counter[str], total: int, more: tuple[str, ...]) -> None:
    """Each event has an outcome; with transactions one alone."""
    assert len(found) == total
    if more:
        assert set(found.values()) == {1}


def test_a_broker_that_is_stopped_and_started(models_dir: Path, tmp_path: Path) -> None:
    """Its absence is seen; what it had not acknowledged is sent again."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder, "--appendfsync", "always") as server:
        _add(server, 6000)
        with working(
            tmp_path, models_dir, *redis_words(server, "rides", "--batch", "20")
        ) as worker:
            for _ in range(2):
                done = _outcomes(server)
                wait_for(lambda done=done: _outcomes(server) > done + 100, "a part")  # type: ignore[misc]
                server.stop()
                wait_for(worker.waiting, "the worker to see it")
                server.start()
            wait_for(lambda: _outcomes(server) == 6000, "every outcome", 180)
            assert worker.count("stream_restarts") == 0


@OURS_TO_STOP
@pytest.mark.parametrize("more", GUARANTEES)
def test_a_kafka_that_is_stopped_and_started(
    models_dir: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """Likewise. By noida-db's own command, which saves everything; a signal makes it forget what it
    acknowledged a moment before. What is open then it takes back, and says nevertheless that it
    was committed: with transactions it is stopped between two."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    with kafka_broker(folder) as broker:
        broker.make("rides", "rides-out", "rides-dead")
        total = fed(broker, "rides", 100)
        every = words(broker, "rides", "--batch", "50", *more)
        with working(tmp_path, models_dir, *every, **QUICK) as worker:
            for _ in range(2):
                if more:
                    done = total
                    wait_for(lambda done=done: _final(worker) == done, "what is fed", 180)  # type: ignore[misc]
                else:
                    total += fed(broker, "rides", 3000)
                with broker.stopped():
                    wait_for(worker.waiting, "the worker to see it")
                total += fed(broker, "rides", 500)
            wait_for(lambda: len(ids(broker, "rides")) == total, "every outcome", 180)
            assert worker.count("stream_restarts") == 0
        check(ids(broker, "rides"), total, more)


@pytest.mark.parametrize("more", GUARANTEES)
def test_a_sink_that_refuses(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """What it will never take, here for its key's length, is a dead letter with the broker's words,
    though the letter itself must do without that key."""
    total = fed(kafka, topic, 300)
    kafka.feed_one(topic, ride(1), key=b"k" * 5000)
    every = words(kafka, topic, *more)
    every[4] += "?message.max.bytes=2000"
    if not more:
        every[6] += "?message.max.bytes=2000"
    with working(tmp_path, models_dir, *every):
        wait_for(lambda: len(ids(kafka, topic)) == total + 1, "every outcome", 180)
    check(ids(kafka, topic), total + 1, more)
    letters = [json.loads(value) for value in kafka.values(f"{topic}-dead")]
    [letter] = [one for one in letters if one["reason"] == "refused"]
    assert letter["event"] == {"truncated": True}


@pytest.mark.parametrize("more", GUARANTEES)
def test_hostile_events_among_others(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """Each has its dead letter, and every ride its prediction."""
    chance = random.Random(3)
    bad = set(chance.sample(range(EVENTS), HOSTILE))
    for start in range(0, EVENTS, 10_000):
        places = range(start, min(EVENTS, start + 10_000))
        kafka.feed(topic, [hostile(chance) if n in bad else ride(n) for n in places])
    options = "?" + "&".join(f"{name}={value}" for name, value in kafka.whole.items())
    with working(tmp_path, models_dir, *words(kafka, topic, *more, options=options)) as worker:
        wait_for(lambda: worker.count("stream_dead_letters_total") == HOSTILE, "letters", 600)
        wait_for(lambda: worker.count("stream_predictions_total") == EVENTS - HOSTILE, "all", 180)
        assert worker.count("stream_restarts") == 0
    check(ids(kafka, topic), EVENTS, more)
    assert len(kafka.messages(f"{topic}-dead")) == HOSTILE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"mount: {error}")
    if done.returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_broker_whose_disk_is_full(small_disk: Path, models_dir: Path, tmp_path: Path) -> None:
    """Its refusals are waited for, and readiness has its words; once there is room again, what was
    left is predicted."""
    ballast = small_disk / "ballast"
    with redis_server(small_disk, "--appendfsync", "everysec", "--auto-aof-rewrite-percentage",
                      "0") as server:  # fmt: skip
        _add(server, 200)
        with working(
            tmp_path, models_dir, *redis_words(server, "rides", "--batch", "20")
        ) as worker:
            wait_for(lambda: worker.count("stream_predictions_total") == 200, "the first part")
            _fill(ballast)
            _add_until_refused(server)
            wait_for(lambda: "MISCONF" in str(worker.waiting()), "the worker to see it", 180)
            ballast.unlink()
            wait_for(lambda: _outcomes(server) == server.client.xlen("rides"), "every one", 180)
        added = {f"rides/0/{entry.decode()}" for entry, _ in server.client.xrange("rides")}
        assert {json.loads(value)["id"] for value in server.values("rides-out")} == added


def test_a_kafka_whose_disk_is_full(models_dir: Path, tmp_path: Path) -> None:
    """It refuses every message with a storage error, which is waited for; once there is room again,
    every event is predicted."""
    with mock_broker(tmp_path) as broker:
        broker.feed("rides", [ride(number) for number in range(500)])
        every = words(broker, "rides", "--batch", "50")
        worker = WorkerProcess(tmp_path, models_dir, *every, **QUICK)
        try:
            with broker.refusing(STORAGE_ERROR):
                worker.start()
                wait_for(lambda: "not acknowledged" in str(worker.waiting()), "it to be seen", 180)
                assert worker.count("stream_predictions_total") == 0
            wait_for(lambda: worker.count("stream_predictions_total") == 500, "all", 180)
            assert worker.stop() == 0
        finally:
            if worker.process.poll() is None:
                worker.kill()
        assert len(ids(broker, "rides")) == 500


def _final(worker: WorkerProcess) -> float:
    kinds = ("stream_predictions_total", "stream_dead_letters_total")
    return sum(worker.count(kind) for kind in kinds)


def _add(server: RedisServer, count: int) -> None:
    pipe = server.client.pipeline()
    for number in range(count):
        pipe.xadd("rides", {"value": ride(number)})
    pipe.execute()


def _outcomes(server: RedisServer) -> int:
    return len({json.loads(value)["id"] for value in server.values("rides-out")})


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(b"x" * 4096)
        except OSError:
            return


def _add_until_refused(server: RedisServer) -> None:
    import redis

    for number in range(100_000):
        try:
            server.client.xadd("rides", {"value": ride(number)})
        except redis.exceptions.ResponseError:
            return
    pytest.fail("the disk was never full")
