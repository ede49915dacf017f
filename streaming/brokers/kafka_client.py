"""What Kafka's clients share: whether brokers are there, and how librdkafka says what failed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

from streaming.addresses import Address
from streaming.errors import BrokerUnavailable

REFUSED: Final = (
    KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_MSG_SIZE,
    KafkaError.RECORD_LIST_TOO_LARGE, 87,  # INVALID_RECORD, which has no name there
)  # fmt: skip
_LOOK_S: Final = 1.0
_DOWN: Final = (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL)

T = TypeVar("T")


class Reach:
    """Whether the brokers are there, as librdkafka's threads find out."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.reason: str | None = None

    def failed(self, error: KafkaError) -> None:
        """Take an error that belongs to no call; librdkafka goes on by itself."""
        if error.code() in _DOWN:
            self.reason = error.str()

    def check(self, client: Any) -> None:
        """Raise BrokerUnavailable while nothing is reached."""
        if self.reason:
            try:
                client.list_topics(self._address.name, timeout=_LOOK_S)
            except KafkaException:
                raise BrokerUnavailable(f"{self._address}: {self.reason}") from None
            self.reason = None


def calling(call: Callable[[], T]) -> T:
    """Return what a call of librdkafka's returns; raises KafkaException.

    A fatal error comes through whichever call runs the callbacks: as a SystemError that it is the
    cause of, or as a KafkaError, which is no exception of Python's.
    """
    try:
        return call()
    except KafkaException:
        raise
    except:  # nothing else catches a KafkaError
        raised: Any = sys.exc_info()[1]
        cause = raised.__cause__ if isinstance(raised, SystemError) else raised
        if isinstance(cause, KafkaException):
            raise cause from None
        if isinstance(cause, KafkaError):
            raise KafkaException(cause) from None
        raise
