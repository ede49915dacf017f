"""What a broker offers: a source of events and a sink for messages.

A new broker is one file in `brokers/` with `source(...)` and `sink(...)`, a line in
`brokers/__init__.py`, and a group of the Pipfile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

Headers = Sequence[tuple[str, bytes | None]]


class Event(Struct, frozen=True, gc=False):
    """One event as the broker has it. A struct, as it takes a third of a tuple's time to make, and
    one that the garbage collector need not look through."""

    value: bytes | None  # None: without a body, as a tombstone is
    key: bytes | None
    headers: Headers
    partition: int | str
    offset: int | str  # numbers, perhaps several with a dash between; they grow with time
    time: float | None  # when the broker took it, seconds since 1970
    deliveries: int = 1  # how often it was handed out, this time included; where the broker counts


class Message(Struct, frozen=True, gc=False):
    """What is sent. One key's messages stay in order."""

    value: bytes
    key: bytes | None
    headers: Headers


class Refused(NamedTuple):
    """A message that a broker will never take, and why."""

    message: Message
    reason: str


class Source(Protocol):
    """Where events come from; used by one thread."""

    name: str  # of the stream, the first part of every prediction's id

    def poll(self, limit: int, timeout_s: float, /) -> list[Event]:
        """Return what is there, up to `limit` events, in order by partition; empty where nothing
        came within `timeout_s`. Raises BrokerUnavailable."""

    def waiting(self) -> str | None:
        """Return why nothing can come yet though the broker answers; None: nothing hinders."""

    def commit(self, events: Sequence[Event]) -> None:
        """Note that events are done; returns once the broker has it. Raises BrokerUnavailable,
        and BatchLost where others have them now."""

    def keep_alive(self) -> None:
        """Show that this worker is there, while nothing is polled; never raises."""

    def lag(self) -> Mapping[str, int]:
        """Return how many events wait, by partition, as far as it is known. Raises
        BrokerUnavailable."""

    def close(self) -> None:
        """Leave the group."""


class Sink(Protocol):
    """Where messages go; used by one thread."""

    def send(self, messages: Sequence[Message]) -> None:
        """Take messages, of which none need be at the broker before `flush`."""

    def flush(self, timeout_s: float, /) -> list[Refused]:
        """Return when the broker has acknowledged everything that was sent, but for what it
        refuses. Raises BrokerUnavailable where it has not; another call goes on from there."""

    def close(self) -> None:
        """Give the connection up; what is not acknowledged is thrown away."""


class Delivery(Protocol):
    """What makes a batch final."""

    def deliver(
        self, events: Sequence[Event], predictions: Sequence[Message], letters: Sequence[Message]
    ) -> int:
        """Send the outcome of `events` and commit these; return how many predictions became dead
        letters, as the sink refused them. Raises BatchLost and GraceOver."""
