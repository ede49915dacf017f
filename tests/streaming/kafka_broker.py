"""A broker of Kafka's protocol on a free port: noida-db, or with BROKER=host:port any other, which
the tests then only talk to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support import free_port, skip_or_fail, wait_for

BROKER = os.environ.get("BROKER")
OURS_TO_STOP = pytest.mark.skipif(
    BROKER is not None, reason="the broker of BROKER is not ours to stop"
)


def kafka_package() -> Any:
    """Return the module confluent_kafka; skip the test where it is not installed."""
    try:
        import confluent_kafka
    except ImportError:
        skip_or_fail("confluent_kafka is not installed: pipenv sync --categories kafka")
    return confluent_kafka


class KafkaBroker:
    """A broker, with what tests read and write there."""

    # of a consumer that begins a long topic: noida-db answers with all of it
    whole: ClassVar = {"receive.message.max.bytes": 1_000_000_000}

    def __init__(self, folder: Path) -> None:
        self._kafka = kafka_package()
        self._folder = folder
        self.address = BROKER or f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._program = ""

    def start(self) -> None:
        if not BROKER:
            package = find_spec("noida_db")
            if package is None or package.origin is None:
                skip_or_fail("noida-db is not installed: pipenv sync --categories dev-packages")
            port = self.address.rpartition(":")[2]
            self._program = str(Path(package.origin).with_name("noida-db"))
            command = [self._program, "start", "--only", "kafka", "--kafka-port", port,
                       "--host", "127.0.0.1", "--data-dir", str(self._folder)]  # fmt: skip
            with (self._folder / "broker.log").open("ab") as log:
                self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.answers, "the broker to answer", 180)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Have the broker answer nothing until the block ends."""
        if BROKER:
            pytest.skip("the broker of BROKER is not ours to stop")
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        # its threads stop one after the other
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Have the broker save what it has and be away until the block ends."""
        if BROKER:
            pytest.skip("the broker of BROKER is not ours to stop")
        self._tell("stop")
        try:
            yield
        finally:
            self._tell("start")
        wait_for(self.answers, "the broker to answer", 180)

    def _tell(self, what: str) -> None:
        words = [self._program, what, "kafka", "--data-dir", str(self._folder)]
        subprocess.run(words, check=True, capture_output=True)

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(20)

    def url(self, topic: str, options: str = "") -> str:
        return f"kafka://{self.address}/{topic}{options}"

    def make(self, *topics: str, partitions: int = 4) -> None:
        """Make topics."""
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self.address})
        wanted = [NewTopic(name, partitions, 1) for name in topics]
        for future in admin.create_topics(wanted).values():
            future.result(30)

    def feed(self, topic: str, values: Sequence[bytes | None], **more: Any) -> None:
        """Produce values, with keys in turn."""
        producer = self._kafka.Producer({"bootstrap.servers": self.address, "acks": "all"})
        for place, value in enumerate(values):
            producer.produce(topic, value, key=f"k{place % 40}", **more)
            producer.poll(0)
        assert producer.flush(60) == 0

    def feed_one(self, topic: str, value: bytes, key: bytes) -> None:
        """Produce one value with a key."""
        producer = self._kafka.Producer({"bootstrap.servers": self.address})
        producer.produce(topic, value, key=key)
        assert producer.flush(60) == 0

    def messages(self, topic: str, *, committed: bool = True) -> list[Any]:
        """Return what a topic holds by now, partition after partition; of transactions only what
        is `committed`."""
        consumer = self._kafka.Consumer({
            "bootstrap.servers": self.address, "group.id": f"test-{time.monotonic_ns()}",
            "enable.partition.eof": True, "enable.auto.commit": False,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            **self.whole,
        })  # fmt: skip
        try:
            places = consumer.list_topics(topic, timeout=30).topics[topic].partitions
            part = self._kafka.TopicPartition
            consumer.assign([part(topic, place, self._kafka.OFFSET_BEGINNING) for place in places])
            found, ended = [], set[int]()
            came = time.monotonic()
            while len(ended) < len(places) and time.monotonic() < came + 60:
                for message in consumer.consume(10_000, 0.2):
                    came = time.monotonic()
                    if message.error() is None:
                        found.append(message)
                    elif message.error().code() == self._kafka.KafkaError._PARTITION_EOF:
                        ended.add(message.partition())
            return sorted(found, key=lambda one: (one.partition(), one.offset()))
        finally:
            consumer.close()

    def values(self, topic: str) -> list[bytes]:
        return [message.value() for message in self.messages(topic)]

    def answers(self) -> bool:
        """Return whether a client reaches the broker."""
        with contextlib.suppress(self._kafka.KafkaException):
            client = self._kafka.Producer(
                {"bootstrap.servers": self.address, "logger": _Silent(), "log_level": 0}
            )
            return bool(client.list_topics(timeout=2).brokers)
        return False


class _Silent:
    """A logger for clients whose broker is not there yet."""

    def log(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def kafka_broker(folder: Path) -> Iterator[KafkaBroker]:
    """Run a broker until the block ends."""
    broker = KafkaBroker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.close()
