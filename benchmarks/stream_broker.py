"""noida-db for the benchmark of streams: the broker, what is fed to it, what it holds then."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from scoring.models import discover
from training import sample

PORT: Final = int(os.environ.get("BENCH_PORT") or 19092)  # and ten behind it
BROKER: Final = f"127.0.0.1:{PORT}"
PARTITIONS: Final = 4


@contextlib.contextmanager
def broker() -> Iterator[None]:
    """Run noida-db until the block ends."""
    package = find_spec("noida_db")
    if package is None or package.origin is None:
        sys.exit("noida-db is not installed: make bench-streaming")
    program = str(Path(package.origin).with_name("noida-db"))
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "start", "--only", "kafka", "--kafka-port", str(PORT), "--host",
             "127.0.0.1", "--data-dir", folder],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield
        finally:
            process.kill()
            process.wait()


@cache
def rides() -> list[bytes]:
    """Return events: the rides of the bundled sample."""
    fields = list(discover()["ride"].record.model_fields)
    rows = pq.read_table(sample.TRIPS, columns=fields).drop_null().to_pylist()
    return [json.dumps(row).encode() for row in rows if row["trip_distance"] < 100]


@cache
def v2_requests() -> list[bytes]:
    """Return the same rides as MLServer takes them."""
    return [
        json.dumps({
            "inputs": [
                {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
                for name, value in json.loads(ride).items()
            ]
        }).encode()
        for ride in rides()
    ]  # fmt: skip


def make(*topics: str) -> None:
    """Make topics, those that are not there yet."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": BROKER})
    wanted = [NewTopic(name, PARTITIONS, 1) for name in topics]
    for future in admin.create_topics(wanted).values():
        with contextlib.suppress(KafkaException):
            future.result(30)


def feed(
    topic: str,
    count: int,
    per_second: float | None = None,
    events: Sequence[bytes] = (),
    headers: Mapping[str, bytes] | None = None,
) -> None:
    """Produce `events` (default: rides) again and again, `count` in all, as fast as it goes or so
    many a second."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": BROKER, "queue.buffering.max.messages": 1_000_000,
                         "linger.ms": 1})  # fmt: skip
    events = events or rides()
    more: dict[str, Any] = {"headers": dict(headers)} if headers else {}
    began = time.monotonic()
    for number in range(count):
        key, value = b"%d" % (number % 1000), events[number % len(events)]
        while True:
            try:
                producer.produce(topic, value, key=key, **more)
                break
            except BufferError:
                producer.poll(0.1)
        if per_second:
            producer.poll(max(0.0, began + number / per_second - time.monotonic()))
    producer.flush(600)


class Counting:
    """Counts what a topic holds."""

    def __init__(self, topic: str) -> None:
        from confluent_kafka import Consumer, TopicPartition

        self._consumer = Consumer({"bootstrap.servers": BROKER, "group.id": f"{topic}-counting"})
        self._places = [TopicPartition(topic, place) for place in range(PARTITIONS)]

    def count(self) -> int:
        """Return how many messages there are, with the marks that end transactions."""
        marks = [self._consumer.get_watermark_offsets(place, timeout=10) for place in self._places]
        return sum(high - low for low, high in marks)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def prediction_times(topic: str) -> list[list[float]]:
    """Return when the predictions of the events of each partition were made, without those of the
    first events, in seconds."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": f"{topic}-times"})
    consumer.assign([TopicPartition(topic, place, OFFSET_BEGINNING) for place in range(PARTITIONS)])
    found: list[list[float]] = [[] for _ in range(PARTITIONS)]
    while messages := consumer.consume(10_000, 3):
        for message in messages:
            if not message.error():
                made = json.loads(message.value())
                place = int(made["id"].split("/")[1])
                found[place].append(datetime.fromisoformat(made["time"]).timestamp())
    consumer.close()
    return [sorted(times)[25:] for times in found]
