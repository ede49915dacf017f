"""Kafka's protocol, by librdkafka: kafka://HOST:9092,OTHER:9092/TOPIC?option=value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streaming.addresses import Address
from streaming.brokers import kafka_config
from streaming.brokers.kafka_client import Reach, calling
from streaming.brokers.kafka_commits import Commits
from streaming.brokers.kafka_sink import KafkaSink
from streaming.errors import BatchLost, BrokerUnavailable, StreamError, UsageError
from streaming.interface import Event
from streaming.settings import StreamSettings

_LOST: Final = (
    KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
)  # fmt: skip


def source(address: Address, **who: Any) -> KafkaSource:
    """Return a source of a topic's events; `who` says group, start and rebalanced."""
    return KafkaSource(address, **who)


def sink(address: Address, *, settings: StreamSettings) -> KafkaSink:  # noqa: ARG001  # others' sinks need them
    """Return a sink to a topic."""
    return KafkaSink(address)


class KafkaSource:
    """The partitions of a topic that this worker's group gives to it."""

    def __init__(
        self, address: Address, *, group: str, start: str = "earliest",
        rebalanced: Any = lambda: None, **_: object,
    ) -> None:  # fmt: skip
        """Raise UsageError for options that librdkafka does not take."""
        self.name = address.name
        self._address = address
        self._reach = Reach(address)
        self._rebalanced = rebalanced
        self._joined = False
        self._paused = False  # some of the partitions
        self._all_paused = False
        self._kept: list[Any] = []  # messages that came and were not returned yet
        self._lost: set[int] = set()  # partitions that went to others since the last poll
        self._mine: set[int] = set()
        shared = kafka_config.common(address, os.environ, self._reach.failed, producers=False)
        try:
            self.consumer = Consumer(kafka_config.consumer(shared, group, start))
        except KafkaException as error:
            raise UsageError(f"{address}: {error.args[0].str()}") from error
        self._commits = Commits(self.consumer)
        self.consumer.subscribe(
            [address.name],
            on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked,
        )  # fmt: skip

    def waiting(self) -> str | None:
        """Return why nothing can come yet."""
        return None if self._joined else f"{self._address}: joining the group"

    def poll(self, limit: int, timeout_s: float) -> list[Event]:
        """Return what is there: librdkafka has fetched it already, or the first that comes."""
        if self._paused:
            self._paused = self._all_paused = False
            self.consumer.resume(self.consumer.assignment())
        try:
            if not self._kept:
                first = calling(lambda: self.consumer.poll(timeout_s))
                self._kept = [] if first is None else [first]
            if 0 < len(self._kept) < limit:
                left = limit - len(self._kept)
                more = calling(lambda: self.consumer.consume(left, 0))
                self._kept = [*self._kept, *more]  # as it is after the call, which may revoke some
        except KafkaException as error:  # a fatal one
            raise StreamError(f"{self._address}: {error.args[0].str()}") from error
        # without those whose partition went to another meanwhile; it may have come back since
        messages, self._kept = self._kept, []
        self._lost.clear()
        events = [_event(message) for message in messages if message.error() is None]
        if not events:
            self._check([message.error() for message in messages])
        if len({event.partition for event in events}) > 1:
            events.sort(key=attrgetter("partition", "offset"))
        return events

    def commit(self, events: Sequence[Event]) -> None:
        """Commit the offsets behind `events`."""
        if self.lost(events):
            raise BatchLost("its partitions went to another worker")
        try:
            self._commits.commit(self.behind(events))
        except TimeoutError:
            why = self._reach.reason or "no broker answers the commit"
            raise BrokerUnavailable(f"{self._address}: {why}") from None
        except KafkaException as error:
            found = error.args[0]
            if found.code() in _LOST:
                raise BatchLost(found.str()) from error
            if found.fatal():
                raise StreamError(f"{self._address}: {found.str()}") from error
            raise BrokerUnavailable(f"{self._address}: {found.str()}") from error

    def lost(self, events: Iterable[Event]) -> bool:
        """Return whether a partition of `events` is another's since they were polled."""
        return bool(self._lost) and any(event.partition in self._lost for event in events)

    def behind(self, events: Sequence[Event]) -> list[Any]:
        """Return for each partition the offset behind the last of `events`."""
        last = {event.partition: int(event.offset) for event in events}
        return [TopicPartition(self.name, int(p), offset + 1) for p, offset in last.items()]

    def rewind(self, events: Sequence[Event]) -> None:
        """Have `events` come again, those whose partition is still ours."""
        first: dict[int, int] = {}
        for event in events:
            first.setdefault(int(event.partition), int(event.offset))
        self._kept = [message for message in self._kept if message.partition() not in first]
        for partition, offset in first.items():
            if partition in self._mine and partition not in self._lost:
                self.consumer.seek(TopicPartition(self.name, partition, offset))

    def keep_alive(self) -> None:
        """Stay in the group: the partitions are paused, and its rebalances answered."""
        try:
            if not self._all_paused:  # also what was assigned since
                self._paused = self._all_paused = True
                self.consumer.pause(self.consumer.assignment())
            message = self.consumer.poll(0)
            if message is not None:
                self._kept.append(message)
        except KafkaException:
            return  # poll and commit say what is wrong

    def lag(self) -> Mapping[str, int]:
        """Return how many events of this worker's partitions were not polled yet."""
        found = {}
        for place in self.consumer.position(self.consumer.assignment()):
            _, high = self.consumer.get_watermark_offsets(place, cached=True)
            if high >= 0 and place.offset >= 0:
                found[str(place.partition)] = max(0, high - place.offset)
        return found

    def close(self) -> None:
        """Leave the group at once, so that others need not wait; not while a commit is under way,
        which librdkafka would wait for."""
        if not self._commits.under_way:
            self.consumer.close()

    def _check(self, errors: Sequence[KafkaError]) -> None:
        """Raise what is wrong, where nothing but errors came."""
        for error in errors:
            if error.fatal():
                raise StreamError(f"{self._address}: {error.str()}")
            if error.code() != KafkaError._PARTITION_EOF:
                raise BrokerUnavailable(f"{self._address}: {error.str()}")
        self._reach.check(self.consumer)

    def _assigned(self, _consumer: Any, places: Sequence[Any]) -> None:
        self._joined = True
        self._rebalanced()
        self._mine |= {place.partition for place in places}
        # librdkafka keeps a pause over a rebalance, where the assignment is empty for a moment and
        # a resume misses it: the next poll ends it
        self._paused, self._all_paused = True, False

    def _revoked(self, _consumer: Any, places: Sequence[Any]) -> None:
        gone = {place.partition for place in places}
        self._rebalanced()
        self._mine -= gone
        self._joined = self._joined and bool(self._mine)
        self._lost |= gone
        self._kept = [message for message in self._kept if message.partition() not in gone]


def _event(message: Any) -> Event:
    kind, moment = message.timestamp()
    return Event(
        message.value(), message.key(), message.headers() or (), message.partition(),
        message.offset(), moment / 1000 if kind else None,
    )  # fmt: skip
