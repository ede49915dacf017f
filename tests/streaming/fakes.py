"""Brokers in memory, which fail when they are told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from streaming.errors import BrokerUnavailable
from streaming.interface import Event, Message, Refused


class Failing:
    """Fails so many times, as by an absent broker."""

    def __init__(self) -> None:
        self.failures = 0

    def fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailable("fake: away")


class FakeSource(Failing):
    """Hands out what it has, in order; `at_end` is called when there is no more."""

    name = "rides"

    def __init__(self, values: Sequence[bytes | None], at_end: Callable[[], None]) -> None:
        super().__init__()
        self.events = [
            Event(value, b"k", (), 0, offset, 1000.0) for offset, value in enumerate(values)
        ]
        self.committed: list[int] = []
        self.alive = 0
        self._at = 0
        self._at_end = at_end

    def poll(self, limit: int, _timeout_s: float) -> list[Event]:
        self.fail()
        found = self.events[self._at : self._at + limit]
        self._at += len(found)
        if not found:
            self._at_end()
        return found

    def waiting(self) -> str | None:
        return None

    def commit(self, events: Sequence[Event]) -> None:
        self.fail()
        self.committed += [int(event.offset) for event in events]

    def keep_alive(self) -> None:
        self.alive += 1

    def lag(self) -> Mapping[str, int]:
        return {"0": len(self.events) - self._at}

    def close(self) -> None:
        pass


class FakeSink(Failing):
    """Keeps what it is sent; refuses what `refuses` says."""

    def __init__(self, refuses: Callable[[Message], bool] = lambda _: False) -> None:
        super().__init__()
        self.got: list[Message] = []
        self._pending: list[Message] = []
        self._refuses = refuses

    def send(self, messages: Sequence[Message]) -> None:
        self._pending += messages

    def flush(self, _timeout_s: float) -> list[Refused]:
        self.fail()
        refused = [Refused(one, "too large") for one in self._pending if self._refuses(one)]
        self.got += [one for one in self._pending if not self._refuses(one)]
        self._pending = []
        return refused

    def close(self) -> None:
        pass
