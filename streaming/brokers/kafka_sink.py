"""A topic that messages are produced to, at least once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from streaming.addresses import Address
from streaming.brokers import kafka_config
from streaming.brokers.kafka_client import REFUSED, Reach, calling
from streaming.errors import BrokerUnavailable, UsageError
from streaming.interface import Message, Refused

_GIVEN_UP: Final = (
    KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT, KafkaError._FATAL,
)  # fmt: skip


class KafkaSink:
    """A topic that messages are produced to."""

    def __init__(self, address: Address) -> None:
        """Raise UsageError for options that librdkafka does not take."""
        self._address = address
        self._reach = Reach(address)
        self._pending: list[Message] = []  # not acknowledged, as far as `flush` knows
        self._refused: list[Refused] = []
        self._again: list[Message] = []
        self._reason = ""
        self._producer = self._connected()

    def send(self, messages: Sequence[Message]) -> None:
        """Give messages to librdkafka, which sends them from a thread of its own."""
        self._pending += messages
        self._produce(messages)

    def flush(self, timeout_s: float) -> list[Refused]:
        """Wait for the brokers' acknowledgements."""
        again, self._again = self._again, []
        self._produce(again)
        try:
            left = calling(lambda: self._producer.flush(timeout_s))
        except KafkaException as error:
            # the brokers have forgotten this producer: another one sends what is not acknowledged
            self._producer = self._connected()
            self._again = list(self._pending)
            raise BrokerUnavailable(f"{self._address}: {error.args[0].str()}") from error
        if left or self._again:
            self._reach.check(self._producer)
            reason = self._reason or f"{left} messages are not acknowledged"
            raise BrokerUnavailable(f"{self._address}: {reason}")
        self._reach.reason, self._reason, self._pending = None, "", []
        refused, self._refused = self._refused, []
        return refused

    def close(self) -> None:
        """Give up what is not acknowledged."""
        self._producer.purge()
        with contextlib.suppress(KafkaException):
            calling(lambda: self._producer.flush(1))

    def _connected(self) -> Any:
        shared = kafka_config.common(self._address, os.environ, self._reach.failed, producers=True)
        try:
            return Producer(kafka_config.producer(shared, self._delivered))
        except KafkaException as error:
            raise UsageError(f"{self._address}: {error.args[0].str()}") from error

    def _produce(self, messages: Sequence[Message]) -> None:
        self._refused += produce(self._producer, self._address.name, messages)

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            return
        back = Message(message.value(), message.key(), message.headers() or ())
        if error.code() in REFUSED:
            self._refused.append(Refused(back, error.str()))
        elif error.code() not in _GIVEN_UP:
            self._again.append(back)
            self._reason = error.str()


def produce(producer: Any, topic: str, messages: Sequence[Message]) -> list[Refused]:
    """Give messages to a producer in order; return those that librdkafka refuses."""
    refused: list[Refused] = []
    plain: list[dict[str, Any]] = []
    if not any(map(attrgetter("headers"), messages)):
        plain = [{"value": message.value, "key": message.key} for message in messages]
        messages = ()
    for message in messages:
        if not message.headers:
            plain.append({"value": message.value, "key": message.key})
            continue
        _produce_plain(producer, topic, plain, refused)
        plain = []
        try:
            producer.produce(topic, message.value, message.key, headers=list(message.headers))
        except BufferError:
            producer.poll(0.1)
            producer.produce(topic, message.value, message.key, headers=list(message.headers))
        except KafkaException as error:
            refused.append(Refused(message, error.args[0].str()))
    _produce_plain(producer, topic, plain, refused)
    return refused


def _produce_plain(
    producer: Any, topic: str, messages: list[dict[str, Any]], refused: list[Refused]
) -> None:
    while messages:
        if producer.produce_batch(topic, messages) == len(messages):
            return
        left = []
        for one in messages:
            error = one.pop("_error", None)
            if error is None:
                continue
            if error.code() == KafkaError._QUEUE_FULL:
                left.append(one)
            else:
                refused.append(Refused(Message(one["value"], one["key"], ()), error.str()))
        messages = left
        if left:
            producer.poll(0.1)
