"""Callers of a rehearsed deployment: one request, or many of them until told to stop."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Answer(NamedTuple):
    """What came back."""

    status: int
    media_type: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Load:
    """Callers that ask for predictions until told to stop, each request on a connection of its own.

    Home-made, as wrk and its like count errors and do not say what they were. Every request must be
    answered with 200.
    """

    port: int
    record: bytes
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ask until told to stop, and count."""
        while not self._over.is_set():
            try:
                answer = ask(self.port, "POST", "/predict", self.record)
            except OSError as error:
                self.failed.append(repr(error))
                continue
            if answer.status == http.HTTPStatus.OK:
                self.answered += 1
            else:
                self.failed.append(f"HTTP {answer.status}: {answer.body[:200]!r}")

    @contextlib.contextmanager
    def during(self, callers: int) -> Iterator[None]:
        """Ask from `callers` threads while the block runs."""
        threads = [threading.Thread(target=self.run, daemon=True) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop()
            for thread in threads:
                thread.join()

    def stop(self) -> None:
        """End the asking; requests on their way are still answered."""
        self._over.set()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> Answer:
    """Return the answer of this machine's `port`; raise OSError without one."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    ) as connection:
        headers = {"Connection": "close", "Accept": "text/html, */*"}  # as a browser would
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body, headers)
            got = connection.getresponse()
            content = got.read()
        except http.client.HTTPException as error:
            raise ConnectionError(repr(error)) from error
        told = {name.lower(): value for name, value in got.getheaders()}
        media_type = told.get("content-type", "").partition(";")[0]
        return Answer(got.status, media_type, told, content)
