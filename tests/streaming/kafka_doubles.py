"""A producer that answers as librdkafka does, for what no broker does when it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from streaming.addresses import Address
from streaming.interface import Event, Message

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


def messages(*values: bytes, headers: Sequence[Any] = ()) -> list[Message]:
    return [Message(value, b"k", headers) for value in values]
