"""What a connection needs of the worker that accepted it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from serving.server.asgi import AsgiApp


class Host(Protocol):
    """A worker, as its connections see it."""

    cfg: Any  # gunicorn's configuration
    log: Any  # gunicorn's logger
    service: AsgiApp
    loop: asyncio.AbstractEventLoop
    connections: set[Any]  # the open ones
    alive: bool  # False: the worker ends once all is answered
    now: float  # seconds of the monotonic clock, at most a second old
    date: bytes  # the value of the Date header, likewise

    def count_request(self) -> None:
        """Count a request that is being answered."""
