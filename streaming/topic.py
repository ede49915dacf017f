"""Read a topic of Kafka once, from given places to its end; for other rooms, such as monitoring.

Nothing is committed, and no group joined: whoever reads keeps its own places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streaming.addresses import Address
from streaming.errors import UsageError

if TYPE_CHECKING:
    from streaming.brokers.kafka_reader import KafkaReader


def open_topic(text: str) -> KafkaReader:
    """Return a reader of the topic at `kafka://HOST:PORT/TOPIC?option=value`; the options are those
    of a worker's address, from the environment, too. Raises UsageError for another address, and
    where the client's package is missing."""
    address = Address.parse(text)
    if address.scheme != "kafka":
        raise UsageError(f"{address}: only topics of Kafka can be read so, kafka://HOST:PORT/TOPIC")
    try:
        from streaming.brokers.kafka_reader import KafkaReader
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{address} needs the package {error.name}: pipenv sync --categories kafka"
        ) from error
    return KafkaReader(address)
