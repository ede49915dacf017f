"""What becomes of a transaction that brokers do not take: librdkafka's answers as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from streaming.addresses import Address
from streaming.delivery import Patience
from streaming.errors import BatchLost, GraceOver, StreamError
from streaming.health import Health
from streaming.interface import Event, Message, Refused
from streaming.meter import Meter
from tests.streaming.kafka_doubles import EVENTS, SINK, Producer, error, failure, messages

pytestmark = pytest.mark.usefixtures("producers")


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
        "flush", *["poll", "send_offsets_to_transaction"] * 2, *["commit_transaction"] * 2,
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
    forgotten = failure("_FATAL", fatal=True)
    producers[0].answers = {"flush": [forgotten], "abort_transaction": [forgotten]}
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
    away = failure("_TIMED_OUT")
    producers[0].answers = {
        "flush": [1], "list_topics": [away], "abort_transaction": [away] * 5
    }  # fmt: skip
    with pytest.raises(BatchLost, match="1 messages are not acknowledged in 0 s"):
        delivery.deliver(EVENTS, messages(b"1"), [])
    assert source.rewound == EVENTS
    assert producers[0].calls.count("abort_transaction") == 5  # the first while they are away
    assert producers[0].calls[-1] == "purge"
    assert producers[1].calls == ["init_transactions"]


def test_brokers_that_were_away_are_another_producer_s(producers: list[Producer]) -> None:
    """librdkafka waits for ever for the coordinator that it had; the transaction is taken back."""
    delivery = exactly_once(Source())
    producers[0].options["error_cb"](error("_ALL_BROKERS_DOWN"))
    with pytest.raises(BatchLost, match="the brokers were away"):
        delivery.deliver(EVENTS, messages(b"1"), [])
    assert "send_offsets_to_transaction" not in producers[0].calls
    assert producers[0].calls[-2:] == ["abort_transaction", "purge"]
    assert delivery.deliver(EVENTS, messages(b"1"), []) == 0
    assert producers[1].calls[-1] == "commit_transaction"


def test_a_worker_that_waited_takes_its_transaction_back_itself(
    producers: list[Producer],
) -> None:
    """Another producer would fence a worker that has the name by now: this one hears of that."""
    source = Source()
    delivery = exactly_once(source)

    def goes() -> int:
        source.gone = True
        return 1

    fenced = failure("_FENCED", fatal=True)
    producers[0].answers = {"flush": [1, goes], "abort_transaction": [fenced]}
    with pytest.raises(StreamError, match="another worker has the name w-0"):
        delivery.deliver(EVENTS, messages(b"1"), [])
    assert len(producers) == 1


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
