"""Clients that keep a service busy while a test disturbs it, and what became of each request.

Whether a request without an answer was lost depends on how far it got, which a client can tell:

- `REFUSED`: no connection came about, or it was reset as it was made. Nothing was asked.
- `UNACCEPTED`: a new connection ended before the first byte of an answer. It may have waited in the
  kernel's queue of a socket that was closed; whether a worker had taken it, only the worker knows.
- `CLOSED`: a connection that had been answered on, and was not announced to close, ended before the
  first byte of the next answer. A service that announces every close never does this; a proxy that
  is reloaded may (RFC 9112, section 9.5: a client has to expect it).
- `BROKEN`: an answer began and did not come to its end, or none came in time. This is a loss.
"""

from __future__ import annotations

import collections
import contextlib
import enum
import http.client
import itertools
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

JSON = {"Content-Type": "application/json"}
_TIMEOUT_S = 30.0
_RETRY_S = 0.01  # between two refused connections


class Fate(enum.Enum):
    """What became of a request that got no whole answer."""

    REFUSED = "refused"
    UNACCEPTED = "unaccepted"
    CLOSED = "closed"
    BROKEN = "broken"


@dataclass(frozen=True)
class Request:
    """A POST, the name that its answers are counted under, and the status of a right answer."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    name: str = ""  # the path where it is empty
    expected: int = 200

    @classmethod
    def of(cls, path: str, value: Any, expected: int = 200, *, name: str = "") -> Request:
        """Return a request whose body is `value` as JSON."""
        return cls(path, json.dumps(value).encode(), name=name, expected=expected)


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    request: Request
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Failure:
    """A request without a whole answer: when it was sent (`time.monotonic`), and the error."""

    request: Request
    fate: Fate
    sent: float
    error: Exception


class Load:
    """So many clients that ask `requests` in turn, each from a place of its own, while the block
    runs. A client leaves early once `until_refused` is set and nobody listens any more."""

    def __init__(
        self,
        address: tuple[str, int],
        requests: Sequence[Request],
        *,
        clients: int = 4,
        keep_alive: bool = True,
        until_refused: bool = False,
        pause_s: float = 0.0,
        check: Callable[[Answer], str | None] = lambda _: None,
    ) -> None:
        """`check` returns what is wrong with an answer, None where nothing is."""
        self.answers: collections.Counter[tuple[str, int]] = collections.Counter()
        self.by_client: collections.Counter[int] = collections.Counter()
        self.failures: list[Failure] = []
        self.wrong: list[str] = []
        self._address, self._requests = address, requests
        self._keep_alive, self._until_refused = keep_alive, until_refused
        self._pause_s, self._check = pause_s, check
        self._stopped = threading.Event()
        self._lock = threading.Lock()  # a Counter's += is several steps
        self._threads = [
            threading.Thread(target=self._ask, args=(number,)) for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.stop()

    def stop(self) -> None:
        """Have every client end after the answer that it waits for."""
        self._stopped.set()
        self.join()

    def join(self) -> None:
        """Wait for every client to end; fail where one hangs."""
        for thread in self._threads:
            thread.join(2 * _TIMEOUT_S)
            assert not thread.is_alive(), "a client of the load hangs"

    def total(self) -> int:
        """Return the number of whole answers so far."""
        return self.answers.total()

    def everybody_has(self, answers: int) -> bool:
        """Whether each client has got so many answers."""
        served = [self.by_client[number] for number in range(len(self._threads))]
        return min(served) >= answers

    def statuses(self) -> set[int]:
        """Return the statuses that occurred."""
        return {status for _, status in self.answers}

    def failed(self, *fates: Fate) -> list[Failure]:
        """Return the failures of these kinds."""
        return [failure for failure in self.failures if failure.fate in fates]

    def _ask(self, client: int) -> None:
        order = random.Random(client).sample(self._requests, len(self._requests))
        turns = itertools.cycle(order)
        while not self._stopped.is_set():
            connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_S)
            with contextlib.closing(connection):
                request, sent = next(turns), time.monotonic()
                try:
                    connection.connect()
                except OSError as error:
                    self._fail(request, Fate.REFUSED, sent, error)
                    if self._until_refused and isinstance(error, ConnectionRefusedError):
                        return
                    answered = False
                else:
                    answered = self._talk(client, connection, itertools.chain([request], turns))
            if not answered:
                self._stopped.wait(_RETRY_S)

    def _talk(
        self, client: int, connection: http.client.HTTPConnection, turns: Iterator[Request]
    ) -> bool:
        """Ask on one connection until it closes or the load stops; return whether the last request
        was answered."""
        fresh = True
        for request in turns:
            sent, begun = time.monotonic(), False
            try:
                connection.request("POST", request.path, request.body, dict(request.headers))
                begun = bool(connection.sock.recv(1, socket.MSG_PEEK))
                with contextlib.closing(connection.getresponse()) as response:
                    body = response.read()
                    if response.length is None and not response.chunked:
                        # http.client takes a head that breaks off for a whole one
                        raise http.client.IncompleteRead(body)
            except (OSError, http.client.HTTPException) as error:
                # RemoteDisconnected, of a connection that just ends, is a ConnectionError as well
                ended = isinstance(error, ConnectionError) and not begun
                fate = (Fate.UNACCEPTED if fresh else Fate.CLOSED) if ended else Fate.BROKEN
                self._fail(request, fate, sent, error)
                return False
            fresh = False
            answer = Answer(request, response.status, response.headers, body)
            self._note(client, answer)
            closes = response.will_close or not self._keep_alive
            if closes or self._stopped.wait(self._pause_s) or self._stopped.is_set():
                break
        return True

    def _note(self, client: int, answer: Answer) -> None:
        wrong = self._check(answer)
        with self._lock:
            self.answers[answer.request.name or answer.request.path, answer.status] += 1
            self.by_client[client] += 1
            if wrong:
                self.wrong.append(wrong)

    def _fail(self, request: Request, fate: Fate, sent: float, error: Exception) -> None:
        with self._lock:
            self.failures.append(Failure(request, fate, sent, error))
