"""What becomes of messages while partitions change hands: librdkafka's calls as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streaming.addresses import Address
from streaming.errors import BatchLost, BrokerUnavailable, StreamError
from tests.streaming.kafka_broker import kafka_package


class Message:
    """A message as librdkafka hands it out, or an error in its place."""

    def __init__(self, partition: int, offset: int, error: Any = None) -> None:
        self._places = partition, offset
        self._error = error

    def value(self) -> bytes:
        return b"{}"

    def key(self) -> None:
        return None

    def headers(self) -> None:
        return None

    def partition(self) -> int:
        return self._places[0]

    def offset(self) -> int:
        return self._places[1]

    def timestamp(self) -> tuple[int, int]:
        return 1, 1000

    def error(self) -> Any:
        return self._error


class Consumer:
    """Plays calls: `polled` and `consumed` are called for what they return."""

    def __init__(self) -> None:
        self.polled: Callable[[], Message | None] = lambda: None
        self.consumed: Callable[[], list[Message]] = list
        self.committed: list[Any] = []
        self.sought: list[tuple[int, int]] = []
        self.assigned: list[Any] = []
        self.standing: set[int] = set()  # partitions that are paused, also over a rebalance

    def subscribe(self, _topics: list[str], **callbacks: Any) -> None:
        self.assign, self.revoke = callbacks["on_assign"], callbacks["on_revoke"]

    def poll(self, _timeout: float) -> Message | None:
        return self.polled()

    def consume(self, _count: int, _timeout: float) -> list[Message]:
        return self.consumed()

    def assignment(self) -> list[Any]:
        return self.assigned

    def pause(self, places: list[Any]) -> None:
        self.standing |= {place.partition for place in places}

    def resume(self, places: list[Any]) -> None:
        self.standing -= {place.partition for place in places}

    def seek(self, place: Any) -> None:
        self.sought.append((place.partition, place.offset))

    def list_topics(self, *_: Any, **__: Any) -> None:
        pass

    def commit(self, offsets: list[Any], asynchronous: bool) -> None:
        assert not asynchronous
        self.committed += offsets


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Consumer]:
    """A source over such a consumer."""
    kafka_package()
    from streaming.brokers import kafka

    consumer = Consumer()
    monkeypatch.setattr(kafka, "Consumer", lambda _: consumer)
    return kafka.KafkaSource(Address.parse("kafka://h:1/rides"), group="g"), consumer


def places(*partitions: int) -> list[Any]:
    from confluent_kafka import TopicPartition

    return [TopicPartition("rides", partition) for partition in partitions]


def test_what_comes_after_a_new_assignment_is_not_taken_for_lost(
    made: tuple[Any, Consumer],
) -> None:
    """Revoked, assigned again and read, all within one call: nothing of it is passed over."""
    source, consumer = made

    def rebalanced() -> Message:
        consumer.revoke(consumer, places(0, 1))
        consumer.assign(consumer, places(0, 1))
        return Message(0, 7)

    consumer.polled = rebalanced
    events = source.poll(10, 0)
    assert [(event.partition, event.offset) for event in events] == [(0, 7)]
    source.commit(events)
    assert [place.offset for place in consumer.committed] == [8]


def test_what_was_read_before_a_partition_went_is_left_to_others(
    made: tuple[Any, Consumer],
) -> None:
    """Also where it went while more was read."""
    source, consumer = made
    consumer.polled = lambda: Message(0, 7)

    def revoked() -> list[Message]:
        consumer.revoke(consumer, places(0))
        return [Message(1, 3)]

    consumer.consumed = revoked
    assert [event.partition for event in source.poll(10, 0)] == [1]


def test_a_batch_whose_partition_went_is_not_committed(made: tuple[Any, Consumer]) -> None:
    """Another worker has it now, even where it has come back meanwhile."""
    source, consumer = made
    consumer.polled = lambda: Message(0, 7)
    events = source.poll(1, 0)
    consumer.polled = lambda: consumer.revoke(consumer, places(0))
    source.keep_alive()
    consumer.assign(consumer, places(0))
    with pytest.raises(BatchLost):
        source.commit(events)
    assert consumer.committed == []


def test_messages_that_came_while_nothing_was_polled_are_handed_out(
    made: tuple[Any, Consumer],
) -> None:
    """They come first at the next poll."""
    source, consumer = made
    consumer.polled = lambda: Message(0, 7)
    source.keep_alive()
    consumer.polled = lambda: pytest.fail("there was one already")
    consumer.consumed = lambda: [Message(0, 8)]
    assert [event.offset for event in source.poll(10, 0)] == [7, 8]


def test_an_error_among_messages_takes_none_of_them_away(made: tuple[Any, Consumer]) -> None:
    """Alone, it is what is waited for."""
    from confluent_kafka import KafkaError

    source, consumer = made
    error = Message(-1, -1, KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    consumer.polled = lambda: Message(0, 7)
    consumer.consumed = lambda: [error]
    assert [event.offset for event in source.poll(10, 0)] == [7]
    consumer.polled = lambda: error
    consumer.consumed = list
    with pytest.raises(BrokerUnavailable, match="rides"):
        source.poll(10, 0)


@pytest.mark.parametrize(
    ("code", "kind", "raised"),
    [
        ("ILLEGAL_GENERATION", {}, BatchLost),
        ("_TRANSPORT", {}, BrokerUnavailable),
        ("_FENCED", {"fatal": True}, StreamError),
    ],
    ids=["lost", "away", "fatal"],
)
def test_a_commit_that_fails_says_what_to_do(
    made: tuple[Any, Consumer], monkeypatch: pytest.MonkeyPatch, code: str, kind: Any, raised: Any
) -> None:
    """Others have the events, the brokers are away, or nothing helps."""
    from confluent_kafka import KafkaError, KafkaException

    source, consumer = made
    consumer.polled = lambda: Message(0, 7)
    events = source.poll(1, 0)

    def failing(**_: Any) -> None:
        raise KafkaException(KafkaError(getattr(KafkaError, code), "why", **kind))

    monkeypatch.setattr(consumer, "commit", failing)
    with pytest.raises(raised, match="why"):
        source.commit(events)


def test_a_fatal_error_ends_the_worker(made: tuple[Any, Consumer]) -> None:
    """Raised by the call, or handed out in a message's place; a pause passes over it."""
    from confluent_kafka import KafkaError, KafkaException

    source, consumer = made
    error = KafkaError(KafkaError._FATAL, "why", fatal=True)

    def failing() -> Message:
        raise KafkaException(error)

    consumer.polled = failing
    with pytest.raises(StreamError, match="why"):
        source.poll(1, 0)
    source.keep_alive()
    consumer.polled = lambda: Message(-1, -1, error)
    with pytest.raises(StreamError, match="why"):
        source.poll(1, 0)


def test_events_that_come_again_begin_with_the_first(made: tuple[Any, Consumer]) -> None:
    """In each partition that is still this worker's; what was kept of it is read anew."""
    source, consumer = made
    consumer.assign(consumer, places(0, 1))
    consumer.polled = lambda: Message(0, 7)
    consumer.consumed = lambda: [Message(0, 8), Message(1, 3)]
    events = source.poll(10, 0)
    consumer.polled = lambda: Message(1, 4)
    source.keep_alive()
    consumer.polled = lambda: consumer.revoke(consumer, places(0))
    source.keep_alive()
    source.rewind(events)
    assert consumer.sought == [(1, 3)]
    consumer.polled = lambda: None
    assert source.poll(10, 0) == []


def test_partitions_that_were_paused_while_the_broker_was_away_go_on(
    made: tuple[Any, Consumer],
) -> None:
    """They are lost and assigned anew, and librdkafka has them stand still all the time."""
    source, consumer = made
    consumer.assigned = places(0, 1)
    consumer.assign(consumer, consumer.assigned)
    source.poll(1, 0)
    source.keep_alive()
    assert consumer.standing == {0, 1}

    def lost() -> None:
        consumer.assigned = []
        consumer.revoke(consumer, places(0, 1))

    def back() -> None:
        consumer.assigned = places(0, 1)
        consumer.assign(consumer, consumer.assigned)

    consumer.polled = lost
    source.keep_alive()
    for polled in (back, lambda: None):
        consumer.polled = polled
        source.poll(1, 0)
    assert consumer.standing == set()
