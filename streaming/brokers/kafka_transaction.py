"""Exactly once: predictions, dead letters and the source's offsets in one Kafka transaction.

Who reads with isolation.level=read_committed sees each event's outcome once, whatever happened to
the worker. The brokers fence a worker whose partitions are another's: its transaction is taken
back, as is that of a worker that was killed, by its successor of the same name or by the brokers
after `transaction.timeout.ms`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer

from streaming.addresses import Address
from streaming.brokers import kafka_config
from streaming.brokers.kafka import KafkaSource
from streaming.brokers.kafka_client import REFUSED, Reach, calling
from streaming.brokers.kafka_sink import produce
from streaming.delivery import Patience, shortened
from streaming.errors import BatchLost, BrokerUnavailable, GraceOver, StreamError, UsageError
from streaming.interface import Event, Message, Refused
from streaming.meter import Meter

_TRY_S: Final = 1.0
_TRIES: Final = 3  # of brokers that are there, to take back what a producer did before
_TIMEOUT_MS: Final = 15_000
_FENCED: Final = (
    KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED,
)  # fmt: skip

T = TypeVar("T")


class _Abort(Exception):
    """The transaction can only be taken back."""


class ExactlyOnce:
    """Makes batches final by transactions."""

    def __init__(
        self,
        source: KafkaSource,
        sink: Address,
        dead: Address | None,
        name: str,
        patience: Patience,
        meter: Meter,
        of_refused: Callable[[Sequence[Event], Refused], Message],
    ) -> None:
        """`name` is the transactional id, which no two workers may have at a time. Raises
        UsageError for options that librdkafka does not take, GraceOver at a stop."""
        self._source = source
        self._sink = sink
        self._dead = dead
        self._patience = patience
        self._meter = meter
        self._of_refused = of_refused
        self._name = name
        self._refused: list[Refused] = []
        self._reach = Reach(sink)
        self._broken = False  # the next transaction is for another producer
        self._away = False  # no broker was there at some time since this producer is
        self._began = 0.0
        self._producer = self._connected()

    def deliver(
        self, events: Sequence[Event], predictions: Sequence[Message], letters: Sequence[Message]
    ) -> int:
        """Make the outcome of `events` visible and commit these, as one; return how many
        predictions became dead letters. Raises BatchLost, after which the events come again."""
        refused: list[Refused] = []
        letters = list(letters)
        while True:
            try:
                self._transact(events, predictions, letters)
            except _Abort as error:
                self._abort()
                if not self._refused:
                    self._source.rewind(events)
                    raise BatchLost(str(error)) from error
            except GraceOver:
                self._broken = False  # there is no time for another producer
                self._abort()
                raise
            else:
                self._meter.committed("done")
                return len(refused)
            # a message too large for the brokers ends its transaction: the same, with a letter
            found, self._refused = self._refused, []
            values = {one.message.value for one in found}
            new = [one for one in found if one.message.value not in {x.value for x in letters}]
            predictions = [one for one in predictions if one.value not in values]
            letters = [
                shortened(Refused(one, "too large")) if one.value in values else one
                for one in letters
            ]
            letters += [self._of_refused(events, one) for one in new]
            refused += new

    def _connected(self) -> Any:
        """Return a producer whose name's earlier transaction, if there is one, was taken back."""
        self._away = False
        shared = kafka_config.common(self._sink, os.environ, self._failed, producers=True)
        self._timeout_s = int(shared.setdefault("transaction.timeout.ms", _TIMEOUT_MS)) / 1000
        name = {"transactional.id": self._name}
        options = kafka_config.producer(shared, self._delivered, **name)
        options.pop("message.timeout.ms")  # it ends with the transaction's
        try:
            producer = Producer(options)
        except KafkaException as error:
            raise UsageError(f"{self._sink}: {error.args[0].str()}") from error
        self._call("sink", lambda: producer.init_transactions(_TRY_S * 5))
        return producer

    def _transact(
        self, events: Sequence[Event], predictions: Sequence[Message], letters: Sequence[Message]
    ) -> None:
        producer, source = self._producer, self._source
        self._broken, self._began = False, time.monotonic()
        self._call("sink", producer.begin_transaction)
        self._refused = produce(producer, self._sink.name, predictions)
        if self._dead:
            self._refused += produce(producer, self._dead.name, letters)
        if self._refused:
            raise _Abort("messages are refused")
        self._patience.until("sink", lambda: self._flush(events), source.keep_alive)
        offsets = source.behind(events)
        group = source.consumer.consumer_group_metadata()

        def send_offsets() -> None:
            # librdkafka 2.16 never returns from this call where the group's coordinator was away
            # since it last asked for it: confluentinc/librdkafka, issue 5511
            producer.poll(0)
            if self._away:
                raise _Abort("the brokers were away")
            producer.send_offsets_to_transaction(offsets, group, _TRY_S)

        self._call("sink", send_offsets)
        if source.lost(events):
            raise _Abort("its partitions went to another worker")
        self._call("sink", lambda: producer.commit_transaction(_TRY_S))

    def _flush(self, events: Sequence[Event]) -> None:
        try:
            left = calling(lambda: self._producer.flush(_TRY_S))
        except KafkaException as error:
            raise self._fatal(error.args[0]) from error
        if self._source.lost(events):
            raise _Abort("its partitions went to another worker")
        if self._refused:
            raise _Abort("messages are refused")
        if left:
            self._broken = True
            if time.monotonic() - self._began > self._timeout_s:
                raise _Abort(f"{left} messages are not acknowledged in {self._timeout_s:.0f} s")
            self._reach.check(self._producer)
            raise BrokerUnavailable(f"{self._sink}: {left} messages are not acknowledged")

    def _call(self, what: str, call: Callable[[], T]) -> T:
        """Return what a call of the transaction returns; one that is to be tried again is."""

        def once() -> T:
            try:
                return calling(call)
            except KafkaException as error:
                found: KafkaError = error.args[0]
                if found.fatal():
                    raise self._fatal(found) from error
                if found.txn_requires_abort():
                    raise _Abort(found.str()) from error
                if found.retriable() or found.code() == KafkaError._TIMED_OUT:
                    self._broken = True
                    raise BrokerUnavailable(f"{self._sink}: {found.str()}") from error
                raise StreamError(f"{self._sink}: {found.str()}") from error

        return self._patience.until(what, once, self._source.keep_alive)

    def _fatal(self, found: KafkaError) -> Exception:
        """Return what to raise where this producer can do no more."""
        if found.code() in _FENCED:
            return StreamError(
                f"{self._sink}: fenced: another worker has the name {self._name}, which no two may "
                f"have at a time (STREAM_NAME): {found.str()}"
            )
        self._broken = True
        return _Abort(found.str())

    def _abort(self) -> None:
        """Take the transaction back. Raises StreamError where another worker has the name since."""
        self._producer.purge(in_queue=True, in_flight=False)
        try:
            if not (self._broken or self._away):
                self._call("sink", lambda: self._producer.abort_transaction(_TRY_S))
                return
            # librdkafka may wait for ever for what the brokers have forgotten of this producer, or
            # for a coordinator that it forgot itself: the next one of its name goes on
            self._take_back()
            self._producer.purge()
            self._producer = self._connected()
        except (_Abort, GraceOver):
            return  # the brokers take it back by themselves

    def _take_back(self) -> None:
        """Ask brokers that were away to take the transaction back, before another producer of the
        name makes them do it: that one would fence a worker which has the name by now, while this
        one hears that it is fenced itself."""
        tries = iter(range(_TRIES))

        def once() -> None:
            try:
                calling(lambda: self._producer.abort_transaction(_TRY_S))
            except KafkaException as error:
                found: KafkaError = error.args[0]
                if found.code() in _FENCED:
                    raise self._fatal(found) from error
                if found.fatal():
                    return
                self._producer_reaches()
                if next(tries, None) is not None:
                    raise BrokerUnavailable(f"{self._sink}: {found.str()}") from error

        self._patience.until("sink", once, self._source.keep_alive)

    def _producer_reaches(self) -> None:
        try:
            calling(lambda: self._producer.list_topics(self._sink.name, timeout=_TRY_S))
        except KafkaException as error:
            raise BrokerUnavailable(f"{self._sink}: {error.args[0].str()}") from error

    def _failed(self, error: KafkaError) -> None:
        self._reach.failed(error)
        self._away = self._away or error.code() == KafkaError._ALL_BROKERS_DOWN

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None and error.code() in REFUSED:
            back = Message(message.value(), message.key(), message.headers() or ())
            self._refused.append(Refused(back, error.str()))

    def close(self) -> None:
        """Give up what is not acknowledged."""
        self._producer.purge()
        with contextlib.suppress(KafkaException):  # of one that is fenced
            calling(lambda: self._producer.flush(1))
