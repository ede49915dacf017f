"""What becomes of messages that brokers do not take: librdkafka's answers as they come."""

from __future__ import annotations

from typing import Any

import pytest

from streaming.errors import BrokerUnavailable, UsageError
from tests.streaming.kafka_doubles import SINK, Producer, error, failure, messages
from tests.streaming.test_kafka_transactions import Source, exactly_once

pytestmark = pytest.mark.usefixtures("producers")


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
