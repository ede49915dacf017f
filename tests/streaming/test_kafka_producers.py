"""What becomes of messages that brokers do not take: librdkafka's answers as they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from streaming.addresses import Address
from streaming.delivery import Patience
from streaming.errors import BatchLost, BrokerUnavailable, GraceOver, StreamError, UsageError
from streaming.health import Health
from streaming.interface import Event, Message, Refused
from streaming.meter import Meter
from tests.streaming.kafka_broker import kafka_package

SINK = Address.parse("kafka://h:1/out")
EVENTS = [Event(b"{}", None, (), 0, offset, None) for offset in (7, 8)]


def error(code: str, **kind: bool) -> Any:
    from confluent_kafka import KafkaError

    return KafkaError(getattr(KafkaError, code), code.lower(), **kind)


def failure(code: str, **kind: bool) -> Exception:
    from confluent_kafka import KafkaException

    found: Exception = KafkaException(error(code, **kind))
    return found


class Sent:
    """A message as librdkafka reports its delivery."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def value(self) -> bytes:
        return self._value

    def key(self) -> bytes:
        return b"k"

    def headers(self) -> None:
        return None


class Producer:
    """Keeps what it is given. `answers` names for each call what it raises or does, in order."""

    made: list[Producer]

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.values: list[bytes] = []
        self.calls: list[str] = []
        self.answers: dict[str, list[Any]] = {}
        Producer.made.append(self)

    def _answer(self, name: str, default: Any = None) -> Any:
        self.calls.append(name)
        left = self.answers.get(name, [])
        answer = left.pop(0) if left else default
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    def produce_batch(self, _topic: str, messages: list[dict[str, Any]]) -> int:
        errors = self._answer("produce_batch", [None] * len(messages))
        for one, found in zip(messages, errors, strict=True):
            if found is not None:
                one["_error"] = found
            else:
                self.values.append(one["value"])
        return sum(found is None for found in errors)

    def produce(self, _topic: str, value: bytes, _key: Any, headers: list[Any]) -> None:
        assert headers
        self._answer("produce")
        self.values.append(value)

    def report(self, code: str, value: bytes) -> Callable[[], int]:
        """Return what tells of a message that was not delivered, as `flush` does."""

        def told() -> int:
            self.options["on_delivery"](error(code), Sent(value))
            return 0

        return told

    def flush(self, _timeout: float) -> int:
        return int(self._answer("flush", 0))

    def poll(self, _timeout: float) -> None:
        self.calls.append("poll")

    def purge(self, **_: bool) -> None:
        self.calls.append("purge")

    def list_topics(self, *_: Any, **__: Any) -> None:
        self._answer("list_topics")

    def init_transactions(self, _timeout: float) -> None:
        self._answer("init_transactions")

    def begin_transaction(self) -> None:
        self._answer("begin_transaction")

    def send_offsets_to_transaction(self, *_: Any) -> None:
        self._answer("send_offsets_to_transaction")

    def commit_transaction(self, _timeout: float) -> None:
        self._answer("commit_transaction")

    def abort_transaction(self, _timeout: float) -> None:
        self._answer("abort_transaction")


@pytest.fixture(autouse=True)
def producers(monkeypatch: pytest.MonkeyPatch) -> list[Producer]:
    """The producers that were made, in order."""
    kafka_package()
    from streaming.brokers import kafka_sink, kafka_transaction

    Producer.made = []
    for module in (kafka_sink, kafka_transaction):
        monkeypatch.setattr(module, "Producer", Producer)
    return Producer.made


def messages(*values: bytes, headers: Sequence[Any] = ()) -> list[Message]:
    return [Message(value, b"k", headers) for value in values]


def sink() -> Any:
    from streaming.brokers.kafka_sink import KafkaSink

    return KafkaSink(SINK)


def test_what_can_be_sent_later_is_sent_again(producers: list[Producer]) -> None:
    """After a report of an error that passes; the next flush sends it and nothing else."""
    one = sink()
    [producer] = producers
    one.send(messages(b"1", b"2"))
    producer.answers["flush"] = [producer.report("NOT_ENOUGH_REPLICAS", b"2")]
    with pytest.raises(BrokerUnavailable, match="not_enough_replicas"):
        one.flush(1)
    assert one.flush(1) == []
    assert producer.values == [b"1", b"2", b"2"]


def test_what_is_never_taken_is_told_once(producers: list[Producer]) -> None:
    """By the brokers, or by librdkafka itself, with headers and without."""
    one = sink()
    [producer] = producers
    producer.answers["flush"] = [producer.report("MSG_SIZE_TOO_LARGE", b"1")]
    producer.answers["produce_batch"] = [[None, error("MSG_SIZE_TOO_LARGE")]]
    producer.answers["produce"] = [failure("MSG_SIZE_TOO_LARGE")]
    one.send(messages(b"1", b"2"))
    one.send(messages(b"3", headers=[("a", b"b")]))
    assert [refused.message.value for refused in one.flush(1)] == [b"2", b"3", b"1"]
    assert one.flush(1) == []


def test_a_full_queue_is_waited_for(producers: list[Producer]) -> None:
    """What did not fit goes in after librdkafka has sent some, in order."""
    one = sink()
    [producer] = producers
    producer.answers["produce_batch"] = [[None, error("_QUEUE_FULL")]]
    producer.answers["produce"] = [BufferError()]
    one.send(messages(b"1", b"2"))
    one.send([*messages(b"3", headers=[("a", b"b")]), *messages(b"4")])
    assert producer.values == [b"1", b"2", b"3", b"4"]
    assert producer.calls.count("poll") == 2


def test_a_producer_that_the_brokers_forgot_is_replaced(producers: list[Producer]) -> None:
    """By one that sends all that is not acknowledged."""
    one = sink()
    producers[0].answers["flush"] = [failure("_FATAL", fatal=True)]
    one.send(messages(b"1", b"2"))
    with pytest.raises(BrokerUnavailable, match="_fatal"):
        one.flush(1)
    assert one.flush(1) == []
    assert producers[1].values == [b"1", b"2"]
    one.close()
    assert producers[1].calls[-2:] == ["purge", "flush"]


def test_brokers_that_are_away_are_named(producers: list[Producer]) -> None:
    """With librdkafka's reason, as long as none answers; else by what is not acknowledged."""
    one = sink()
    [producer] = producers
    producer.answers |= {"flush": [2, 1], "list_topics": [failure("_TRANSPORT")]}
    producer.options["error_cb"](error("_ALL_BROKERS_DOWN"))
    with pytest.raises(BrokerUnavailable, match="_all_brokers_down"):
        one.flush(1)
    with pytest.raises(BrokerUnavailable, match="1 messages are not acknowledged"):
        one.flush(1)


def test_an_error_that_is_raised_as_something_else_is_one_of_kafkas() -> None:
    """As a SystemError's cause; anything else stays what it is."""
    from confluent_kafka import KafkaException

    from streaming.brokers.kafka_client import calling

    def wrapped() -> None:
        raise SystemError from failure("_FATAL")

    with pytest.raises(KafkaException):
        calling(wrapped)
    with pytest.raises(ZeroDivisionError):
        calling(lambda: 1 / 0)


class Source:
    """The source of a transaction's events."""

    def __init__(self) -> None:
        self.consumer = self
        self.gone = False
        self.rewound: list[Event] = []

    def keep_alive(self) -> None:
        pass

    def consumer_group_metadata(self) -> None:
        return None

    def behind(self, _events: Sequence[Event]) -> list[Any]:
        return []

    def lost(self, _events: Sequence[Event]) -> bool:
        return self.gone

    def rewind(self, events: Sequence[Event]) -> None:
        self.rewound += events


def exactly_once(source: Source, *, over: bool = False) -> Any:
    """Return a delivery by transactions that does not pause; `over`: the grace time is."""
    from streaming.brokers.kafka_transaction import ExactlyOnce

    patience = Patience(Health(), lambda: over)
    patience.pause = lambda *_: None  # type: ignore[method-assign]

    def letter(_: Sequence[Event], one: Refused) -> Message:
        return Message(b'{"event":{},"problem":{},"of":"%s"}' % one.message.value, b"k", ())

    dead = Address.parse("kafka://h:1/dead")
    given: Any = source
    return ExactlyOnce(given, SINK, dead, "w-0", patience, Meter(), letter)


def test_a_transaction_is_begun_filled_and_committed(producers: list[Producer]) -> None:
    """In that order; what passes is tried again."""
    delivery = exactly_once(Source())
    [producer] = producers
    assert producer.options["transactional.id"] == "w-0"
    producer.answers = {"commit_transaction": [failure("_TIMED_OUT"), None],
                        "send_offsets_to_transaction": [failure("_STATE", retriable=True), None],
                        "flush": [1, 0]}  # fmt: skip
    assert delivery.deliver(EVENTS, messages(b"1"), messages(b"2")) == 0
    assert producer.values == [b"1", b"2"]
    assert producer.calls == [
        "init_transactions", "begin_transaction", "produce_batch", "produce_batch", "flush",
        "flush", *["send_offsets_to_transaction"] * 2, *["commit_transaction"] * 2,
    ]  # fmt: skip


@pytest.mark.parametrize("at", ["begin_transaction", "send_offsets_to_transaction"])
def test_a_transaction_that_can_only_be_taken_back_is(producers: list[Producer], at: str) -> None:
    """Its events come again."""
    source = Source()
    delivery = exactly_once(source)
    producers[0].answers[at] = [failure("_STATE", txn_requires_abort=True)]
    with pytest.raises(BatchLost, match="_state"):
        delivery.deliver(EVENTS, messages(b"1"), [])
    assert producers[0].calls[-1] == "abort_transaction"
    assert source.rewound == EVENTS


def test_a_batch_that_is_another_s_is_taken_back(producers: list[Producer]) -> None:
    """Also where the brokers then cannot be told that."""
    source = Source()
    delivery = exactly_once(source)
    source.gone = True
    producers[0].answers["abort_transaction"] = [failure("_STATE", txn_requires_abort=True)]
    with pytest.raises(BatchLost, match="went to another worker"):
        delivery.deliver(EVENTS, messages(b"1"), [])


def test_a_batch_that_goes_while_its_offsets_are_sent_is_taken_back(
    producers: list[Producer],
) -> None:
    """Nothing of it is committed."""
    source = Source()
    delivery = exactly_once(source)

    def goes() -> None:
        source.gone = True

    producers[0].answers["send_offsets_to_transaction"] = [goes]
    with pytest.raises(BatchLost, match="went to another worker"):
        delivery.deliver(EVENTS, messages(b"1"), [])
    assert "commit_transaction" not in producers[0].calls


def test_what_is_refused_in_a_transaction_becomes_a_letter(producers: list[Producer]) -> None:
    """By librdkafka or by the brokers; a letter that is refused is sent without its event."""
    delivery = exactly_once(Source())
    [producer] = producers
    producer.answers["produce_batch"] = [[error("MSG_SIZE_TOO_LARGE"), None]]
    letter = b'{"event":{},"problem":{},"of":"2"}'
    producer.answers["flush"] = [
        producer.report("MSG_SIZE_TOO_LARGE", b"2"), producer.report("MSG_SIZE_TOO_LARGE", letter),
    ]  # fmt: skip
    assert delivery.deliver(EVENTS, messages(b"1", b"2"), []) == 2
    assert producer.calls.count("abort_transaction") == 3
    last = producer.values[-2:]
    assert [b'"of":"1"' in value for value in last] == [True, False]
    assert b'"truncated":true' in last[1]


def test_a_fenced_worker_ends_and_a_forgotten_one_begins_again(producers: list[Producer]) -> None:
    """The first by its name, which another has; the second with a new producer of that name."""
    source = Source()
    delivery = exactly_once(source)
    producers[0].answers["commit_transaction"] = [failure("_FENCED", fatal=True)]
    with pytest.raises(StreamError, match="another worker has the name w-0"):
        delivery.deliver(EVENTS, messages(b"1"), [])
    producers[0].answers["flush"] = [failure("_FATAL", fatal=True)]
    with pytest.raises(BatchLost, match="_fatal"):
        delivery.deliver(EVENTS, messages(b"1"), [])
    assert len(producers) == 2
    assert producers[1].calls == ["init_transactions"]
    delivery.close()
    assert producers[1].calls[-2:] == ["purge", "flush"]


def test_what_a_transaction_waits_for_in_vain_comes_again(
    producers: list[Producer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another producer of that name: brokers that were away may have forgotten the first."""
    from streaming.brokers import kafka_transaction

    monkeypatch.setattr(kafka_transaction, "_TIMEOUT_MS", 0)
    source = Source()
    delivery = exactly_once(source)
    producers[0].answers["flush"] = [1]
    with pytest.raises(BatchLost, match="1 messages are not acknowledged in 0 s"):
        delivery.deliver(EVENTS, messages(b"1"), [])
    assert source.rewound == EVENTS
    assert producers[0].calls[-1] == "purge"
    assert producers[1].calls == ["init_transactions"]


def test_a_stop_takes_the_transaction_back(producers: list[Producer]) -> None:
    """Once the grace time is over; the brokers may be away for that, too."""
    delivery = exactly_once(Source(), over=True)
    producers[0].answers = {"flush": [1], "abort_transaction": [failure("_TIMED_OUT")]}
    with pytest.raises(GraceOver):
        delivery.deliver(EVENTS, messages(b"1"), [])
    assert producers[0].calls[-1] == "abort_transaction"


def test_what_no_try_mends_ends_the_worker(producers: list[Producer]) -> None:
    """With librdkafka's words."""
    delivery = exactly_once(Source())
    producers[0].answers["commit_transaction"] = [failure("_INVALID_ARG")]
    with pytest.raises(StreamError, match="_invalid_arg"):
        delivery.deliver(EVENTS, messages(b"1"), [])


def test_options_that_there_are_not_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a sink, a transaction, a source."""
    from streaming.brokers import kafka, kafka_sink, kafka_transaction

    def refusing(_: Any) -> None:
        raise failure("_INVALID_ARG")

    for module, name, make in (
        (kafka_sink, "Producer", sink),
        (kafka_transaction, "Producer", lambda: exactly_once(Source())),
        (kafka, "Consumer", lambda: kafka.KafkaSource(SINK, group="g")),
    ):
        monkeypatch.setattr(module, name, refusing)
        with pytest.raises(UsageError, match="kafka://h:1/out: _invalid_arg"):
            make()
