"""A commit that brokers do not answer, for which librdkafka waits without end."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest

from streaming.addresses import Address
from streaming.errors import BatchLost, BrokerUnavailable
from streaming.interface import Event, Source
from tests.streaming.kafka_broker import OURS_TO_STOP, KafkaBroker
from tests.streaming.support import ride
from tests.support import ROOT, wait_for

pytestmark = [pytest.mark.slow, OURS_TO_STOP]

_UNDER_WAY = """
import sys
from streaming.addresses import Address
from streaming.brokers.kafka import KafkaSource
from streaming.errors import BrokerUnavailable

source = KafkaSource(Address.parse(sys.argv[1]), group=sys.argv[2])
while not (events := source.poll(10, 1)):
    pass
print("polled", flush=True)
sys.stdin.readline()
try:
    source.commit(events)
except BrokerUnavailable:
    source.close()
    print("closed", flush=True)
"""


def test_is_waited_for_in_steps_and_made_at_last(kafka: KafkaBroker, topic: str) -> None:
    """Each step says why, in which the worker stays alive; the offsets are there afterwards."""
    from streaming.brokers.kafka import KafkaSource

    kafka.feed(topic, [ride(number) for number in range(10)])
    address = Address.parse(kafka.url(topic, "?socket.timeout.ms=2000"))
    source = KafkaSource(address, group=topic)
    events: list[Event] = []
    while len(events) < 10:
        events += source.poll(10, 0.1)
    with kafka.hanging():
        for _ in range(2):
            with pytest.raises(BrokerUnavailable, match=topic):
                source.commit(events)
    _commit(source, events)
    source.close()
    again = KafkaSource(address, group=topic)
    wait_for(lambda: again.poll(10, 0.1) == [] and again.waiting() is None, "the partitions")
    assert again.poll(10, 0.5) == []
    again.close()


def _commit(source: Source, events: list[Event]) -> None:
    """Commit, once the broker answers again, which may have given the partitions up meanwhile."""
    while True:
        with contextlib.suppress(BrokerUnavailable):
            try:
                return source.commit(events)
            except BatchLost:
                events = []
                while len(events) < 10:
                    events += source.poll(10, 0.1)


def test_holds_no_worker_that_ends(kafka: KafkaBroker, topic: str) -> None:
    """It leaves without the group's leave, and its events come again."""
    kafka.feed(topic, [ride(number) for number in range(10)])
    with subprocess.Popen(
        [sys.executable, "-c", _UNDER_WAY, kafka.url(topic), topic],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as worker:  # fmt: skip
        assert worker.stdout is not None
        try:
            assert worker.stdout.readline() == "polled\n"
            with kafka.hanging():
                out, _ = worker.communicate("\n", timeout=60)
        finally:
            worker.kill()
    assert (out, worker.returncode) == ("closed\n", 0)
