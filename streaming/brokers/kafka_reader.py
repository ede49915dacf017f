"""Reads a topic's messages from given offsets to the end that it has now."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streaming.addresses import Address
from streaming.brokers import kafka_config
from streaming.brokers.kafka_client import Reach, calling
from streaming.errors import StreamError, UsageError
from streaming.interface import Event

_GROUP: Final = "prediction-service-reader"  # librdkafka wants a name; nobody joins it
_ANSWER_S: Final = 30.0  # within which a broker is to say something
_POLL_S: Final = 0.2


class KafkaReader:
    """A topic; `name` is its own, `cluster` that of its brokers, or else their addresses."""

    def __init__(self, address: Address) -> None:
        """Raise UsageError for options that librdkafka does not take."""
        self._address = address
        self._reach = Reach(address)
        shared = kafka_config.common(address, os.environ, self._reach.failed, producers=False)
        options = kafka_config.consumer(shared, _GROUP, "earliest")
        try:
            self._consumer = Consumer({**options, "enable.partition.eof": True})
        except KafkaException as error:
            raise UsageError(f"{address}: {error.args[0].str()}") from error
        self.name = address.name
        self.cluster = address.hosts

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Return for each partition the offset of the first message that is there, and that behind
        the last. Raises StreamError where the brokers do not answer or have no such topic."""
        try:
            found = self._consumer.list_topics(self.name, timeout=_ANSWER_S)
            topic = found.topics[self.name]
            if topic.error is not None:
                raise StreamError(f"{self._address}: {topic.error.str()}")
            self.cluster = found.cluster_id or self.cluster
            return {
                place: self._consumer.get_watermark_offsets(
                    TopicPartition(self.name, place), timeout=_ANSWER_S
                )
                for place in sorted(topic.partitions)
            }
        except KafkaException as error:
            why = self._reach.reason or error.args[0].str()
            raise StreamError(f"{self._address}: {why}") from error

    def read(
        self, starts: Mapping[int, int], ends: Mapping[int, int], limit: int
    ) -> Iterator[list[Event]]:
        """Yield up to `limit` messages at a time of these partitions, each from its start to before
        its end, in order by partition; of transactions those that are committed. Raises StreamError
        where the brokers are silent for half a minute."""
        left = {place for place, first in starts.items() if first < ends[place]}
        self._consumer.assign([TopicPartition(self.name, one, starts[one]) for one in sorted(left)])
        some: list[Event] = []
        silent_s = 0.0
        while left:
            messages = self._consume(limit - len(some))
            silent_s = 0.0 if messages else silent_s + _POLL_S
            if silent_s > _ANSWER_S:
                why = self._reach.reason or f"nothing came for {_ANSWER_S:.0f} s"
                raise StreamError(f"{self._address}: {why}")
            for message in messages:
                place = message.partition()
                if (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise StreamError(f"{self._address}: {error.str()}")
                    left.discard(place)
                    continue
                offset = message.offset()
                if offset < ends[place]:
                    some.append(_event(message))
                if offset + 1 >= ends[place]:
                    left.discard(place)
            if len(some) >= limit:
                yield some
                some = []
        if some:
            yield some

    def close(self) -> None:
        """Give the connection up."""
        self._consumer.close()

    def _consume(self, limit: int) -> list[Any]:
        try:
            return calling(lambda: self._consumer.consume(min(limit, 10_000), _POLL_S))
        except KafkaException as error:
            raise StreamError(f"{self._address}: {error.args[0].str()}") from error


def _event(message: Any) -> Event:
    return Event(message.value(), message.key(), (), message.partition(), message.offset(), None)
