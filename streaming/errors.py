"""What can go wrong with a stream; each error that ends the worker knows its exit status."""

from __future__ import annotations

from typing import ClassVar


class StreamError(Exception):
    """The worker ends; the message is one line that says what was seen and what to do."""

    status: ClassVar[int] = 1


class UsageError(StreamError):
    """What was asked for does not fit together."""

    status = 2


class BrokerUnavailable(Exception):  # as the core names its errors
    """A broker does not answer, or refuses for now; it is worth another try. The message says who
    and why, without credentials."""


class BatchLost(Exception):
    """A batch cannot be made final here, and nothing of it is visible: its events come again, to
    this worker or to another."""


class GraceOver(Exception):
    """The worker is to stop, and what is at hand cannot be made final in time; its events come
    again at the next start."""
