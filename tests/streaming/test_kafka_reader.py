"""Reading a topic to the end that it has now, against librdkafka's mock brokers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streaming.addresses import Address
from streaming.errors import StreamError, UsageError
from tests.streaming.kafka_doubles import error, failure
from tests.streaming.kafka_mock import mock_broker
from tests.streaming.test_kafka_source import Message

pytestmark = pytest.mark.slow


def test_a_topic_is_read_to_the_end_that_it_had(tmp_path: Path) -> None:
    """So many messages at a time, in order; those that come later, or before a start, are not."""
    with mock_broker(tmp_path) as broker:
        from streaming.brokers.kafka_reader import KafkaReader

        broker.feed("rides", [b"%d" % number for number in range(40)])
        with pytest.raises(UsageError, match="no such option"):
            KafkaReader(Address.parse(broker.url("rides", "?no.such=1")))
        reader = KafkaReader(Address.parse(broker.url("rides")))
        bounds = reader.bounds()
        assert sum(high - low for low, high in bounds.values()) == 40
        ends = {place: high for place, (_, high) in bounds.items()}
        broker.feed("rides", [b"later"] * 40)
        found = list(reader.read(dict.fromkeys(ends, 1), ends, 7))
        assert all(len(some) >= 7 for some in found[:-1])
        events = [event for some in found for event in some]
        assert b"later" not in {event.value for event in events}
        assert len(events) == 40 - sum(high > 0 for high in ends.values())
        assert list(reader.read(ends, ends, 7)) == []
        reader.close()


def test_brokers_that_fail_while_a_topic_is_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence, an error in a message's place, an error that no try mends."""
    with mock_broker(tmp_path) as broker:
        from streaming.brokers import kafka_reader

        monkeypatch.setattr(kafka_reader, "_ANSWER_S", 0.3)
        reader = kafka_reader.KafkaReader(Address.parse(broker.url("rides")))

        class Consumer:
            def __init__(self, answer: Any) -> None:
                self.answer = answer

            def assign(self, _places: list[Any]) -> None:
                pass

            def consume(self, _limit: int, _timeout: float) -> list[Any]:
                if isinstance(self.answer, Exception):
                    raise self.answer
                return list(self.answer)

        real = reader._consumer
        for answer, said in (
            ([], "nothing came for 0 s"),
            ([Message(0, -1, error("TOPIC_AUTHORIZATION_FAILED"))], "topic_authorization_failed"),
            (failure("_FATAL", fatal=True), "_fatal"),
        ):
            reader._consumer = Consumer(answer)
            with pytest.raises(StreamError, match=said):
                list(reader.read({0: 0}, {0: 5}, 7))
        # a transaction's mark may be the last of a partition: its end is told by itself
        reader._consumer = Consumer([Message(0, 3), Message(0, -1, error("_PARTITION_EOF"))])
        assert [[event.offset for event in some] for some in reader.read({0: 0}, {0: 5}, 7)] == [
            [3]
        ]
        real.close()
