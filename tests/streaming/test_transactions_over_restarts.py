"""What brokers say of a transaction when they have been away: librdkafka's mock says it, a refusal
at each step. It hides nothing that was taken back: what is seen here is that nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.addresses import Address
from streaming.delivery import Patience
from streaming.errors import BatchLost
from streaming.health import Health
from streaming.interface import Message
from streaming.meter import Meter
from tests.streaming import kafka_mock as mock
from tests.streaming.kafka_mock import mock_broker
from tests.support import wait_for

pytestmark = pytest.mark.slow

# what passes: the coordinator loads, or is another broker
LOADS, MOVED = 14, 16
# what they forgot: the transaction, whose producer it is, the producer
TRANSACTION, OWNER, PRODUCER = 48, 49, 59
STEPS = [
    (mock.ADD_PARTITIONS, OWNER), (mock.PRODUCE, PRODUCER), (mock.ADD_OFFSETS, LOADS),
    (mock.COMMIT_OFFSETS, TRANSACTION), (mock.END, MOVED), (mock.END, TRANSACTION),
    (mock.END, PRODUCER),
]  # fmt: skip


def test_a_transaction_that_brokers_forgot_comes_again(tmp_path: Path) -> None:
    """What passes is tried again within it; what they forgot is another transaction's, with the
    next producer of the name."""
    with mock_broker(tmp_path) as broker:
        from streaming.brokers.kafka import KafkaSource
        from streaming.brokers.kafka_transaction import ExactlyOnce

        broker.feed("rides", [b"%d" % number for number in range(len(STEPS))])
        source = KafkaSource(Address.parse(broker.url("rides")), group="g")
        delivery = ExactlyOnce(
            source, Address.parse(broker.url("out")), None, "one",
            Patience(Health(), lambda: False), Meter(), lambda *_: pytest.fail("none is refused"),
        )  # fmt: skip
        for request, code in STEPS:
            again = 0
            with broker.refusing(code, 1, request):
                while True:
                    [event] = wait_for(lambda: source.poll(1, 0.5), "an event")
                    try:
                        delivery.deliver([event], [Message(event.value or b"", None, ())], [])
                        break
                    except BatchLost:
                        again += 1
            assert bool(again) == (code in (TRANSACTION, OWNER, PRODUCER)), (request, code)
        assert {int(value) for value in broker.values("out")} == set(range(len(STEPS)))
        delivery.close()
        source.close()
