"""What has come of a request's body, for the task that reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

_UNREAD_BYTES: Final = 256 * 1024  # more is left in the kernel, where the sender sees it


class RequestBody:
    """A body between the connection, which feeds it, and one reader, who awaits it.

    `pause` and `resume` stop and start the connection's reading (backpressure).
    """

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """Make an empty body, of which nothing has come."""
        self._pause = pause
        self._resume = resume
        self._parts: list[bytes] = []
        self._size = 0
        self._complete = False
        self._broken_off = False
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, part: bytes) -> None:
        """Take the next part."""
        self._parts.append(part)
        self._size += len(part)
        if self._size > _UNREAD_BYTES:
            self._pause()
        self._wake()

    def finish(self) -> None:
        """Say that the body is whole."""
        self._complete = True
        self._wake()

    def break_off(self) -> None:
        """Say that no more will come, whole or not."""
        self._broken_off = True
        self._wake()

    async def receive(self) -> dict[str, Any]:
        """Return the next ASGI message.

        It is http.request with what has come since the last one, or http.disconnect where
        the body broke off.
        """
        while not (self._parts or self._complete or self._broken_off):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if not (self._parts or self._complete):
            return {"type": "http.disconnect"}
        part = b"".join(self._parts)
        if self._size > _UNREAD_BYTES:
            self._resume()
        self._parts, self._size = [], 0
        return {"type": "http.request", "body": part, "more_body": not self._complete}

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
